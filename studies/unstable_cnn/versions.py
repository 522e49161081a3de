"""One weight file under every Keras release, live: what each makes of it, and the port, switched
to that release, proved against each.
"""

from collections import Counter
from contextlib import closing

import numpy as np

from parity.compare import verdict
from parity.compare.case import compare_case
from parity.compare.measure import measure
from parity.kinds import witness
from parity.kinds.normalization import BATCH_NORMALIZATION
from parity.ports import OURS, load
from parity.recording import recordings, stacks
from parity.recording.job import Job
from parity.recording.trace import array_sha256, open_trace
from parity.studies.unstable_cnn import kept, runs, stored
from parity.workers import side_by_side

LANE = "reference"  # without Theano's optimizer, as in a parity run
WORKERS = 2
MOST_VALUES = 256  # of each layer's output, to tell how far apart two releases are
MODES = ("isolated", "chained")
PASSING = {*verdict.HOLDS, verdict.INHERITED}


def under_all(case, batch, progress=None):
    """{stack name: record} of `case` on `batch` (B, 1, 96, 1366) float32, decibel, under every
    stack of stacks.STACKS.

    A record: {keras, verdicts: {mode: {verdict: layers}}, worst: {mode: verdict}, rho: largest
    share of what rounding allows,
    within: whether no single element is beyond that in any layer that does not hold,
    first_divergence, at_fault: {layer that does not
    hold: whether only its elements can be judged}, scores: [[...]], port_to_original: largest
    difference of a score, nats: {layer: mean nats a value, as that release reads running_std},
    values: {normalisation: some of its output}}. Raises CannotRun where an original cannot be run.
    """
    depends_on = [
        case.model.name,
        list(stacks.STACKS),
        case.weights.sha256,
        array_sha256(batch),
    ]
    return kept.recalled("versions", depends_on, lambda: _run(case, batch, progress), __name__)


def _run(case, batch, progress):
    jobs = {
        name: Job.of(case.model.name, name, LANE, case.weights, batch) for name in stacks.STACKS
    }
    paths = recordings.record(jobs.values(), workers=WORKERS, progress=progress)
    return _judge_all({name: (_on(case, name), paths[job.key]) for name, job in jobs.items()})


def _on(case, stack):
    return case._replace(model=case.model._replace(stack=stack))


def _judge_all(traces):
    """{stack name: record} from {stack name: (case, path of its trace)}, WORKERS side by side."""
    with closing(side_by_side(judged, traces, WORKERS)) as done:
        found = dict(done)
    return {name: found[name] for name in traces}


def judged(case, path, port=OURS):
    """The record of one release: the trace at `path` of the original, and the port by that
    release's formulas.
    """
    lanes = dict.fromkeys(
        stacks.LANES, path
    )  # verdicts on layers need neither the float64 lane nor the optimised one
    found = compare_case(case, lanes, load(port, case), explain=False)
    with open_trace(path) as trace:
        return {
            "keras": trace.provenance["keras"],
            **_verdicts(found),
            "at_fault": _at_fault(found.layers, case, trace),
            **_numbers(case, trace),
        }


def _verdicts(found):
    scores, rhos = found.scores, [layer.isolated.rho_port for layer in found.layers]
    words = {mode: [getattr(layer, mode).verdict for layer in found.layers] for mode in MODES}
    failing = [
        cell for layer in found.layers for cell in layer.cells() if cell.verdict not in PASSING
    ]
    return {
        "verdicts": {mode: dict(Counter(of)) for mode, of in words.items()},
        "within": not any(cell.beyond for cell in failing),
        "worst": {mode: verdict.worst(of) for mode, of in words.items()},
        "rho": max((rho for rho in rhos if rho is not None), default=None),
        "first_divergence": found.first_divergence,
        "port_to_original": None
        if scores is None
        else float(np.abs(scores["actual"] - scores["expected"]).max()),
    }


def _at_fault(layers, case, trace):
    """{layer: whether it can be judged there only element by element}, of the layers that do not
    hold by their own fault.

    What a layer's channels may share and how much it may round in all is calibrated on networks
    that read their statistics right. Values a hundred times as large, or nearly constant ones,
    leave those limits behind: then the original itself, in the port's place, is beyond them,
    though no element is, and nothing can be said of the port but that no element of it is either.
    """
    params, keras, found = case.weights.params, trace.provenance["keras"], {}
    for record in layers:
        name = record.name
        cells = [cell for cell in record.cells() if cell.verdict not in PASSING]
        if cells:
            within = all(
                cell.verdict in (verdict.FORMULA, verdict.EXCESS) and cell.beyond == 0
                for cell in cells
            )
            found[name] = within and beyond_limits(
                _itself(trace.layers[name], trace, params.get(name, {}), keras)
            )
    return found


def _itself(layer, trace, own, keras):
    """The measures of the original in the port's place."""
    x, original = trace.read(layer.inbound[0]), trace.read(layer.name)
    return measure(original, original, witness(layer, own, x, keras))


def beyond_limits(measures):
    """Whether a channel's gain or offset, or the rounding of a whole layer, is larger than
    parity's rules allow, however sure.
    """
    shared = measures.structure
    beyond = shared and (
        abs(shared.gain) > shared.gain_limit or abs(shared.offset) > shared.offset_limit
    )
    return bool(beyond or measures.q_port > verdict.Q_MOST)


def _numbers(case, trace):
    remembered, keras = stored.stored(case.weights), trace.provenance["keras"]
    nats, values = {}, {}
    for name, layer in trace.layers.items():
        if layer.kind == BATCH_NORMALIZATION.keras_class:
            values[name] = runs.thinned(trace.read(name), MOST_VALUES).ravel().tolist()
        if name in remembered:
            mean, variance = runs.statistics(
                trace.read(layer.inbound[0]), int(layer.config["axis"])
            )
            within = stored.inside(name, len(mean))
            nats[name] = float(
                np.mean(stored.nats((mean[within], variance[within]), remembered[name], keras))
            )
    return {"scores": trace.read(case.model.layers[-1]).tolist(), "nats": nats, "values": values}
