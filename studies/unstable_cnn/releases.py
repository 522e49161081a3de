"""One weight file under every Keras release, live: what each makes of it, and the port, switched
to that release, proved against each.
"""

from contextlib import closing

import numpy as np

from parity.compare import verdict
from parity.compare.measure import measure
from parity.kinds import witness
from parity.ports import OURS, load
from parity.processes import side_by_side
from parity.proving import compare_case
from parity.recording import recordings, stacks
from parity.recording.trace import array_sha256, open_trace
from parity.studies.unstable_cnn import averages, cache, runs

LANE = "reference"  # without Theano's optimizer, as in a parity run
WORKERS = 2
MOST_VALUES = 256  # of each layer's output, to tell how far apart two releases are
MODES = ("isolated", "chained")
PASSING = {*verdict.HOLDS, verdict.INHERITED}


def under_all(case, batch, progress=None):
    """{stack name: record} of `case` on `batch` (B, 1, 96, 1366) float32, decibel, under every
    stack of stacks.STACKS.

    A record: {keras, worst: {mode: verdict}, rho: largest share of what rounding allows, within:
    whether no single element is beyond that in any layer that does not hold, at_fault: {layer that
    does not hold: whether only its elements can be judged}, scores: [[...]], port_to_original:
    largest difference of a score, nats: {layer: mean nats a value, as that release reads
    running_std}, values: {normalisation: some of its output}}. Raises CannotRun where an original
    cannot be run.
    """
    depends_on = [case.model.name, list(stacks.STACKS), case.weights.sha256, array_sha256(batch)]
    return cache.recalled("versions", depends_on, lambda: _run(case, batch, progress), __name__)


def _run(case, batch, progress):
    cases = {name: case._replace(model=case.model._replace(stack=name)) for name in stacks.STACKS}
    paths = recordings.traces(
        dict.fromkeys(cases.values(), batch), lanes=[LANE], workers=WORKERS, progress=progress
    )
    return _judge_all({name: (each, paths[each][LANE]) for name, each in cases.items()})


def _judge_all(traces):
    """{stack name: record} from {stack name: (case, path of its trace)}."""
    with closing(side_by_side(judged, traces, WORKERS)) as done:
        found = dict(done)
    return {name: found[name] for name in traces}


def judged(case, path, port=OURS):
    """The record of one release, from the trace at `path` and the port by its formulas."""
    # Verdicts on layers need neither the float64 lane nor the optimised one.
    lanes = dict.fromkeys(stacks.LANES, path)
    found = compare_case(case, lanes, load(port, case), explain=False)
    with open_trace(path) as trace:
        return {
            "keras": trace.provenance["keras"],
            **_verdicts(found),
            "at_fault": _at_fault(found.layers, case, trace),
            **_numbers(case, trace),
        }


def _failing(layer):
    return [cell for cell in layer.cells() if cell.verdict not in PASSING]


def _verdicts(found):
    scores, shares = found.scores, [layer.isolated.rho_port for layer in found.layers]
    return {
        "within": not any(cell.beyond for layer in found.layers for cell in _failing(layer)),
        "worst": {
            mode: verdict.worst([getattr(layer, mode).verdict for layer in found.layers])
            for mode in MODES
        },
        "rho": max((share for share in shares if share is not None), default=None),
        "port_to_original": scores and float(np.abs(scores["actual"] - scores["expected"]).max()),
    }


def _at_fault(layers, case, trace):
    """{layer: whether it can be judged there only element by element}, of the layers that do not
    hold by their own fault.

    What a layer's channels may share and how much it may round in all is calibrated on networks
    that read their statistics right. Values a hundred times as large, or nearly constant ones,
    leave those limits behind: then the original itself, in the port's place, is beyond them,
    though no element is, and nothing can be said of the port but that no element of it is either.
    """
    found = {}
    for record in layers:
        name, cells = record.name, _failing(record)
        if cells:
            within = all(
                cell.verdict in (verdict.FORMULA, verdict.EXCESS) and cell.beyond == 0
                for cell in cells
            )
            own = case.weights.params.get(name, {})
            found[name] = within and beyond_limits(_itself(trace.layers[name], trace, own))
    return found


def _itself(layer, trace, own):
    """The measures of the original in the port's place."""
    x, original = trace.read(layer.inbound[0]), trace.read(layer.name)
    return measure(original, original, witness(layer, own, x, trace.provenance["keras"]))


def beyond_limits(measures):
    """Whether a gain, an offset or a layer's rounding exceeds parity's limits."""
    shared = measures.structure
    beyond = shared and (
        abs(shared.gain) > shared.gain_limit or abs(shared.offset) > shared.offset_limit
    )
    return bool(beyond or measures.q_port > verdict.Q_MOST)


def _numbers(case, trace):
    remembered, keras = averages.of(case.weights), trace.provenance["keras"]
    nats, values = {}, {}
    for name, layer in trace.layers.items():
        if "running_mean" in case.weights.params.get(name, {}):
            values[name] = runs.thinned(trace.read(name), MOST_VALUES).ravel().tolist()
        if name in remembered:
            x, axis = trace.read(layer.inbound[0]), int(layer.config["axis"])
            mean, variance = runs.statistics(x, axis)
            within = averages.inside(name, len(mean))
            arriving = mean[within], variance[within]
            nats[name] = float(np.mean(averages.nats(arriving, remembered[name], keras)))
    return {"scores": trace.read(case.model.layers[-1]).tolist(), "nats": nats, "values": values}
