"""One fault on trial: the broken port runs layer by layer on the original's own inputs, and the
first layer to fail is blamed.

Every layer of the broken port is run. One whose output is bit for bit the sound port's has the
sound port's verdict; every other one is judged anew. So that nothing is known beforehand: where
the fault is has to be found.
"""

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from parity.compare import verdict
from parity.compare.measure import measure
from parity.compare.walk import ISOLATED, network_order, walk
from parity.diagnose import cause
from parity.errors import CannotRun
from parity.faults.blame import BELOW, NO_END, SEVERAL, SoundChain, blame
from parity.faults.hidden import hidden
from parity.faults.plant import planted
from parity.kinds.bounds import witness
from parity.params import read_params
from parity.port.models import load
from parity.port.proof import ChainerPort
from parity.recording.stacks import STACKS
from parity.recording.trace import array_sha256, open_trace

ROOM = 2**28  # bytes


class Original(NamedTuple):
    """What the original did, in memory: its layers in network order, every output, its parameters
    and Keras version.
    """

    model: str
    weights: object
    path: object
    layers: dict
    outputs: dict
    params: dict
    keras: str
    logits: np.ndarray | None = None  # of the last layer, before its sigmoid
    data: str = "seeded"  # or "real": the published weights

    def read(self, name):
        return self.outputs[name]

    def input_of(self, name):
        return self.outputs[self.layers[name].inbound[0]]

    def witness(self, name):
        """The oracle of a layer, on the original's input."""
        return witness(
            self.layers[name], self.params.get(name, {}), self.input_of(name), self.keras
        )

    def tagger(self):
        """A sound port's tagger."""
        return load(self.model, self.weights, self.keras)

    def port(self):
        """A sound port."""
        return ChainerPort(self.tagger())


class Seen(NamedTuple):
    """What the harness saw of a broken port: the first layer that does not hold (None where all
    do), its verdict, message and output.

    changed: every layer whose output on the original's input is not the sound port's, bit for bit.
    Where all hold, the verdict is that of the layer where the fault is.
    """

    layer: str | None
    verdict: str
    message: str | None
    given: object
    changed: list


@lru_cache(maxsize=1)
def original(case, path):
    """The Original of `case` from its reference trace at `path`. Raises CannotRun for an
    unreadable trace or weight file.
    """
    with open_trace(path) as trace:
        _check_whole(case, path, trace)
        layers = {name: trace.layers[name] for name in network_order(trace)}
        outputs = {name: trace.read(name) for name in trace.layers}
        *_, last = layers
        logits = (
            trace.read_pre_activation(last)
            if layers[last].config.get("activation", "linear") != "linear"
            else None
        )
    return Original(
        case.model.name,
        case.weights,
        path,
        layers,
        outputs,
        read_params(case.weights),
        STACKS[case.model.stack].keras,
        logits,
        case.data,
    )


def _check_whole(case, path, trace):
    """A trace that lacks a layer has no input for the next one either."""
    lacking = [name for name in case.model.layers if name not in trace.layers]
    if lacking:
        raise CannotRun(
            f"{path}: the trace of {case.model.name} has no layer {', '.join(lacking)}, "
            "and faults need every layer; "
            "remove it (`python -m parity data clear`) and run again"
        )


@lru_cache(maxsize=1)
def sound_chain(case, path):
    """What faults are blamed against: the sound port's chain and the original's, both followed to
    the end.
    """
    return SoundChain(original(case, path))


def sound(case, path):
    """{layer: (verdict, sha256 of the output)} of the port as it is. Raises CannotRun where it
    does not hold.
    """
    there = original(case, path)
    found = {}
    for step in walk(there, there.port(), (ISOLATED,)):
        name, given = step.layer.name, output_of(step.isolated)
        word, said = judged(there, name, given)
        if not verdict.holds(word):
            raise CannotRun(
                f"{there.model} {name}: the port is {word} with no fault planted ({said}); "
                "faults can be tried on a port that holds, so run `parity run` first"
            )
        found[name] = word, _digest(given)
    return found


