"""`python -m reference.probes JOB.json OUT.h5`: ask single layers of one original questions.

JOB.json: as of reference/record.py, without inputs, and "questions": path of an HDF5 file or null.
The file of questions: groups 0, 1, ... with attributes layer and of ("run", or "logits": what a
Dense hands to its activation) and datasets 0, 1, ..., the layer's inputs; where attribute draws is
not 0, that many draws of float32's rounding are made with its seed. What Keras does not answer is
left out.
OUT.h5: groups 0, 1, ... with the dataset value, in the lane's own precision, and with draws also
spread, the root mean square of draw - value.
Without questions OUT is not written: each line on stdin, {"questions": path, "answers": path}, is
answered in a file of that form by {"answered": path}, or {"refused": sentence}, on stdout, until
stdin is closed.
Stages and exit codes as of reference/program.py.
"""

import json
import sys

import h5py
import numpy as np

from reference import legacy
from reference.program import check, main, say
from reference.refused import Refused
from reference.trace_file import array_sha256


def _ask(job, out):
    say(stage="import")
    legacy.apply()
    from reference import stack  # takes seconds, and needs the shims
    from reference.probes.layers import Layers

    check(stack.observed_stack(), job["expect"])
    say(stage="load")
    layers = Layers(job)
    say(stage="run")
    if job["questions"]:
        _answer(layers, job["questions"], out, strict=False)
        return say(stage="done")
    for line in sys.stdin:
        asked = json.loads(line)
        try:
            _answer(layers, asked["questions"], asked["answers"])
            say(answered=asked["answers"])
        except Exception as error:  # Refused, or whatever Theano and a layer's own code raise
            said = str(error).strip().splitlines() or ["and says nothing"]
            kind = "" if isinstance(error, Refused) else f"{type(error).__name__}: "
            say(refused=kind + said[0])
    return None


def _answer(layers, questions, answers, strict=True):
    """strict: raise where Keras does not answer; otherwise that answer is left out."""
    with h5py.File(questions, "r") as asked, h5py.File(answers, "w") as told:
        for number in sorted(asked, key=int):
            question = asked[number]
            inputs = [question[at][()] for at in sorted(question, key=int)]
            draws, seed = (int(question.attrs.get(name, 0)) for name in ("draws", "seed"))
            try:
                found = _found(layers, question.attrs, inputs, draws, seed)
            except Exception:  # whatever Theano and a layer's own code raise
                if strict:
                    raise
                continue
            for what, array in found.items():
                told[f"{number}/{what}"] = array
                told[f"{number}/{what}"].attrs["sha256"] = array_sha256(array)


def _found(layers, asked, inputs, draws, seed):
    made = layers.answer(asked["layer"], asked["of"], inputs, draws, seed)
    found = {"value": next(made)}
    squares = sum(np.square(each - found["value"]) for each in made)
    return {**found, "spread": np.sqrt(squares / draws)} if draws else found


if __name__ == "__main__":
    sys.exit(main(_ask, __doc__, sys.argv[1:]))
