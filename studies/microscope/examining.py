"""The three drifts this project is for, under the microscope: GRU, batch normalisation,
convolution.

`quick` is what every run can afford (below a second for a model); `examine` is everything, for one
model; `examine_all` makes the document that `parity microscope` writes.
"""

from contextlib import closing
from functools import partial

from parity.compare.walk import network_order
from parity.document import now
from parity.errors import CannotRun
from parity.kinds.convolution import CONVOLUTION
from parity.kinds.normalization import BATCH_NORMALIZATION
from parity.kinds.recurrent import GRU
from parity.port_api import ask, output
from parity.ports import OURS, load
from parity.ports.callables import Replaced
from parity.provenance import environment, threads_per_worker
from parity.recording import recordings, stacks
from parity.recording.clips import read_clips
from parity.recording.trace import open_trace
from parity.studies.microscope import batch_normalization, convolution, gru, stock, training
from parity.workers import side_by_side

FORMAT = 1
TRAINED = ("keras106", "keras110")  # stacks whose train phase is looked into


def quick(reference, params, port):
    """{"gru": {layer: ...}, "convolution": {layer: asymmetry}, "messages": {layer: a flip could
    not be seen here}}.

    Per-step drift of the GRUs' states, saturation, how far each kernel is from symmetric and which
    of them are.

    reference: the open trace; params: layer -> {suffix: array}; port: only its GRUs are
    run. One that raises, or gives another shape, leaves {"message": why} in its place.
    """
    layers = [reference.layers[name] for name in network_order(reference)]
    kernels = {
        layer.name: convolution.asymmetry(params[layer.name]["W"])
        for layer in layers
        if layer.kind == CONVOLUTION.keras_class
    }
    said = {
        layer.name: convolution.symmetric(layer, kernels[layer.name])
        for layer in layers
        if layer.name in kernels
    }
    return {
        "gru": {
            layer.name: _quick_gru(layer, params[layer.name], *_recorded(reference, layer), port)
            for layer in layers
            if layer.kind == GRU.keras_class and layer.name in port.layers
        },
        "convolution": kernels,
        "messages": {name: text for name, text in said.items() if text},
    }


def _quick_gru(layer, params, given, expected, port):
    run = partial(port.run, layer.name)
    states = ask(f"the port's {layer.name}", lambda x: gru.states(layer, run, x), given)
    if states.fault:
        return {"message": states.fault}
    try:
        return gru.examine(layer, params, given, expected, {"state": states.actual})
    except CannotRun as why:
        return {"message": str(why)}


def examine(case, trace, tick=None, port=OURS):
    """Everything about one model's layers: {name, data, gru, batch_normalization, convolution,
    clean, worth}.

    case: cases.Case; trace: path of its reference trace; tick: called with what is being done and
    how far it is, in [0, 1];
    port: "module:function" as `parity run` takes it. Gates, and a batch's statistics as they are
    computed, are shown by our own
    port only. clean: the port's own chain from the original's input on, what `worth` is to be held
    against.
    Raises CannotRun for an unreadable trace or weight file, and for a port that lacks a layer,
    raises or gives another shape.
    """
    from parity.port import inside
    from parity.port import stock as port_stock

    tick = tick or (lambda stage, share: None)

    asked = case.model.name, case.weights, stacks.STACKS[case.model.stack].keras
    replacements, params, found = (
        port_stock.replacements(*asked),
        case.weights.params,
        {"name": case.model.name, "data": case.data},
    )
    insides = inside.insides(*asked) if port == OURS else {}
    with open_trace(trace) as reference:
        layers = [reference.layers[name] for name in network_order(reference)]
        checked = _Checked(load(port, case), reference)
        for kind, (part, look) in PARTS.items():
            tick(part, 0.0)
            found[part] = {
                layer.name: look(
                    layer,
                    params.get(layer.name, {}),
                    *_recorded(reference, layer),
                    partial(checked.run, layer.name),
                    insides.get(layer.name),
                    replacements,
                    asked[-1],
                )
                for layer in layers
                if layer.kind == kind
            }
        return found | _worth(reference, checked, replacements, case.model.tags, tick)


