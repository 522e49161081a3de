"""One fault on trial: the broken port runs layer by layer on the original's own inputs, and the first layer to fail is blamed.

Every layer of the broken port is run. One whose output is bit for bit the sound port's has the sound port's verdict; every
other one is judged anew. So that nothing is known beforehand: where the fault is has to be found.
"""

import time
from fnmatch import fnmatchcase
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from parity import verdict
from parity.bounds import witness
from parity.drift import measure
from parity.errors import CannotRun
from parity.faults.plant import planted, widened
from parity.hypotheses import cause
from parity.params import read_params
from parity.stacks import STACKS
from parity.tally import Tally
from parity.trace import array_sha256, open_trace
from parity.walk import network_order
from port.models import load
from port.proof import steps_of


class Original(NamedTuple):
    """What the original did, in memory: its layers in network order, every output, its parameters and Keras version."""

    model: str
    weights: object
    path: object
    layers: dict
    outputs: dict
    params: dict
    keras: str

    def input_of(self, name):
        return self.outputs[self.layers[name].inbound[0]]

    def witness(self, name):
        """The oracle of a layer, on the original's input."""
        return witness(self.layers[name], self.params.get(name, {}), self.input_of(name), self.keras)

    def tagger(self):
        """A sound port."""
        return load(self.model, self.weights, self.keras)


@lru_cache(maxsize=1)
def original(case, path):
    """The Original of `case` from its reference trace at `path`. Raises CannotRun for an unreadable trace or weight file."""
    with open_trace(path) as trace:
        layers = {name: trace.layers[name] for name in network_order(trace)}
        outputs = {name: trace.read(name) for name in trace.layers}
    return Original(case.model.name, case.weights, path, layers, outputs, read_params(case.weights),
                    STACKS[case.model.stack].keras)


def sound(case, path):
    """{layer: (verdict, sha256 of the output)} of the port as it is. Raises CannotRun where it does not hold."""
    there = original(case, path)
    steps = steps_of(there.tagger())
    found = {name: _judged(there, name, _answer(steps[name], there.input_of(name)), {}) for name in there.layers}
    for name, (word, _, said) in found.items():
        if not verdict.holds(word):
            raise CannotRun(f"{there.model} {name}: the port is {word} with no fault planted ({said}); "
                            "faults can be tried on a port that holds, so run `parity run` first")
    return {name: (word, digest) for name, (word, digest, _) in found.items()}


def tried(fault, case, path, clean):
    """The record of one fault; `clean` is what `sound` gave for its model. Raises CannotRun where the trace lacks its layer."""
    started, there = time.perf_counter(), original(case, path)
    _check_layer(fault, there)
    located, word, said, answer = _blamed(fault, there, clean)
    observable = _observability(there, fault) if located is None else None
    found = _cause(there, located, answer) if located else None
    return {"id": fault.id, "model": fault.model, "layer": fault.layer, "kind": fault.kind,
            "expected_cause": fault.cause, "verdict": word, "located_layer": located, "cause": found,
            "caught": located is not None, "located": located == fault.layer, "named": named(fault.cause, found),
            "undecidable": observable is not None and observable < 1, "observability": observable, "message": said,
            "seconds": _since(started)}


def heard(reordering, case, path, clean):
    """The record of one harmless reordering: `quiet` when every layer still holds. Raises as `tried` does."""
    started, there = time.perf_counter(), original(case, path)
    _check_layer(reordering, there)
    located, word, said, _ = _blamed(reordering, there, clean)
    return {"id": reordering.id, "model": reordering.model, "layer": reordering.layer, "verdict": word,
            "located_layer": located, "quiet": located is None, "message": said, "seconds": _since(started)}


def _since(started):
    return round(time.perf_counter() - started, 2)


def named(expected, found):
    """Whether a cause is the expected one or has it among its survivors; `expected` as in table.Fault."""
    names = [found["hypothesis"], *found["survivors"]] if found else []
    return any(name is not None and fnmatchcase(name, expected) for name in names)


def _cause(there, name, answer):
    """{hypothesis, survivors, estimate} of a failing layer; None where the port gave nothing to explain."""
    if isinstance(answer, str):
        return None
    found = cause(there.layers[name], there.params.get(name, {}), there.keras, given=there.input_of(name),
                  expected=there.outputs[name], actual=answer)
    return {"hypothesis": found["hypothesis"], "survivors": [each["name"] for each in found["survivors"]],
            "estimate": found["estimate"]}


def _check_layer(fault, there):
    if fault.layer not in there.layers:
        raise CannotRun(f"{there.path}: the trace has no layer {fault.layer}, which the fault {fault.id} needs; "
                        f"it holds {' '.join(there.layers)}; record it again")


def _blamed(fault, there, clean):
    """(layer, verdict, message, what the port gave) of the first layer, in network order, that does not hold.

    Where all hold: None, the verdict of the layer where the fault is, None, None.
    """
    steps, words = planted(there.tagger(), fault), {}
    for name in there.layers:
        answer = _answer(steps[name], there.input_of(name))
        words[name], _, said = _judged(there, name, answer, clean)
        if not verdict.holds(words[name]):
            return name, words[name], said, answer
    return None, words[fault.layer], None, None


def _answer(step, given):
    """A layer's output, or a sentence saying why there is none."""
    try:
        return np.asarray(step(given))
    except Exception as error:  # whatever a broken port raises is that layer's failure
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def _judged(there, name, answer, clean):
    """(verdict, sha256 of the output, message) of one layer, from its answer to the original's input."""
    if isinstance(answer, str):
        return verdict.NOT_COMPARED, None, answer
    digest = array_sha256(answer)
    word, known = clean.get(name, (None, None))
    if digest == known:
        return word, digest, None
    measures = measure(answer, there.outputs[name], there.witness(name))
    return verdict.judge(measures), digest, measures["fault"] or None


def _observability(there, fault):
    """D = max|o_fault - o|/B: how far the broken formula alone, in float64, lies from the oracle, in units of rounding's bound.

    Below 1 no output can tell the fault from rounding. The broken formula is the planted port's own, run in float64.
    """
    name = fault.layer
    answer = _answer(planted(widened(there.tagger()), fault)[name], there.input_of(name).astype(np.float64))
    if isinstance(answer, str) or answer.shape != there.outputs[name].shape:
        return float("inf")
    judge = there.witness(name)
    tally = Tally(judge, answer)
    for where in judge.blocks():
        tally.add(judge.block(where))
    return tally.rho
