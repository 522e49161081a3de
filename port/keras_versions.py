"""Which row of a table of dialects a Keras release follows."""

from collections.abc import Mapping
from typing import TypeVar

FIRST, LAST = "1.0.4", "1.2.2"
Row = TypeVar("Row")


def dialect(table: Mapping[str, Row], keras: str) -> Row:
    """The row of `table` (first release -> row, oldest first) in force in release `keras`.

    Raises ValueError for a release outside 1.0.4 - 1.2.2 or a string that is no release.
    """
    release = _numbers(keras)
    if not _numbers(FIRST) <= release <= _numbers(LAST):
        raise ValueError(
            f"Keras {keras}: its formulas are not known here; give a release from {FIRST} to {LAST}"
        )
    return table[max((first for first in table if _numbers(first) <= release), key=_numbers)]


def is_known(keras: str) -> bool:
    """Whether the formulas of release `keras` are known here."""
    try:
        dialect({FIRST: None}, keras)
    except ValueError:
        return False
    return True


def _numbers(release: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in release.split("."))
    except (AttributeError, ValueError) as error:
        raise ValueError(f"Keras {release!r} is no release; give one such as '1.0.6'") from error
