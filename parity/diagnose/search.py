"""Tests every hypothesis about a layer that fails, and says which of them explain it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.compare.tally import Tally
from parity.compare.verdict import OPERANDS, Q_MOST, RHO_MOST
from parity.diagnose import failing
from parity.diagnose.formulas import Following, combined, groups, registered
from parity.diagnose.observability import form, undecidable
from parity.kinds import Formula
from parity.kinds.api import LayerCase
from parity.kinds.fitting import Proposal, Seen
from parity.numerics.regression import add_per_channel
from parity.numerics.rounding import Array, Where
from parity.numerics.witness import Adjusted, Witness, pieces
from parity.results import Cause, Estimate, Survivor

OPERAND_NAMES = tuple(
    f"rounded as if by operands of {bits}"
    for bits in ("11 bits (TF32 or float16)", "8 bits (bfloat16)")
)
POSITIONS_ENOUGH = 2**13  # per channel, to estimate theta and R2


@dataclass
class Explaining:
    """A hypothesis that explains an output."""

    name: str
    judge: Witness
    tally: Tally
    estimate: Estimate | None
    explains_any: bool

    def record(self, best: Explaining) -> Survivor:
        """What the report says of it, with its distance from the best one."""
        distance = 0.0 if self is best else _distance(self.judge, best.judge)
        return Survivor(self.name, self.tally.rho, self.tally.q, distance)


def cause(
    case: LayerCase,
    expected: Array | None,
    actual: Any,
    u_in: float | None = None,
    after: Iterable[Following] = (),
) -> Cause:
    """Why a layer that fails fails.

    Parameters
    ----------
    case : LayerCase, the layer on the original's input.
    expected : the original's output, float32; None where nobody wants to know what is undecidable.
    actual : the port's output on that input, of any shape, or the sentence it failed with.
    u_in : of the measures, where the verdict is EXCESS ROUNDING: it reads the operands' precision
        where no formula explains.
    after : the layers that follow this one, of which it may do some as well.

    Returns
    -------
    Cause
        hypothesis: None where no tested one explains the output, or where the layer's own formula
        does. survivors: best first, with the distance of `_distance`. undecidable: as of
        `undecidable`.
    """
    if isinstance(actual, str):  # there is no output: a hypothesis has no rho then
        names, tested = failing.explaining(case, actual)
        return Cause(next(iter(names), None), [*map(Survivor, names)], tested=tested)
    actual = np.asarray(actual)
    with np.errstate(all="ignore"):
        clean = explains(case.witness, actual)
        survivors, tested = ([], 0) if clean else _survivors(case, actual, after)
        found = Cause(
            None if clean else _operands(u_in),
            undecidable=[] if expected is None else [*undecidable(case, expected)],
            tested=tested,
            form=form(case, actual),
        )
        if survivors:
            best = survivors[0]
            found.hypothesis, found.estimate = best.name, best.estimate
            found.survivors = [each.record(best) for each in survivors]
            if best.judge.view == case.witness.view:
                found.theta, found.r2 = _effect(case.witness, best.judge, actual)
    return found


def _distance(judge: Witness, best: Witness) -> float:
    """Largest |o_h - o_best|/B_best over the rows that `explains` tries first: from 1 on, another
    input could tell the two apart.

    inf where nothing may round and something differs.
    """
    ratios = (best.block(where).ratio2(judge.block(where).o) for where in pieces(best))
    return float(np.sqrt(max(ratios, default=0.0)))


def _operands(u_in: float | None) -> str | None:
    """The operand precision that u_in reads, or None."""
    ranges = zip(OPERAND_NAMES, OPERANDS, strict=True)
    return next(
        (name for name, (low, high) in ranges if u_in is not None and low <= u_in <= high), None
    )


def _survivors(
    case: LayerCase, actual: Array, after: Iterable[Following]
) -> tuple[list[Explaining], int]:
    """([Explaining] best first, how many hypotheses were tested). Fits are asked when no other
    hypothesis explains the output.

    Where q is the same in two digits nothing tells two formulas apart, and they stay in the order
    of the tables.
    """
    seen = Seen(case, actual)
    found, tested = _all_that_explain(case, registered(case), actual)
    if not found:
        found, more = _all_that_explain(case, combined(case, after), actual)
        tested += more
    reshaped = actual.shape != case.witness.shape or not np.isfinite(actual).all()
    for group in groups(case.kind, reshaped):
        for proposal in () if found else [each for fit in group for each in fit(seen)]:
            tested += 1
            judge = _made(proposal).witness(case)
            _keep(found, proposal.name, judge, actual, *proposal[2:])
    _add_stated(seen, found)
    found.sort(key=lambda each: (each.explains_any, float(f"{each.tally.q:.2g}")))
    return found, tested


def _made(proposal: Proposal) -> Formula:
    return Formula(proposal.name, lambda case: proposal.made)


def _all_that_explain(
    case: LayerCase, formulas: dict[str, Formula], actual: Array
) -> tuple[list[Explaining], int]:
    tested, found = 0, list[Explaining]()
    for formula in formulas.values():
        judge = formula.witness(case)
        tested += judge is not None
        _keep(found, formula.name, judge, actual)
    return found, tested


def _keep(
    found: list[Explaining],
    name: str,
    judge: Witness | None,
    actual: Array,
    estimate: Estimate | None = None,
    explains_any: bool = False,
) -> None:
    tally = judge and explains(judge, actual)
    if judge and tally:
        found.append(Explaining(name, judge, tally, estimate, explains_any))


def explains(judge: Witness, actual: Array) -> Tally | None:
    """The Tally of an output that a hypothesis explains, else None. A few rows are tried first:
    one element refutes.
    """
    if actual.shape != judge.shape:
        return None
    values = np.ascontiguousarray(actual).reshape(judge.view)
    if not all(judge.block(where).holds(values[where]) for where in pieces(judge)):
        return None
    tally = Tally(judge, actual, structure=True)
    for where in judge.blocks():
        tally.add(judge.block(where))
        if not tally.worst2 <= RHO_MOST:
            return None
    if not (tally.q <= Q_MOST and tally.finite):
        return None
    structured = tally.regression and tally.regression.findings(tally.values)["structured"]
    return None if structured else tally


def _add_stated(seen: Seen, found: list[Explaining]) -> None:
    """Give survivors whose names state a constant the one that the output says."""
    wanting = {each.name: each for each in found if not each.estimate}
    if seen.case.kind.stated and wanting:
        for name, estimate in seen.case.kind.stated(seen, list(wanting)).items():
            wanting[name].estimate = estimate


def _effect(
    original: Witness, judge: Witness, actual: Array
) -> tuple[dict[str, float | None] | None, float | None]:
    """theta = sum w (p-o) d / sum w d^2 with d = o_h - o, w = 1/B^2, its error clustered by
    channel, and R2 with theta = 1.

    No Line of numerics.regression: one slope for the whole layer, through the origin.
    """
    values, channels = np.ascontiguousarray(actual).reshape(judge.view), judge.view[1]
    sums = with_d, d2, total, left = np.zeros((4, channels))
    for where in _some(original):
        block = original.block(where)
        w = 1.0 if block.bound2 is None else block.weights
        d, error = judge.value(where) - block.o, values[where] - block.o
        terms = (error * d, d * d, error * error, np.square(error - d))
        add_per_channel(sums, where[1], (w * term for term in terms))
    if not d2.sum() > 0:
        return None, None
    theta = with_d.sum() / d2.sum()
    se = np.sqrt(np.sum(np.square(with_d - theta * d2))) / d2.sum()
    return {"value": float(theta), "se": float(se)}, float(1 - left.sum() / total.sum())


def _some(original: Witness) -> Iterable[Where]:
    """Blocks of all channels with about POSITIONS_ENOUGH positions together: every n-th and the
    last.
    """
    wheres = list(Adjusted(original).blocks())
    every = max(1, original.view[0] * original.view[2] // POSITIONS_ENOUGH)
    return [wheres[at] for at in sorted({*range(0, len(wheres), every), len(wheres) - 1})]
