"""What a layer could not show on this input: hypotheses whose effect stays below rounding."""

import numpy as np

from parity.diagnose.formulas import anywhere, registered
from parity.kinds.api import LayerCase
from parity.numerics.rounding import Array
from parity.numerics.structure import Regression
from parity.numerics.witness import Block, Witness, pieces
from parity.results import Form, Undecidable

FEW = 2  # channels that settle most hypotheses about a clean layer


def undecidable(case: LayerCase, expected: Array) -> list[Undecidable]:
    """Which registered hypotheses this layer, on this input, could not show.

    D = max|o_h - o|/B: below 1, with no structure that the regression would see, h can be neither
    named nor refuted here. expected: the original's output, for its rounding errors.
    """
    found, settled = [], _decided_by_few(case)
    with np.errstate(all="ignore"):
        sampled = _sampled(case.witness)
        for name, formula in registered(case).items():
            judge = None if name in settled else formula.witness(case)
            distance = (
                _hidden(case.witness, judge, sampled, np.asarray(expected)) if judge else None
            )
            if distance is not None:
                found.append(Undecidable(name, distance))
    return found


def form(case: LayerCase, actual: Array) -> Form | None:
    """Which form of the layer's formula an output shows, where its kind can tell."""
    return case.kind.inspect(case, np.asarray(actual)) if case.kind.inspect else None


def _sampled(original: Witness) -> list[Block]:
    return [original.block(where).kept() for where in pieces(original, 96)]


def _decided_by_few(case: LayerCase) -> frozenset[str]:
    """Names of the hypotheses that a few channels alone can show, for kinds that treat each
    channel by itself.
    """
    along = case.config.get("axis", 1) == 1 and case.x.ndim == 4 and case.x.shape[1] > 2 * FEW
    along &= case.config.get("dim_ordering", "th") == "th"
    if not case.kind.channelwise or not along:
        return frozenset()
    few = case.channels(slice(0, FEW))
    # variants of parameters may take them from one channel to another
    formulas = anywhere() if case.kind.parameters else registered(few)
    with np.errstate(all="ignore"):
        sampled = _sampled(few.witness)
        judges = {name: formula.witness(few) for name, formula in formulas.items()}
        return frozenset(
            name for name, judge in judges.items() if judge and _shows(few.witness, judge, sampled)
        )


def _hidden(
    original: Witness, judge: Witness, sampled: list[Block], expected: Array
) -> float | None:
    """D where a hypothesis cannot be decided, else None. A lower bound of D on a few rows settles
    most of them.
    """
    if judge is original:
        return 0.0
    if _shows(original, judge, sampled):
        return None
    most = original.most_distance(judge)
    if most is not None and most < 1:
        return most
    return _whole_distance(original, judge, expected)


def _shows(original: Witness, judge: Witness, sampled: list[Block]) -> bool:
    """Whether D reaches 1 among the sampled values, or the shape tells."""
    if judge.shape != original.shape:
        return True
    return any(block.ratio2(judge.block(block.where).o) >= 1 for block in sampled)


def _whole_distance(original: Witness, judge: Witness, expected: Array) -> float | None:
    """D over the whole layer; None where it reaches 1 or the regression would see the difference
    through the rounding.
    """
    values, largest = expected.reshape(original.view), 0.0
    regression = Regression(original) if original.limits else None
    would_be = values.astype(np.float64)
    for where in original.blocks():
        block = original.block(where)
        other = judge.block(where).o
        largest = max(largest, block.ratio2(other))
        if not largest < 1:
            return None
        if regression:
            would_be[where] += other - block.o
            regression.add(block, would_be[where] - block.o)
    if regression and largest and regression.findings(would_be)["structured"]:
        return None
    return float(np.sqrt(largest))
