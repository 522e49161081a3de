"""Any model's port, each of its layers computed as its kind knows that ports get it wrong.

The formula itself answers in the layer's place, rounded once to the original's dtype; all other
layers are the port's own, which has to hold.
"""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np

from parity.compare import verdict
from parity.compare.measure import measure
from parity.compare.tally import Tally
from parity.compare.walk import ISOLATED, Step, walk
from parity.diagnose import cause
from parity.diagnose.formulas import registered
from parity.errors import CannotRun
from parity.faults.trial import (
    SEED,
    UNASKED,
    Found,
    Named,
    Trial,
    Way,
    named,
)
from parity.kinds import Formula, LayerCase, layer_case
from parity.model import Case
from parity.numerics.witness import Witness
from parity.port_api import Port
from parity.ports.callables import Replaced
from parity.probes.asking import RIGHT, probe_layer
from parity.probes.naming import settle
from parity.probes.networks import asked, without_clips
from parity.results import NOT_PROBED

__all__ = ["trials"]


def trials(
    case: Case, trace: Any, port: Port, layers: Collection[str] | None, ids: Collection[str]
) -> Iterator[tuple[str, Trial | None]]:
    """(id, record) of every fault of a model's layers, None of one that is not asked for, does not
    apply or changes no bit.

    trace : the open reference trace, or what stands in for one; layers, ids : None or none for all.
    Raises CannotRun for a port that does not hold.
    """
    shapes, keras = without_clips(trace.layers), trace.provenance["keras"]
    for step in walk(trace, port, (ISOLATED,)):
        name = step.layer.name
        if layers is not None and name not in layers:
            continue
        params = case.params.get(name, {})
        own = layer_case(step.layer, params, step.x, keras, step.inputs[1:])
        _check(case, own, step)
        blank = asked(case, shapes, name, keras)
        for fault, formula in registered(own).items():
            called = f"{case.model.name}-{name}: {fault}"
            is_asked = not ids or called in ids
            found = _tried(called, own, blank, formula, step, port) if is_asked else None
            if found:
                found.model = case.model.name
            yield called, found


def _check(case: Case, own: LayerCase, step: Step) -> None:
    if step.isolated.actual is None:
        word, why = verdict.NOT_COMPARED, step.isolated.fault
    else:
        measures = measure(step.isolated.actual, step.expected, own.witness)
        word, why = verdict.judge(measures), measures.message
    if not verdict.holds(word):
        raise CannotRun(
            f"{case.model.name} {step.layer.name}: the port is {word} with no fault planted "
            f"({why}); faults can be tried on a port that holds, so run `parity run` first"
        )


def _tried(
    id: str, own: LayerCase, blank: LayerCase, formula: Formula, step: Step, port: Port
) -> Trial | None:
    """None where the formula does not apply, or is the layer's own to the last bit."""
    name, planted = step.layer.name, formula.witness(own)
    if planted is None:
        return None
    actual = _rounded(planted, step.expected.dtype)
    if np.array_equal(actual, _rounded(own.witness, step.expected.dtype), equal_nan=True):
        return None
    measures = measure(actual, step.expected, own.witness)
    word = verdict.judge(measures)
    found = Trial(
        id, "", name, word, None, None, measures.message, [name],
        kind="code path", expected_cause=formula.name, apart=UNASKED,
    )  # fmt: skip
    if not verdict.holds(word):
        said = cause(own, step.expected, actual)
        names = [each if isinstance(each, str) else each.name for each in said.survivors]
        found.cause = Named(said.hypothesis, names, said.estimate)

    def step_of(x: np.ndarray, *more: np.ndarray) -> np.ndarray:
        there = formula.witness(blank.but(x=x, more=more))
        if there is None:
            raise CannotRun(f"{formula.name} does not apply there")
        return _rounded(there, step.expected.dtype)

    broken = Replaced(port, {name: step_of})
    probed = probe_layer(broken, blank, np.random.default_rng(SEED))
    told = settle(blank, probed, guess=not found.cause)
    found.probed = [Found(name, told.verdict, told.message, told.cause, told.form, told.place)]
    seen = [told.cause, told.form]
    by_clips, by_probes = not verdict.holds(word), told.verdict not in {*RIGHT, NOT_PROBED}
    ways: dict[Way, bool] = {"isolated": by_clips, "probed": by_probes}
    found.ways = [way for way, caught in ways.items() if caught]
    found.caught = found.located = bool(found.ways)
    found.located_layer = name if found.caught else None
    found.named = named(formula.name, found.cause) or formula.name in seen
    if not found.caught:
        found.observability = _observability(own.witness, planted)
        found.undecidable = bool((found.observability or 0) < 1)
        found.why = "rounding may hide it, at this input and at every probe"
    return found


def _rounded(found: Witness, dtype: np.dtype) -> np.ndarray:
    out = np.empty(found.view)
    for where in found.blocks():
        out[where] = found.value(where)
    with np.errstate(all="ignore"):
        return out.reshape(found.shape).astype(dtype)


def _observability(own: Witness, planted: Witness) -> float:
    """max|o_fault - o|/B."""
    tally = Tally(own, _rounded(planted, np.dtype("f8")))
    for where in own.blocks():
        tally.add(own.block(where))
    return tally.rho
