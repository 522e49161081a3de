"""Every environment variable that the program reads: what it may say, and its default."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from parity.errors import CannotRun

__all__ = ["check", "setting"]

LATEST_S = 253402300799  # the end of the year 9999, the last that a date can hold
MOST = 1e9


class Variable(NamedTuple):
    """How a variable is read, what it has to be, and what stands for it where it is not set."""

    read: Callable[[str], Any]
    wanted: str
    default: Any = None


def _folder(text: str) -> Path:
    return Path(text).expanduser()  # RuntimeError for ~nosuchuser


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value <= MOST:
        raise ValueError
    return value


def _epoch(text: str) -> int:
    value = int(text)
    if not 0 <= value <= LATEST_S:
        raise ValueError
    return value


VARIABLES = {
    "PARITY_CACHE": Variable(_folder, "the name of a folder"),
    "PARITY_DATA": Variable(_folder, "the name of a folder"),
    "PARITY_FIXTURES": Variable(_folder, "the name of a folder"),
    "PARITY_FIXTURES_URL": Variable(str, "an address"),
    "PARITY_CACHE_LIMIT_GB": Variable(_positive, "a positive number of gigabytes", 20.0),
    "PARITY_PORT_TIMEOUT_S": Variable(_positive, "a positive number of seconds", 900.0),
    "PARITY_RECORDER_TIMEOUT_S": Variable(_positive, "a positive number of seconds", 900.0),
    "SOURCE_DATE_EPOCH": Variable(_epoch, "a whole number of seconds since 1970"),
    "CI": Variable(str, "anything"),
    "GITHUB_ACTIONS": Variable(str, "anything"),
    "GITHUB_STEP_SUMMARY": Variable(_folder, "the name of a file"),
}


def setting(name: str) -> Any:
    """What an environment variable says, or its default where it is empty or not set.

    Parameters
    ----------
    name : str
        A key of VARIABLES.

    Returns
    -------
    Path, float, int, str or None

    Raises
    ------
    CannotRun
        Where it says what it may not.

    Examples
    --------
    >>> setting("PARITY_CACHE_LIMIT_GB")  # doctest: +SKIP
    20.0
    """
    variable, text = VARIABLES[name], os.environ.get(name)
    if not text:
        return variable.default
    try:
        return variable.read(text)
    except (ValueError, OverflowError, RuntimeError) as error:
        raise CannotRun(f"{name} is {text[:99]!r}; give {variable.wanted}") from error


def check() -> None:
    """Raise CannotRun for the first variable that says what it may not."""
    for name in VARIABLES:
        setting(name)
