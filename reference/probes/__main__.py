"""`python -m reference.probes JOB.json OUT.h5`: ask single layers of one original questions.

JOB.json: {"model": "CNN0", "weights": path, "questions": path of an HDF5 file: datasets 0, 1, ...,
float32, each one layer's input, with attributes layer and of ("run", or "logits": what a Dense
hands to its activation), "expect": {name: value, ...} which has to match what really runs}
OUT.h5: datasets 0, 1, ...: the answers, in the lane's own precision.
Stages and exit codes as of reference/program.py.
"""

import sys

import h5py

from reference import legacy
from reference.program import main, say
from reference.record import check

_TEST_PHASE = 0


def _ask(job, out):
    say(stage="import")
    legacy.apply()
    import theano

    from reference import graph  # takes seconds, and needs the shims

    check(graph.observed_stack(), job["expect"])
    say(stage="load")
    model = graph.load(job["model"], job["weights"])
    say(stage="run")
    functions = {}
    with h5py.File(job["questions"], "r") as questions, h5py.File(out, "w") as answers:
        for number in sorted(questions, key=int):
            question = questions[number]
            what = question.attrs["layer"], question.attrs["of"]
            if what not in functions:
                functions[what] = _function(model.get_layer(what[0]), what[1])
            x = question[()].astype(theano.config.floatX)
            answers[number] = functions[what](x, _TEST_PHASE)
    say(stage="done")


def _function(layer, of):
    """The layer alone: its input is given, whatever made it in the network."""
    import theano
    from keras import backend as K

    output = layer.output if of == "run" else layer.output.owner.inputs[0]
    return theano.function([layer.input, K.learning_phase()], output, on_unused_input="ignore")


if __name__ == "__main__":
    sys.exit(main(_ask, __doc__, sys.argv[1:]))
