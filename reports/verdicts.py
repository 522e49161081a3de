"""The verdict words of parity.json: how each looks and what it says, never by colour alone."""

from typing import NamedTuple

from parity.reports import Record, probes

MODES = ("isolated", "chained")
RHO_MOST, Q_MOST = 1.0, 1.5  # up to here rounding explains a layer
NAMED = ", named in brackets where it is known"


class Verdict(NamedTuple):
    """A verdict word's mark, tone (good, bad, missing or handed) and meaning."""

    mark: str
    tone: str
    meaning: str


def _table(rows: str) -> dict[str, Verdict]:
    lines = (map(str.strip, row.split("|")) for row in rows.strip().splitlines())
    return {word: Verdict(mark, tone, meaning) for word, mark, tone, meaning in lines}


CELLS = _table(f"""
EXACT | = | good | equal to the original, element for element
ROUNDING | ✓ | good | differs by no more than float32 rounding of the original's own formula
ALLOWED TRANSFORM | ✓ | good | rounds as FFT or Winograd do, which was allowed by the layer's name
INHERITED | ↓ | handed | differs, but only because its input does; the fault is in an earlier layer
EXCESS ROUNDING | ✗ | bad | the original's formula, rounded more than float32 arithmetic needs to
MISBEHAVES | ✗ | bad | answers right, but changes its input or answers otherwise when asked again
FORMULA | ✗ | bad | computes another formula than the original{NAMED}
GROSS | ✗ | bad | differs by more than any number format's rounding could
ORACLE-SUSPECT | ! | missing | the oracle does not explain the original, so the port is not judged
INCOMPARABLE | ! | bad | shape, dtype, NaN or input differ, so there is nothing to measure
NOT COMPARED | ∅ | missing | was not compared; it counts as a failure
""")
PROBES = _table("""
ROUNDING (TRANSFORM) | ✗ | bad | rounds as a convolution by way of a transform does
NOT PROBED | ∅ | missing | was not asked; nothing is proved beyond the clips
""")
MODELS = _table("""
HOLDS | ✓ | good | every layer is equal to the original or differs by rounding alone
DRIFTS | ✗ | bad | at least one layer differs by more than rounding
INCOMPLETE | ∅ | missing | not every layer was compared, so nothing is proved
""")
ALL = CELLS | PROBES | MODELS


def bare(word: str) -> str:
    """A verdict without the name of its formula."""
    return word if word in PROBES else word.partition("(")[0]


def describe(word: str) -> Verdict:
    """The Verdict of a word as parity.json writes it, `FORMULA(name)` included."""
    return ALL[bare(word)]


def meaning(word: str) -> str:
    """What a word says of its layer; a formula's name stands in the word itself."""
    return describe(word).meaning.removesuffix(NAMED)


def passes(word: str) -> bool:
    """Whether a word lets a run hold."""
    return describe(word).tone == "good"


def fails(layer: Record) -> bool:
    """Whether a layer does not hold in some way by its own fault, and not by its input's alone."""
    words = [layer[mode]["verdict"] for mode in MODES]
    return probes.fails(layer) or any(not passes(word) and word != "INHERITED" for word in words)


def inherits(layer: Record) -> bool:
    """Whether a layer holds but for what an earlier one handed down."""
    return not fails(layer) and any(layer[mode]["verdict"] == "INHERITED" for mode in MODES)


def worst_word(layer: Record) -> str:
    """The gravest of a layer's verdicts."""
    words = [layer[mode]["verdict"] for mode in MODES]
    words += [probes.word(layer)] if probes.fails(layer) else []
    return str(max(words, key=gravity))


def gravity(word: str) -> int:
    """How grave a verdict is: its place among all."""
    return list(ALL).index(bare(word))


def cause_name(layer: Record) -> str:
    """The formula that the run named as the cause; empty where it named none."""
    return (layer["cause"] or {}).get("hypothesis") or ""
