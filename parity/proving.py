"""One case, layer by layer: walks the port along the recorded original and judges every cell."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from parity import diagnose
from parity.attribution.explain import Explanation, Logits
from parity.compare import verdict
from parity.compare.behaviour import meet
from parity.compare.measure import allow_transform, compare_layer
from parity.compare.walk import Step, is_chain, network_order, walk
from parity.kinds import EXPERIMENT, LayerCase, layer_case
from parity.kinds.api import Params
from parity.known import Known
from parity.model import Case
from parity.port_api import HABITS, UNSTEADY, Answer, Port, answer, lacking, same_bits, unsteady
from parity.recording.asking import Original, asking
from parity.recording.cache import default_folder
from parity.recording.trace import Trace, open_trace
from parity.results import (
    ALLOWED,
    Attribution,
    Cause,
    Chained,
    Ends,
    Final,
    Forms,
    Isolated,
    Layer,
    Microscope,
    OracleTruth,
    Probes,
    Shows,
    WholeCall,
)

FOLLOWING = 3  # layers that one before them may do as well: convolution, then these
LITTLE = 2.0**-8  # of an output's size: bfloat16's precision


EMPTY: Mapping[str, str] = MappingProxyType({})


class Found(NamedTuple):
    """What is found of one model. scores: {"expected", "actual"}, each (B, N), None where the port
    gave none; printed: by the port.
    """

    layers: list[Layer]
    first_divergence: str | None
    oracle_truth: OracleTruth
    final: Final
    attribution: Attribution | None
    scores: dict[str, np.ndarray] | None
    logits: Logits | None
    microscope: Microscope | None = None
    whole_call: WholeCall | None = None
    identity: Any = None
    remarks: tuple[str, ...] = ()
    probes: Probes | None = None
    printed: str = ""


def compare_case(
    case: Case,
    lanes: Mapping[str, Path],
    port: Port,
    *,
    layers: Iterable[str] | None = None,
    explain: bool = True,
    proved: Mapping[str, str] = EMPTY,
    original: Original | None = None,
) -> Found:
    """Compare every declared layer of `case`. Raises CannotRun for an unreadable trace.

    lanes : paths of the traces reference, truth and noise, or those that `known.traces` gives.
    layers : names to judge (the chain always runs whole); None means all. explain : attribute the
    final drift to the layers, which needs all of them, find what rounding may do to the tags, and
    the original's own noise. proved : {layer: verdict} where probes have shown the function; what
    clips could not is not listed then. original : it, open, to be asked; by default it is opened
    where need be.
    """
    with ExitStack() as opened:
        original = original or opened.enter_context(asking(case))
        traces = {
            lane: opened.enter_context(open_trace(path)).grouped(case.names)
            for lane, path in lanes.items()
        }
        traces["reference"].layers = original.answering(traces["reference"].layers)
        path = lanes["reference"]
        is_kept = path.parent == default_folder() and [*lanes.values()].count(path) == 1
        known = Known(case, path.stem if is_kept else None, traces)
        return compare(
            case, traces, port, layers=layers, explain=explain, proved=proved, known=known
        )


def compare(
    case: Case,
    traces: Mapping[str, Trace],
    port: Port,
    *,
    layers: Iterable[str] | None = None,
    explain: bool = True,
    proved: Mapping[str, str] = EMPTY,
    habits: Mapping[str, set[str]] | None = None,
    known: Known | None = None,
) -> Found:
    """The same on traces that are open, or stand in memory. habits : the port's, where they are
    known. known : of the original.
    """
    known = known or Known(case, None, traces)
    found = _Proof(traces["reference"], port, layers, explain, proved, known).run(habits)
    if layers is None:
        known.keep()
    return found


def first_divergence(records: Iterable[Layer]) -> str | None:
    """The first layer, in network order, which does not hold by its own fault; None where all
    do.
    """
    fine = {*verdict.HOLDS, verdict.INHERITED}
    return next((r.name for r in records for cell in r.cells() if cell.verdict not in fine), None)


class _Proof:
    """One case while it is compared."""

    def __init__(
        self,
        reference: Trace,
        port: Port,
        layers: Iterable[str] | None,
        explain: bool,
        proved: Mapping[str, str],
        known: Known,
    ) -> None:
        case, self.known, self.reference, self.port = known.case, known, reference, port
        self.params, self.keras = case.params, self.reference.provenance["keras"]
        self.explain, self.proved, self.oracle_truth = explain, proved, OracleTruth()
        self.lists = {
            "the original": network_order(self.reference),
            "the port": list(port.layers),
            "the declared list": list(case.model.layers),
        }
        # declared layers first, then what only the original or only the port has
        names = dict.fromkeys([*case.model.layers, *network_order(self.reference), *port.layers])
        self.records = {name: Layer(name) for name in names}
        self.asked = set(names if layers is None else layers)
        self.explanation, self.remarks, self.unmoved = None, list[str](), list[str]()
        if explain and layers is None and is_chain(self.reference):
            self.explanation = Explanation(
                self.reference, self.params, self.keras, port, known.rounding
            )
        self.upstream: str | None = None  # the first layer whose chained output is at fault

    def run(self, habits: Mapping[str, set[str]] | None = None) -> Found:
        if habits is None:
            habits = meet(self.port, self.reference.layers, self.proved)
        self.habits = habits
        for step in walk(self.reference, self.port):
            if step.layer.name in self.asked:
                self.judge(step)
                self.check_oracle(step)
        for name, record in self.records.items():
            self.flag_stranger(name, record)
        attribution, logits = self.attribute()
        chosen = [record for name, record in self.records.items() if name in self.asked]
        if self.unmoved:
            self.remarks.append(
                f"the statistics of {', '.join(self.unmoved)} are still the 0 and 1 they began "
                "with, so training never moved them, or these weights are another model's"
            )
        if self.reference.provenance.get("outputs", 1) > 1:
            self.remarks.append(
                "the model has several outputs: each layer is judged, and no call of the port as a "
                "whole, so that its layers read one another as Keras's do is not shown"
            )
        actual = step.chained.actual
        return Found(
            chosen,
            first_divergence(chosen),
            self.oracle_truth,
            self.final(step, attribution.ends if attribution else None),
            attribution,
            None if actual is None else {"expected": step.expected, "actual": actual},
            logits,
            remarks=tuple(self.remarks),
        )

    def judge(self, step: Step) -> None:
        """Fill a layer's record."""
        layer, name = step.layer, step.layer.name
        record = self.records[name]
        record.kind, record.shape, record.dtype = layer.kind, list(layer.shape), str(layer.dtype)
        carrier = self.explanation.carrier(step) if self.explanation else None
        case = layer_case(layer, self.params.get(name, {}), step.x, self.keras, step.inputs[1:])
        record.axes = list(case.kind.axes(layer.config, len(layer.shape)))
        record.bound = "experiment" if case.kind is EXPERIMENT else "derived"
        if case.kind.unmoved and case.kind.unmoved(case):
            self.unmoved.append(name)
        share = getattr(case.witness, "share", 0.0)
        if not share <= LITTLE:
            self.remarks.append(
                f"rounding alone may change what {name} ({layer.kind}) gives by {share:.1g} of its "
                "size, so that the port agrees there says little"
            )
        if caveat := case.kind.caveat(layer.config):
            self.remarks.append(f"{name} ({layer.kind}) {caveat}")
        proved = self.proved.get(name, ALLOWED) != ALLOWED
        found = compare_layer(
            case,
            step.expected,
            step.isolated.actual,
            step.chained,
            carrier.observe if carrier else None,
            self.explain,
            proved,
        )
        record.closer, record.evidence = found.closeness.closer, found.evidence
        record.closeness_bits = found.closeness.bits
        record.closeness_interval = found.closeness.interval
        if self.proved.get(name) == ALLOWED:
            for each, said in ((found.isolated, step.isolated), (found.chained, step.chained)):
                allow_transform(each, said, case)
        record.isolated = _judged(found.isolated, step.isolated, None) or Isolated()
        record.chained = _judged(found.chained, step.chained, self.upstream) or Chained()
        for cell, side in zip(record.cells(), (step.isolated, step.chained), strict=True):
            cell.message = side.fault if side.actual is None else cell.message
        self.note_habits(record, step)
        self.name_cause(record, step, case)
        if self.explanation and carrier:
            excess = record.isolated.verdict in (verdict.EXCESS, ALLOWED)
            scale = found.isolated.q_port if excess else None
            self.explanation.follow(step, carrier, scale or 1.0)
        noise = self.known.noise(name, step.expected) if self.explain or self.known.keeps else None
        if self.explain and noise:
            record.chained.noise_max_abs, record.chained.noise_rms = noise
        if not verdict.holds(record.chained.verdict):
            self.upstream = self.upstream or name

    def note_habits(self, record: Layer, step: Step) -> None:
        """Say what the layer does beside answering; a failing one is asked once more."""
        name, cell, said = record.name, record.isolated, step.isolated
        habits = self.habits.get(name, set()) | said.habits | step.chained.habits
        fails = said.actual is not None and not verdict.holds(cell.verdict)
        if fails and not habits & UNSTEADY:
            again = answer(self.port, name, *step.inputs)
            if not same_bits(again.actual, said.actual):
                habits |= {unsteady(self.port, name, *step.inputs)}
        record.habits = [Shows(key, *HABITS[key]) for key in HABITS if key in habits]
        faults = "; ".join(f"it {habit.text}" for habit in record.habits if habit.fault)
        if faults:
            cell.message = "; ".join(filter(None, (faults, cell.message)))
            if verdict.holds(cell.verdict):
                cell.verdict = verdict.MISBEHAVES

    def name_cause(self, record: Layer, step: Step, case: LayerCase) -> None:
        """Test the hypotheses about a layer that does not hold, or whose original is not explained;
        of one that holds, list what it could not have shown.
        """
        actual, cell = step.isolated.actual, record.isolated

        def cause(actual: Any, u_in: float | None = None) -> Cause:
            return diagnose.cause(
                case, step.expected, actual, u_in, self.following(step.layer.name)
            )

        if other := [each.text for each in record.habits if each.habit in UNSTEADY]:
            record.cause = Cause(other[0])  # no formula has to explain what does not stay
            return
        if actual is None:
            found = cause(step.isolated.fault)
            record.cause = found if found.hypothesis else None
            return
        forms = Forms(*(diagnose.form(case, y) for y in (actual, step.expected)))
        record.form = forms if forms != Forms() else None
        if cell.verdict == verdict.SUSPECT:
            # until the original is what its oracle says, nothing can be said of the port
            found = record.original_cause = cause(step.expected)
            if found.hypothesis:
                cell.message = f"the original's own output is explained by: {found.hypothesis}"
        elif not verdict.holds(cell.verdict):
            found = record.cause = cause(
                actual, cell.u_in if cell.verdict == verdict.EXCESS else None
            )
            for each in record.cells():
                if each.verdict in (verdict.FORMULA, verdict.GROSS) and found.survivors:
                    each.verdict = f"FORMULA({found.hypothesis})"
        elif self.explanation and record.name not in self.proved:
            record.undecidable = [*diagnose.undecidable(case, step.expected)]

    def following(self, name: str) -> Iterator[tuple[Any, Params]]:
        """The layers that alone read a layer, and one after the other, with their parameters; as
        far as outputs keep the shape.
        """
        shape = self.reference.layers[name].shape
        for _ in range(FOLLOWING):
            readers = [each for each in self.reference.layers.values() if name in each.inbound]
            alone = len(readers) == 1 and len(readers[0].inbound) == 1
            if not alone or readers[0].shape != shape:
                return
            name = readers[0].name
            yield readers[0], self.params.get(name, {})

    def check_oracle(self, step: Step) -> None:
        """Keep the layer at which the oracle agrees least with the original in float64."""
        ratio = self.known.agreement(step.layer)
        if not ratio <= (self.oracle_truth.ratio or 0.0):
            self.oracle_truth = OracleTruth(step.layer.name, ratio)

    def flag_stranger(self, name: str, record: Layer) -> None:
        """Say why a layer that not all three lists have was not compared."""
        who = [each for each, names in self.lists.items() if name not in names]
        if who:
            have = "has" if len(who) == 1 else "have"
            for cell in record.cells():
                cell.verdict = verdict.NOT_COMPARED
                cell.message = f"{' and '.join(who)} {have} no layer {name}"
            if who == ["the port"]:
                record.isolated.message = record.chained.message = lacking(self.port, name)

    def attribute(self) -> tuple[Attribution | None, Logits | None]:
        """Put each layer's share of the final drift into its record; returns what the model's
        record says of it, and the logits.
        """
        if self.explanation is None:
            return None, None
        found = self.explanation.findings()
        for name, part in found.layers.items():
            self.records[name].chained.share, self.records[name].chained.energy = part
        for name, rms in found.rounding.items():
            self.records[name].chained.rounding_rms = rms
        return found.attribution, found.logits

    def final(self, step: Step, ends: Ends | None) -> Final:
        """Largest differences of the final scores.

        allowed: None where it was not found out. Two float32 runs of an original are no measure of
        that: which of their few large errors is the largest is a matter of luck. With the BLAS
        kernels of several processors the port comes to 0.3 to 2.7 times the farther of them, and to
        the same 0.4 to 0.7 standard deviations.
        """
        actual, name = step.chained.actual, step.layer.name
        scores = {lane: self.known.scores(lane, name) for lane in ("truth", "noise")}
        scores["reference"] = step.expected.astype(np.float64)
        if actual is not None and actual.shape == step.expected.shape:
            scores["port"] = actual.astype(np.float64)

        def apart(one: str, other: str) -> float | None:
            return float(np.abs(scores[one] - scores[other]).max()) if one in scores else None

        return Final(
            apart("port", "reference"),
            apart("noise", "reference"),
            apart("port", "truth"),
            apart("reference", "truth"),
            apart("noise", "truth"),
            ends.allowed if ends else None,
            bool(np.isfinite(scores.get("port", np.nan)).all()) and (not ends or ends.holds),
        )


def _judged(cell: Any, side: Answer, upstream: str | None) -> Any:
    """The measured cell with its verdict; None where the port gave nothing."""
    if side.actual is None:
        return None
    cell.verdict = verdict.judge(cell, upstream_holds=upstream is None)
    if cell.verdict == verdict.INHERITED:
        cell.message = f"its input differs since {upstream}"
    return cell
