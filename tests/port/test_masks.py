"""Masks on their way through a model that is made of what Keras says of it."""

import numpy as np
import pytest

from parity.architecture import parse
from parity.port.from_keras import KerasModel
from parity.port.links.keras import MAKERS
from parity.port.proof import in_test_phase
from tests.kinds.layers import LAYERS
from tests.probes.formula_ports import settings

RNN = {"activation": "tanh", "go_backwards": False, "consume_less": "cpu"}
LSTM = {**RNN, "inner_activation": "hard_sigmoid", "return_sequences": False}
FIRST = {"class_name": "SimpleRNN", "config": {**RNN, "name": "in", "return_sequences": True}}
ONE_WAY = [("SimpleRNN", {**RNN, "return_sequences": True})]
BOTH_WAYS = [("Bidirectional", {"layer": FIRST, "merge_mode": "sum"})]


def model(begin, config, between, arrays):
    """A model that begins so, hands its mask through, and ends in an LSTM."""
    rows = [(begin, {**config, "batch_input_shape": [None, None]}), *between, ("LSTM", LSTM)]
    layers = [
        {"class_name": kind, "config": {**config, "name": f"n{at}"}}
        for at, (kind, config) in enumerate(rows)
    ]
    return KerasModel(parse({"class_name": "Sequential", "config": layers}), arrays, "1.2.2")


@pytest.fixture
def arrays():
    rng = np.random.default_rng(4)

    def drawn(*names):
        shapes = {"W": (3, 3), "U": (3, 3), "b": (3,)}
        return {
            name: rng.normal(0, 1, shapes[name.removeprefix("forward_in_").removeprefix(
                "backward_in_")[0]]).astype(np.float32) for name in names
        }  # fmt: skip

    halves = [f"{half}_in_{name}" for half in ("forward", "backward") for name in "WUb"]
    gates = [f"{name}_{gate}" for gate in "ifco" for name in "WUb"]
    return {
        "n0": {"W": rng.normal(0, 1, (9, 3)).astype(np.float32)},
        "n1": drawn(*"WUb", *halves),
        "n2": drawn(*gates),
    }


@pytest.mark.parametrize("between", [ONE_WAY, BOTH_WAYS], ids=["one way", "both ways"])
@pytest.mark.parametrize("begin", ["Embedding", "Masking"])
def test_steps_that_are_padded_change_nothing(begin, between, arrays):
    ids = np.array([[3, 1, 4], [1, 5, 8]], np.int32)
    padded = np.pad(ids, ((0, 0), (0, 4)))
    config = {"Embedding": {"mask_zero": True}, "Masking": {"mask_value": 0.0}}[begin]
    short, long = ids, padded
    if begin == "Masking":
        table = arrays["n0"]["W"].copy()
        table[0] = 0
        short, long = table[ids], table[padded]
    run = in_test_phase(model(begin, config, between, arrays))
    np.testing.assert_allclose(run(long), run(short), rtol=1e-5, atol=1e-6)
    if begin == "Embedding":
        unmasked = in_test_phase(model(begin, {"mask_zero": False}, between, arrays))
        assert np.abs(unmasked(long) - run(short)).max() > 1e-3


def test_a_layer_that_returns_its_last_state_ends_the_mask(arrays):
    alone = [("LSTM", LSTM), ("RepeatVector", {"n": 2})]
    link = model("Masking", {"mask_value": 0.0}, alone, {"n1": arrays["n2"], "n3": arrays["n2"]})
    x = np.random.default_rng(5).standard_normal((2, 4, 3)).astype(np.float32)
    x[:, 0] = 0
    again = in_test_phase(link.step("n3"))
    repeated = np.repeat(in_test_phase(link.step("n1"))(x, x.any(axis=-1))[:, None], 2, axis=1)
    np.testing.assert_array_equal(in_test_phase(link)(x), again(repeated))
    assert np.abs(again(repeated, x.any(axis=-1)[:, :2]) - again(repeated)).max() > 1e-3


@pytest.mark.parametrize(
    "one",
    [one for one in LAYERS if one.kind in ("Embedding", "SimpleRNN", "GRU", "LSTM")],
    ids=lambda one: one.name,
)
def test_arrays_come_back_as_keras_has_them(one):
    found = MAKERS[one.kind](settings(one), one.weights, "1.2.2").keras_arrays()
    assert set(found) == set(one.weights)
    for name, array in one.weights.items():
        np.testing.assert_array_equal(found[name], array)
