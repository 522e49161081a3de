"""Every environment variable that the program reads: what it may say, and its default."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from parity.errors import CannotRun

__all__ = ["check", "setting", "variables"]

LATEST_S = 253402300799  # the end of the year 9999, the last that a date can hold
MOST = 1e9


class Variable(NamedTuple):
    """How a variable is read, what it has to be, what it is for, and what stands for it where it is
    not set.
    """

    read: Callable[[str], Any]
    wanted: str
    means: str
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


# fmt: off
VARIABLES = {
    "PARITY_DATA": Variable(_folder, "the name of a folder",
        "Where weights and clips are looked for first."),
    "PARITY_FIXTURES": Variable(_folder, "the name of a folder",
        "Where fetched weights and clips are kept."),
    "PARITY_FIXTURES_URL": Variable(str, "an address",
        "Where they are fetched from."),
    "PARITY_CACHE": Variable(_folder, "the name of a folder",
        "Where recorded traces are kept."),
    "PARITY_CACHE_LIMIT_GB": Variable(_positive, "a positive number of gigabytes",
        "How large they may grow together; default: 20.", 20.0),
    "PARITY_PORT_TIMEOUT_S": Variable(_positive, "a positive number of seconds",
        "How long a port may take for one answer; default: 900.", 900.0),
    "PARITY_RECORDER_TIMEOUT_S": Variable(_positive, "a positive number of seconds",
        "How long one recording may take; default: 900.", 900.0),
    "PARITY_QUIET": Variable(str, "anything", "Show no progress."),
    "NO_COLOR": Variable(str, "anything", "Print without colours."),
    "SOURCE_DATE_EPOCH": Variable(_epoch, "a whole number of seconds since 1970",
        "The date that outputs bear, for equal bytes."),
    "CI": Variable(str, "anything", "Nothing is approved here."),
    "GITHUB_ACTIONS": Variable(str, "anything", "The gate also prints annotations."),
    "GITHUB_STEP_SUMMARY": Variable(_folder, "the name of a file",
        "The file that a summary is added to."),
}
# fmt: on


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


@contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for as long as it lasts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