def tried(fault, case, path, clean):
    """The record of one fault; `clean` is what `sound` gave for its model. Raises CannotRun where
    the trace lacks its layer.
    """
    there = original(case, path)
    _check_layer(fault, there)
    seen = _seen(fault, there, clean)
    located = seen.layer
    distance, is_hidden = hidden(there, fault) if located is None else (None, False)
    found = cause_of(there, located, seen.given) if located else None
    share = blame(sound_chain(case, path), fault.layer, planted(there.tagger(), fault))
    apart = _apart(seen.changed, share)
    return {
        "id": fault.id,
        "model": fault.model,
        "layer": fault.layer,
        "kind": fault.kind,
        "expected_cause": fault.cause,
        "verdict": seen.verdict,
        "located_layer": located,
        "cause": found,
        "caught": located is not None,
        "located": located == fault.layer,
        "named": named(fault.cause, found),
        "undecidable": is_hidden and may_hide(fault, there.data),
        "observability": distance,
        "message": seen.message,
        "changed_layers": seen.changed,
        "attribution": share,
        "apart": apart,
        "attributed": None if apart else share["blamed_layer"] == fault.layer,
    }


def may_hide(fault, data):
    """Whether rounding may hide the fault: on the published weights only those may that are known
    to.
    """
    return data != "real" or fault.equivalent


def _apart(changed, share):
    """Why no single layer can be blamed for the drift at the end, or None."""
    if len(changed) > 1:
        return SEVERAL
    if share["message"]:
        return NO_END
    return None if share["above_rounding"] > 1 else BELOW


def heard(reordering, case, path, clean):
    """The record of one harmless reordering: `quiet` when every layer still holds. Raises as
    `tried` does.

    changed_layers: empty where it changes no bit, and so proves nothing.
    """
    there = original(case, path)
    _check_layer(reordering, there)
    seen = _seen(reordering, there, clean)
    return {
        "id": reordering.id,
        "model": reordering.model,
        "layer": reordering.layer,
        "verdict": seen.verdict,
        "located_layer": seen.layer,
        "quiet": seen.layer is None,
        "message": seen.message,
        "changed_layers": seen.changed,
    }


def named(expected, found):
    """Whether a cause is the expected one or has it among its survivors."""
    return bool(found) and expected in (found["hypothesis"], *found["survivors"])


def cause_of(there, name, given):
    """{hypothesis, survivors, estimate} of a failing layer; given: its output, or what the port
    said instead of one.
    """
    found = cause(
        there.layers[name],
        there.params.get(name, {}),
        there.keras,
        given=there.input_of(name),
        expected=there.outputs[name],
        actual=given,
    )
    return {
        "hypothesis": found["hypothesis"],
        "survivors": [each["name"] for each in found["survivors"]],
        "estimate": found["estimate"],
    }


def _check_layer(fault, there):
    if fault.layer not in there.layers:
        raise CannotRun(
            f"{there.path}: the trace has no layer {fault.layer}, which the fault "
            f"{fault.id} needs; "
            f"it holds {' '.join(there.layers)}; record it again"
        )


def _seen(fault, there, clean):
    """What is Seen of a broken port: every layer runs, and they are judged in network order until
    one does not hold.
    """
    failed, changed, own = None, [], None
    for step in walk(there, planted(there.tagger(), fault), (ISOLATED,)):
        name, given = step.layer.name, output_of(step.isolated)
        word, known = clean.get(name, (None, None))
        same = known is not None and _digest(given) == known
        changed += [] if same else [name]
        if failed is None:
            word, said = (word, None) if same else judged(there, name, given)
            own = word if name == fault.layer else own
            failed = None if verdict.holds(word) else (name, word, said, given)
    return Seen(*failed or (None, own, None, None), changed)


def output_of(answer):
    """The output in C order, which every look at it would copy it to, or what was said instead."""
    return answer.fault or np.ascontiguousarray(answer.actual)


def _digest(given):
    return None if isinstance(given, str) else array_sha256(given)


def judged(there, name, given):
    """(verdict, message) of one layer, from its answer to the original's input."""
    if isinstance(given, str):
        return verdict.NOT_COMPARED, given
    judge = there.witness(name)
    measures = measure(
        given,
        there.outputs[name],
        Remembered(judge) if there.layers[name].kind == "Convolution2D" else judge,
    )
    return verdict.judge(measures), measures["fault"] or None


class Remembered:
    """A convolution's witness that computes each block once: a layer that fails is gone through
    three times (drift, structure).

    Layers too large to be kept have few taps, and are computed again.
    """

    def __init__(self, judge):
        self._judge, self._blocks, self._room = judge, {}, ROOM

    def __getattr__(self, name):
        return getattr(self._judge, name)

    def block(self, where):
        """As the witness'."""
        key = tuple((part.start, part.stop) for part in where)
        if key in self._blocks:
            return replace(self._blocks[key])
        found = self._judge.block(where)
        self._room -= found.o.nbytes + found.bound2.nbytes
        if self._room > 0:
            self._blocks[key] = replace(found, o=found.o.copy(), bound2=found.bound2.copy())
        return found
