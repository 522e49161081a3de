"""The three drifts this project is for, under the microscope: GRU, batch normalisation, convolution.

`quick` is what every run can afford (below a second for a model); `examine` is everything, for one model; `examine_all`
makes the document that `parity microscope` writes.
"""

import time

from parity import stacks
from parity.clips import read_clips
from parity.errors import CannotRun
from parity.microscope import batch_normalization, convolution, gru, stock, training
from parity.params import read_params
from parity.trace import open_trace
from parity.walk import network_order

FORMAT = 1


def quick(reference, params, steps):
    """{"gru": {layer: ...}, "convolution": {layer: asymmetry}}: per-step drift of the GRUs' states, saturation, kernel asymmetry.

    reference: the open trace; params: layer -> {suffix: array}; steps: any port, only its GRU steps are called. A GRU step
    that raises, or gives another shape, leaves {"message": why} in its place.
    """
    layers = [reference.layers[name] for name in network_order(reference)]
    return {"gru": {layer.name: _quick_gru(layer, params[layer.name], *_recorded(reference, layer), steps[layer.name])
                    for layer in layers if layer.kind == "GRU" and layer.name in steps},
            "convolution": {layer.name: convolution.asymmetry(params[layer.name]["W"])
                            for layer in layers if layer.kind == "Convolution2D"}}


def _quick_gru(layer, params, given, expected, step):
    try:
        states = gru.states(layer, step, given)
    except Exception as error:  # whatever a port raises here, the run's own cells report it too
        return {"message": f"the port's {layer.name} raised {type(error).__name__}: {error}"}
    try:
        return gru.examine(layer, params, given, expected, {"state": states})
    except CannotRun as why:
        return {"message": str(why)}


def examine(case, trace, tick=lambda stage, share: None):
    """Everything about one model's layers: {name, data, gru, batch_normalization, convolution, clean, worth, seconds}.

    case: cases.Case; trace: path of its reference trace; tick: called with what is being done and how far it is, in [0, 1].
    clean: the port's own chain from the original's input on, what `worth` is to be held against; seconds: by part.
    Raises CannotRun for an unreadable trace or weight file.
    """
    from port import inside, proof
    from port import stock as port_stock
    from port.models import MODELS

    asked = case.model.name, case.weights, stacks.STACKS[case.model.stack].keras
    steps, insides, replacements = proof.steps(*asked), inside.insides(*asked), port_stock.replacements(*asked)
    params, seconds = read_params(case.weights), {}
    with open_trace(trace) as reference:
        layers = [reference.layers[name] for name in network_order(reference)]
        found = {"name": case.model.name, "data": case.data}
        for kind, (part, look) in PARTS.items():
            started_s = time.perf_counter()
            tick(part, 0.0)
            found[part] = {layer.name: look(layer, params.get(layer.name, {}), *_recorded(reference, layer), steps[layer.name],
                                            insides.get(layer.name), replacements, asked[-1])
                           for layer in layers if layer.kind == kind}
            seconds[part] = time.perf_counter() - started_s
        started_s = time.perf_counter()
        found |= _worth(reference, steps, replacements, MODELS[case.model.name].tags, tick)
    return {**found, "seconds": {**seconds, "worth": time.perf_counter() - started_s}}


def _recorded(reference, layer):
    return reference.read(layer.inbound[0]), reference.read(layer.name)


def _unflipped(layer, given, replacements):
    return replacements["unflipped kernel"][layer.name](given)


# Keras class -> (part of the document, what looks at such a layer)
PARTS = {
    "GRU": ("gru", lambda layer, params, given, expected, step, inside, stock, keras:
            gru.examine(layer, params, given, expected, inside(given), lambda before: inside(given, before))),
    "BatchNormalization": ("batch_normalization", lambda layer, params, given, expected, step, inside, stock, keras:
                           batch_normalization.examine(layer, params, given, expected, step(given), keras, inside)),
    "Convolution2D": ("convolution", lambda layer, params, given, expected, step, inside, stock, keras:
                      convolution.examine(layer, params, given, expected, step(given), keras, _unflipped(layer, given, stock))),
}


def _worth(reference, steps, replacements, names, tick):
    order = network_order(reference)
    clean = stock.through(steps, order, reference.read(reference.layers[order[0]].inbound[0]))
    everything, found = stock.trials(replacements), []
    for at, trial in enumerate(everything):
        tick(trial.label, at / len(everything))
        found.append(stock.worth(reference, steps, trial, names))
    return {"clean": convolution.distance(clean, reference.read(order[-1])), "worth": found}


def train_phase(keras_stacks, progress=None):
    """training.examine for each stack (a name of stacks.STACKS), with the port and stock Chainer as sides: a list."""
    from port import inside
    from port import stock as port_stock

    given, found = training.batches(), []
    for name in keras_stacks:
        keras = stacks.STACKS[name].keras
        sides = {"port": inside.moving_averages(keras, given), "stock Chainer": port_stock.moving_averages(given),
                 "stock Chainer, decay as Keras": port_stock.moving_averages(given, training.momentum(keras))}
        found.append(training.examine(keras, given, training.original(name, given, progress), sides))
    return found


def examine_all(cases, *, command="", progress=None):
    """The document of `parity microscope`: {format, command, models, train_phase}. Raises CannotRun as `examine` does."""
    traces = stacks.traces({case: read_clips(case.clips).batch for case in cases}, lanes=("reference",), progress=progress)
    models = []
    for case in cases:
        name = case.model.name
        tick = (lambda stage, share, name=name: progress.update(name, stage, share)) if progress else (lambda stage, share: None)
        models.append(examine(case, traces[case]["reference"], tick))
        if progress:
            progress.done(name, f"examined in {sum(models[-1]['seconds'].values()):.0f} s")
    started_s = time.perf_counter()
    trained = train_phase(("keras106", "keras110"), progress)
    return {"format": FORMAT, "command": command, "models": models, "train_phase": trained,
            "seconds": {"train_phase": time.perf_counter() - started_s}}
