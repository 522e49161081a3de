"""What a port gets wrong in recurrent layers, in what begins a sequence, and in layers around
others is named. The faults are planted in links of Chainer, which know nothing of the formulas.
"""

import numpy as np
import pytest

from parity.diagnose import cause
from parity.kinds import layer_case
from parity.port.links.keras import MAKERS
from parity.port.proof import in_test_phase
from tests.kinds.layers import LAYERS
from tests.kinds.recorded_layers import layer
from tests.probes.formula_ports import settings


def single(kind, masked=False, **arguments):
    return next(
        one
        for one in LAYERS
        if one.kind == kind
        and bool(one.more) == masked
        and arguments.items() <= one.arguments.items()
    )


LSTM = single("LSTM", activation="tanh")
MASKED = single("LSTM", True, activation="hard_sigmoid")
SIMPLE = single("SimpleRNN", activation="tanh")
ROWS, STEPS, TIMES = single("Embedding"), single("Masking", mask_value=-1.5), single("RepeatVector")
EVERY_STEP = next(one for one in LAYERS if one.kind == "TimeDistributed")
CONCAT = single("Bidirectional", merge_mode="concat")
LAST = [one for one in LAYERS if one.kind == "Bidirectional" and not one.more][-1]
ADDED = single("Bidirectional", True, merge_mode="sum")


def made(one, weights=None, **config):
    """A row's link, with other settings or weights."""
    return in_test_phase(MAKERS[one.kind](settings(one) | config, weights or one.weights, "1.2.2"))


def run(one, weights=None, **config):
    return made(one, weights, **config)(one.x, *one.more)


def inner(one, **config):
    around = settings(one)["layer"]
    return {"layer": {**around, "config": {**around["config"], **config}}}


def swapped(weights, *pairs):
    swap = dict(pairs) | {b: a for a, b in pairs}

    def name(suffix):
        return next((suffix.replace(a, b) for a, b in swap.items() if a in suffix), suffix)

    return {suffix: weights[name(suffix)] for suffix in weights}


def changed(weights, end, change):
    return {key: change(a) if key.endswith(end) else a for key, a in weights.items()}


def turned_back(one):
    """A concatenation whose second half stays in the order it was computed in."""
    first, second = np.split(run(one), 2, axis=-1)
    return np.concatenate([first, second[:, ::-1]], axis=-1)


def last_place(one):
    """The last place of both halves' sequences."""
    whole = run(one, **inner(one, return_sequences=True))
    return whole[:, -1]


def by_steps(one):
    x = np.ascontiguousarray(one.x.swapaxes(0, 1)).reshape(one.x.shape)
    return made(one)(x)


FAULTS = {
    "f and c swapped": (LSTM, lambda one: run(one, swapped(one.weights, ("_f", "_c")))),
    "i and o swapped": (LSTM, lambda one: run(one, swapped(one.weights, ("_i", "_o")))),
    "true sigmoid gates": (LSTM, lambda one: run(one, inner_activation="sigmoid")),
    "relu as the activation": (LSTM, lambda one: run(one, activation="relu")),
    "1 added to the forget gate's bias": (
        LSTM,
        lambda one: run(one, changed(one.weights, "b_f", lambda b: b + 1)),
    ),
    "recurrent matrices transposed": (
        SIMPLE,
        lambda one: run(one, changed(one.weights, "U", np.transpose)),
    ),
    "softsign as the activation": (SIMPLE, lambda one: run(one, activation="softsign")),
    "bias on both products (added twice)": (
        SIMPLE,
        lambda one: run(one, changed(one.weights, "b", lambda b: 2 * b)),
    ),
    "backwards in time": (SIMPLE, lambda one: run(one, go_backwards=True)),
    "last state for the whole sequence": (
        SIMPLE,
        lambda one: np.repeat(run(one)[:, -1:], one.x.shape[1], axis=1),
    ),
    "mask ignored": (MASKED, lambda one: made(one)(one.x)),
    "zeros as the output of masked steps": (
        MASKED,
        lambda one: run(one) * one.more[0][..., None].astype(np.float32),
    ),
    "row before the id's": (ROWS, lambda one: one.weights["W"][one.x - 1]),
    "nothing for id 0": (ROWS, lambda one: run(one) * (one.x[..., None] != 0)),
    "every value equal to mask_value zeroed": (
        STEPS,
        lambda one: np.where(one.x == -1.5, 0, one.x),
    ),
    "mask_value 0": (STEPS, lambda one: run(one, mask_value=0.0)),
    "every value repeated by itself": (
        TIMES,
        lambda one: np.repeat(one.x, 3, axis=1).reshape(len(one.x), 3, -1),
    ),
    "clips and steps mixed up": (EVERY_STEP, by_steps),
    "bias left out": (
        EVERY_STEP,
        lambda one: run(one, changed(one.weights, "b", lambda b: 0 * b)),
    ),
    "backward half left in its own order": (CONCAT, turned_back),
    "halves in the place of each other": (
        CONCAT,
        lambda one: np.concatenate(np.split(run(one), 2, axis=-1)[::-1], axis=-1),
    ),
    "forward half's weights in both": (
        CONCAT,
        lambda one: run(
            one,
            {key: one.weights[key.replace("backward", "forward")] for key in one.weights},
        ),
    ),
    "backward half's first state for its last": (LAST, last_place),
    "halves averaged": (ADDED, lambda one: run(one, merge_mode="ave")),
    "z and r swapped": (ADDED, lambda one: run(one, swapped(one.weights, ("_z", "_r")))),
}


@pytest.mark.parametrize("name", FAULTS)
def test_it_is_named(name):
    one, fault = FAULTS[name]
    case = layer_case(layer(one.kind, **settings(one)), one.weights, one.x, "1.2.2", one.more)
    actual = np.ascontiguousarray(fault(one), dtype=np.float32)
    assert cause(case, run(one), actual).hypothesis == name