class _Checked(Replaced):
    """A port of which every fault, and every other shape than the original's, is a CannotRun."""

    def __init__(self, port, reference):
        super().__init__(port, {})
        self.reference = reference
        for name in network_order(reference):
            if name not in port.layers:
                raise CannotRun(
                    f"the port has no layer {name}; the microscope needs every layer of the "
                    "original"
                )

    def run(self, name, x):
        found, layer = output(self.port, name, x), self.reference.layers[name]
        recorded = self.reference.layers[layer.inbound[0]].shape
        if x.shape == recorded and found.shape != layer.shape:
            raise CannotRun(
                f"the port's {name} gives {found.shape} instead of {layer.shape}; "
                "`parity run` says more of it"
            )
        return found


def _recorded(reference, layer):
    return reference.read(layer.inbound[0]), reference.read(layer.name)


def _unflipped(layer, given, replacements):
    return replacements["unflipped kernel"][layer.name](given)


# Keras class -> (part of the document, what looks at such a layer)
PARTS = {
    GRU.keras_class: (
        "gru",
        lambda layer, params, given, expected, step, inside, stock, keras: (
            gru.examine(
                layer, params, given, expected, inside(given), lambda before: inside(given, before)
            )
            if inside
            else gru.examine(
                layer, params, given, expected, {"state": gru.states(layer, step, given)}
            )
        ),
    ),
    BATCH_NORMALIZATION.keras_class: (
        "batch_normalization",
        lambda layer, params, given, expected, step, inside, stock, keras: (
            batch_normalization.examine(layer, params, given, expected, step(given), keras, inside)
        ),
    ),
    CONVOLUTION.keras_class: (
        "convolution",
        lambda layer, params, given, expected, step, inside, stock, keras: convolution.examine(
            layer, params, given, expected, step(given), keras, _unflipped(layer, given, stock)
        ),
    ),
}


def _worth(reference, port, replacements, names, tick):
    order = network_order(reference)
    clean = stock.through(port, order, reference.read(reference.layers[order[0]].inbound[0]))
    everything, found = stock.trials(replacements), []
    for at, trial in enumerate(everything):
        tick(trial.label, at / len(everything))
        found.append(stock.worth(reference, port, trial, names))
    return {"clean": convolution.distance(clean, reference.read(order[-1])), "worth": found}


def train_phase(keras_stacks, progress=None):
    """training.examine for each stack (a name of stacks.STACKS), with the port and stock Chainer
    as sides: a list.
    """
    from parity.port import inside
    from parity.port import stock as port_stock

    given, found = training.batches(), []
    for name in keras_stacks:
        keras = stacks.STACKS[name].keras
        sides = {
            "port": inside.moving_averages(keras, given),
            "stock Chainer": port_stock.moving_averages(given),
            "stock Chainer, decay as Keras": port_stock.moving_averages(
                given, training.momentum(keras)
            ),
        }
        found.append(
            training.examine(keras, given, training.original(name, given, progress), sides)
        )
    return found


def examine_all(cases, *, port=OURS, workers=2, command="", progress=None):
    """The document of `parity microscope`: {format, data, created, command, environment, port,
    models, train_phase}.

    port: "module:function"; the train phase is our own port's alone. workers: recorders, and
    models, side by side.
    Raises CannotRun as `examine` does.
    """
    from parity.port.proof import VERSIONS

    traces = recordings.traces(
        {case: read_clips(case.clips).batch for case in cases},
        lanes=("reference",),
        workers=workers,
        progress=progress,
    )
    paths, workers = {case: traces[case]["reference"] for case in cases}, min(workers, len(cases))
    models = (
        _side_by_side(paths, port, workers, progress)
        if workers > 1
        else _one_by_one(paths, port, progress)
    )
    return {
        "format": FORMAT,
        "data": "seeded" if any(case.data == "seeded" for case in cases) else "real",
        "created": now(),
        "command": command,
        "environment": environment(threads_per_worker(workers), VERSIONS),
        "port": port,
        "models": models,
        "train_phase": train_phase(TRAINED, progress) if port == OURS else [],
    }


def _one_by_one(paths, port, progress):
    found = []
    for case, path in paths.items():
        name = case.model.name
        tick = progress and partial(progress.update, name)
        found.append(examine(case, path, tick, port))
        _say_done(case, progress)
    return found


def _side_by_side(paths, port, workers, progress):
    """Each model in a process of its own, in the order of `paths`."""
    jobs, found = {case: (case, path, None, port) for case, path in paths.items()}, {}
    with closing(side_by_side(examine, jobs, workers, "try --workers 1")) as done:
        for case, record in done:
            found[case] = record
            _say_done(case, progress)
    return [found[case] for case in paths]


def _say_done(case, progress):
    if progress:
        progress.done(case.model.name, "examined")
