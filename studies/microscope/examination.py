"""What `parity microscope` finds out: layers looked into, stock Chainer's worth, and the train
phase.
"""

from contextlib import closing

from parity.compare.walk import ISOLATED, network_order, walk
from parity.document import now
from parity.errors import CannotRun
from parity.kinds import KINDS, layer_case
from parity.kinds.convolution.flip import distance
from parity.port.from_keras import VERSIONS
from parity.port.stock import moving_averages, replacements
from parity.ports import OURS, load
from parity.processes import side_by_side
from parity.provenance import environment, threads_per_worker
from parity.recording import recordings, stacks
from parity.recording.clips import clips_of
from parity.recording.trace import open_trace
from parity.studies.microscope import stock, training
from parity.studies.microscope.document import Document, Model

FORMAT = 1
TRAINED = ("keras106", "keras110")  # stacks whose train phase is looked into


def examine(case, trace, port=OURS):
    """Everything about one model's layers: a Model.

    trace: path of its reference trace; port: "module:function" as `parity run` takes it. Gates,
    and a batch's statistics as they are computed, are there where the port shows its inside.
    Raises CannotRun for an unreadable trace or weight file, and for a port that lacks a layer,
    raises or gives another shape.
    """
    asked, keras = load(port, case), stacks.STACKS[case.model.stack].keras
    found = {kind.part: {} for kind in KINDS.values() if kind.examine}
    with open_trace(trace) as reference:
        for layer, _, expected, (inputs, actual, fault, _), *_ in walk(
            reference, asked, (ISOLATED,)
        ):
            if fault:
                raise CannotRun(fault)
            if actual.shape != layer.shape:
                raise CannotRun(
                    f"the port's {layer.name} gives {actual.shape} instead of {layer.shape}; "
                    "`parity run` says more of it"
                )
            kind = KINDS[layer.kind]
            if kind.examine:
                own = case.weights.params.get(layer.name, {})
                of_layer = layer_case(layer, own, inputs[0], keras)
                found[kind.part][layer.name] = kind.examine(of_layer, expected, actual, asked)
        order = network_order(reference)
        clean = stock.through(asked, order, reference.read(reference.layers[order[0]].inbound[0]))
        trials = stock.trials(replacements(case.model.name, case.weights, keras))
        names = case.model.tags
        return Model(
            case.model.name,
            case.data,
            **found,
            clean=distance(clean, reference.read(order[-1])),
            worth=[stock.worth(reference, asked, trial, names) for trial in trials],
        )


def train_phase(stack_names, progress=None):
    """training.examine of each stack, with the port and stock Chainer as sides: a list."""
    batches, found = training.batches(), []
    for name in stack_names:
        keras = stacks.STACKS[name].keras
        sides = {
            "port": moving_averages(batches, keras),
            "stock Chainer": moving_averages(batches),
            "stock Chainer, decay as Keras": moving_averages(
                batches, decay=training.momentum(keras)
            ),
        }
        original = training.original(name, batches, progress)
        found.append(training.examine(keras, batches, original, sides))
    return found


def examine_all(cases, *, port=OURS, workers=2, command="", progress=None):
    """The Document of `parity microscope`.

    port: "module:function"; the train phase is our own port's alone. workers: recorders, and
    models, side by side. Raises CannotRun as `examine` does.
    """
    traces = recordings.traces(
        {case: clips.batch for case, clips in clips_of(cases).items()},
        lanes=("reference",),
        workers=workers,
        progress=progress,
    )
    jobs = {case.model.name: (case, traces[case]["reference"], port) for case in cases}
    models = {}
    with closing(side_by_side(examine, jobs, workers, "try --workers 1")) as done:
        for name, found in done:
            models[name] = found
            if progress:
                progress.done(name, "examined")
    return Document(
        format=FORMAT,
        data="seeded" if any(case.data == "seeded" for case in cases) else "real",
        created=now(),
        command=command,
        environment=environment(threads_per_worker(min(workers, len(cases))), VERSIONS),
        port=port,
        models=[models[name] for name in jobs],
        train_phase=train_phase(TRAINED, progress) if port == OURS else [],
    )
