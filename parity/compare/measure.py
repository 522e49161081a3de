"""How far a port's layer lies from the original's, and from the float64 oracle of the original's
formula.

Everything is gathered in one pass over the oracle's blocks, so a layer costs a few cache-sized
arrays beside its inputs. Isolated: the port's layer was fed the original's input. Chained: the port
was fed its own output from the start, and is held to the oracle on that same input of its own: what
it adds itself is told from what it was handed.
"""

import itertools
import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from parity.compare import verdict
from parity.compare.evidence import Watch
from parity.compare.tally import Comparison, Tally, mismatch, pair_of
from parity.kinds import LayerCase
from parity.numerics.closeness import closeness
from parity.numerics.regression import per_channel
from parity.numerics.rounding import NOTHING, U
from parity.numerics.witness import Block, Witness
from parity.port_api import Answer
from parity.results import Cell, Chained, Closeness, Evidence, Isolated, Structure

EXCESS = 1.5  # q above this, or rho above 1, asks for the certain bound
NAN, INF = float("nan"), float("inf")
# what a cell says where the two outputs cannot be compared: figures NaN, so that no rule passes
UNMEASURED: dict[str, Any] = {
    **dict.fromkeys(("rho_port", "q_port", "rho_det", "effective_bits", "rms_error_port"), NAN),
    **dict.fromkeys(("max_abs", "rms", "bitwise_share", "beyond_share"), NAN),
    **dict.fromkeys(("exact", "bitwise_equal", "rho_det_exact", "structured"), False),
    **dict.fromkeys(("signed_zeros", "beyond"), 0),
}
C = TypeVar("C", bound=Cell)
Observer = Callable[[Witness, Block, np.ndarray], None]


class Compared(NamedTuple):
    """What was found of one layer; chained: None without a chain."""

    isolated: Isolated
    chained: Chained | None
    closeness: Closeness
    evidence: Evidence | None


def measure(actual: np.ndarray, expected: np.ndarray, judge: Witness) -> Isolated:
    """The isolated measures of one layer.

    Both outputs were computed in float32 from the input and weights that the witness was made with.
    """
    isolated = Comparison(judge, actual, expected)
    with np.errstate(all="ignore"):
        return _cell(Isolated, isolated, _gather(isolated))


def compare_layer(
    case: LayerCase,
    expected: np.ndarray,
    actual: np.ndarray | None,
    chained: Answer | None = None,
    observe: Observer | None = None,
    evidence: bool = False,
    proved: bool = False,
) -> Compared:
    """Compare one layer in both modes; the oracle on the original's input is computed once.

    case, expected: the layer on the original's input, and the original's output, both as recorded;
    actual: the port's output on that input; chained: what it gave for its own in the chain.
    observe: called with (witness, block, expected - o) for every block of the oracle on the
    original's input. evidence: gather it. proved: probes have shown the function. Raises CannotRun
    for what the oracle does not know.
    """
    regress = evidence or not proved
    isolated = Comparison(case.witness, actual, expected, proved, regress)
    own, fault = None, ""
    chained = chained if chained and chained.actual is not None else None
    if chained:
        pairs = list(zip(chained.inputs, (case.x, *case.more), strict=True))
        faults = (mismatch(np.asarray(own), np.asarray(original)) for own, original in pairs)
        fault = next(filter(None, faults), "")
        same = not fault and all(itertools.starmap(_same, pairs))
        if not (same and isolated.usable and _same(chained.actual, actual)):
            judge = case.witness
            if not same and not fault:
                beside = case.but(x=chained.x, more=chained.inputs[1:])
                judge = judge.near(beside) or beside.witness
            own = Comparison(judge, chained.actual, expected, proved, regress)
            own.usable &= not fault
    watch = Watch(isolated, own) if evidence and isolated.usable else None
    closer, in_chain = Closeness(), None
    with np.errstate(all="ignore"):  # NaN, inf and 0/0 are findings here, each reported
        reference = _gather(isolated, own, observe, watch)
        cell = _cell(Isolated, isolated, reference)
        if own:
            in_chain = _cell(Chained, own, reference)
        elif chained:  # the isolated comparison over again
            in_chain = Chained(**vars(cell))
            in_chain.local = isolated.pair.norm
        if in_chain and chained:
            _hand(in_chain, pairs, fault)
    if reference and isolated.usable and not cell.fault:
        closer = closeness(isolated.port.channels2, reference.channels2)
    return Compared(cell, in_chain, closer, watch.record() if watch else None)


def allow_transform(cell: Cell | None, said: Answer, case: LayerCase) -> None:
    """Measure an answer that does not hold against the bound of a transform, which the layer may be
    computed by.
    """
    if cell is None or said.actual is None or not case.kind.transform or cell.fault:
        return
    if not verdict.holds(verdict.judge(cell)):
        there = case.but(x=said.inputs[0], more=said.inputs[1:])
        o = there.value()
        room = case.kind.transform(there, False) + 2 * U * np.abs(o)  # the bias is added to it
        cell.rho_transform = float(np.max(np.abs(said.actual - o) / room))


def _same(one: Any, other: Any) -> bool:
    return one is other or np.array_equal(one, other)


