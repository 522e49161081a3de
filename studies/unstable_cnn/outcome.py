"""What an experiment found, before it is put into words. Plain values only: answers are kept."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple


class Rows(NamedTuple):
    """A table of an outcome: the key of its words, its rows of plain values, the columns that the
    words leave open, and figures of its own for the words.
    """

    table: str
    rows: Sequence
    columns: Sequence = ()
    figures: Mapping = {}


class Outcome(NamedTuple):
    """What an experiment found: the key of its words, whether the hypothesis holds (None: not
    decidable), the one figure that says how large the effect is, and what else the words say.
    """

    finding: str
    holds: bool | None
    effect: float | None
    figures: Mapping
    tables: Sequence = ()
