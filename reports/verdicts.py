"""The verdict words of parity.json: what each looks like and what it says. Never by colour
alone.
"""

from typing import NamedTuple

MODES = ("isolated", "chained")
NAMED = ", named in brackets where it is known"


class Verdict(NamedTuple):
    """One verdict word: its mark, its tone (good, bad or missing) and its meaning in a sentence."""

    mark: str
    tone: str
    meaning: str


CELLS = {
    "EXACT": Verdict("=", "good", "equal to the original, element for element"),
    "ROUNDING": Verdict(
        "✓", "good", "differs by no more than float32 rounding of the original's own formula"
    ),
    "INHERITED": Verdict(
        "↓", "bad", "differs, but only because its input does; the fault is in an earlier layer"
    ),
    "EXCESS ROUNDING": Verdict(
        "✗", "bad", "the original's formula, rounded more than float32 arithmetic needs to"
    ),
    "FORMULA": Verdict("✗", "bad", f"computes another formula than the original{NAMED}"),
    "GROSS": Verdict("✗", "bad", "differs by more than any number format's rounding could"),
    "ORACLE-SUSPECT": Verdict(
        "!",
        "missing",
        "the float64 oracle does not explain the original, so the port is not judged",
    ),
    "INCOMPARABLE": Verdict(
        "!", "bad", "shape, dtype, NaN or input differ, so there is nothing to measure"
    ),
    "NOT COMPARED": Verdict("∅", "missing", "was not compared; it counts as a failure"),
}
MODELS = {
    "HOLDS": Verdict(
        "✓", "good", "every layer is equal to the original or differs by rounding alone"
    ),
    "DRIFTS": Verdict("✗", "bad", "at least one layer differs by more than rounding"),
    "INCOMPLETE": Verdict("∅", "missing", "not every layer was compared, so nothing is proved"),
}


def describe(word):
    """The Verdict of a word as parity.json writes it, `FORMULA(name)` included. Raises KeyError on
    another word.
    """
    return (CELLS | MODELS)[word.partition("(")[0]]


def meaning(word):
    """What a word of parity.json says of its layer; of a formula only that it is another, as its
    name stands in the word.
    """
    return describe(word).meaning.removesuffix(NAMED)


def passes(word):
    """True for the words that let a run hold."""
    return describe(word).tone == "good"