def _gather(
    isolated: Comparison,
    chained: Comparison | None = None,
    observe: Observer | None = None,
    watch: Watch | None = None,
) -> Tally | None:
    """One pass over the blocks; returns the original's tally, None where the oracle's shape is
    another.
    """
    judge = isolated.judge
    if judge.shape != isolated.expected.shape:
        return None
    reference = isolated.port if isolated.copies else Tally(judge, isolated.expected)
    if watch:
        watch.start(reference)
    for where in judge.blocks():
        block = judge.block(where)
        error = reference.add(block)
        if observe:
            observe(judge, block, error)
        if isolated.copies:
            isolated.pair.add(where)
        elif isolated.usable:
            isolated.add(block)
        if chained and chained.usable:
            own = block if chained.judge is judge else chained.judge.beside(where, block)
            chained.split(own, block, error)
    return reference


def _cell(kind: type[C], comparison: Comparison, reference: Tally | None) -> C:
    """The measures of one comparison; reference: the original's tally, on its own input."""
    fault = comparison.fault
    if comparison.usable and reference:
        fault = comparison.not_finite(reference)
    common: dict[str, Any] = {"fault": fault, "message": fault or None, **_of_reference(reference)}
    if fault or not comparison.usable or not reference:
        return kind(**common, **UNMEASURED)
    port, pair = comparison.port, comparison.pair
    rho_det, u_in, certain = _certainty(comparison)
    # single elements may show that it is another formula, probes that it is none
    shown = port.rho > 1 and rho_det > 1 and not verdict.reduced_operands(u_in)
    structure = None
    if port.regression and not shown and not comparison.proved:
        structure = Structure(**port.regression.findings(port.values))
    at = port.worst
    return kind(
        **common,
        proved=comparison.proved,
        exact=pair.equal == pair.count or (comparison.judge.moves and port.worst2 == 0),
        rho_port=port.rho,
        q_port=port.q,
        rho_det=rho_det,
        rho_det_exact=certain,
        u_in=u_in,
        max_abs=float(pair.largest),
        rms=pair.rms,
        worst_index=at.index if at else None,
        worst_actual=at.value if at else None,
        worst_expected=float(comparison.expected[tuple(at.index)]) if at else None,
        worst_oracle=at.oracle if at else None,
        worst_allowed=at.allowed if at else None,
        bitwise_equal=pair.equal == pair.count,
        bitwise_share=pair.equal / pair.count,
        signed_zeros=pair.signed_zeros,
        beyond=port.support.beyond,
        beyond_share=port.beyond_share,
        effective_bits=_bits(port.errors2, reference.size2),
        rms_error_port=float(np.sqrt(port.errors2 / pair.count)),
        structured=bool(structure and structure.structured),
        structure=structure,
        support=port.support.findings(),
        inherited=float(np.sqrt(comparison.inherited2)),
        local=float(np.sqrt(comparison.local2)),
    )


def _of_reference(reference: Tally | None) -> dict[str, float]:
    if reference is None:  # the oracle's shape is not the original's: nothing is explained
        rho, q, beyond_share, rms = INF, INF, 1.0, NAN
    else:
        rho, q, beyond_share = reference.rho, reference.q, reference.beyond_share
        rms = float(np.sqrt(reference.errors2 / reference.count))
    return {
        "rho_reference": rho,
        "q_reference": q,
        "beyond_share_reference": beyond_share,
        "rms_error_reference": rms,
    }


def _bits(errors2: float, sizes2: float) -> float:
    """-log2(|error|/|value|): inf when there is no error."""
    return float(-0.5 * np.log2(np.float64(errors2) / sizes2)) if errors2 != 0 else INF


def _certainty(comparison: Comparison) -> tuple[float, float | None, bool]:
    """(rho_det, u_in, whether rho_det is exact). Clean sums get the upper bound that rho implies:
    no second pass for them.
    """
    port, judge = comparison.port, comparison.judge
    clean = port.rho <= 1 and port.q <= EXCESS
    if judge.certain_share is not None and clean:
        return port.rho * judge.certain_share, None, judge.certain_share == 1
    largest, operands2, total = 0.0, None, np.zeros(judge.view[1])
    for where in judge.blocks():
        block = judge.block(where)
        certain2, operands2 = judge.certain(block)
        error2 = np.square(np.subtract(port.values[where], block.o, dtype=np.float64))
        largest = max(largest, (error2 / (NOTHING if certain2 is None else certain2)).max())
        if operands2 is not None:
            total[where[1]] += per_channel(error2 / operands2)
    u_in = None
    if operands2 is not None:
        u_in = float(np.median(np.sqrt(total / (judge.view[0] * judge.view[2]))))
    return INF if largest > 1 / NOTHING**0.5 else float(np.sqrt(largest)), u_in, True


def _hand(cell: Chained, inputs: list[tuple[Any, np.ndarray]], fault: str) -> None:
    """Put into the cell what came in with the chain: how far its inputs are from the original's,
    how much of that came out, and why the input is unusable, if it is.
    """
    cell.rho_local, cell.input_fault, cell.input_drift = cell.rho_port, fault, NAN
    if fault:
        return
    drift = cell.input_drift = math.hypot(*(pair_of(own, theirs).norm for own, theirs in inputs))
    if not np.isfinite(drift):
        cell.input_fault = "its input holds NaN or infinite values"
    elif drift and cell.inherited is not None:
        cell.amplification = cell.inherited / drift
