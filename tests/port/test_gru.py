"""Keras's GRU against a float64 loop written from keras/layers/recurrent.py, and as a link that
trains.
"""

import chainer
import numpy as np
import pytest
from chainer import serializers
from numerical_gradients import assert_gradients

from parity.port.links.gru import GRU

IN, OUT, STEPS = 5, 4, 6


def in_float64(link, scale, rng):
    for parameter in link.params():
        parameter.array = rng.normal(0, scale, parameter.shape)
    return link


def keras_gru(x, W, U, b):
    # x (B,T,in); W[gate] (in,out), U[gate] (out,out), b[gate] (out,) as Keras keeps them -> all
    # states (B,T,out)
    def hard_sigmoid(a):
        return np.minimum(1, np.maximum(0, 0.2 * a + 0.5))

    h, states = np.zeros((len(x), OUT)), []
    for t in range(x.shape[1]):
        z = hard_sigmoid(x[:, t] @ W["z"] + b["z"] + h @ U["z"])
        r = hard_sigmoid(x[:, t] @ W["r"] + b["r"] + h @ U["r"])
        candidate = np.tanh(x[:, t] @ W["h"] + b["h"] + (r * h) @ U["h"])
        h = z * h + (1 - z) * candidate
        states.append(h)
    return np.stack(states, axis=1)


def per_gate(stacked):
    return {gate: part.T for gate, part in zip("zrh", np.split(stacked, 3), strict=True)}


@pytest.mark.parametrize("scale", [0.3, 2.0], ids=["gates open", "gates saturated"])
def test_gru_matches_keras_formula(rng, scale):
    link = in_float64(GRU(IN, OUT, return_sequences=True), scale, rng)
    x = rng.normal(0, 1, (3, STEPS, IN))
    expected = keras_gru(x, per_gate(link.W.array), per_gate(link.U.array), per_gate(link.b.array))
    np.testing.assert_allclose(link(x).array, expected, rtol=1e-12, atol=1e-13)


def test_without_sequences_only_the_last_state_comes_back(rng):
    link, x = GRU(IN, OUT), rng.normal(0, 1, (3, STEPS, IN)).astype(np.float32)
    last = link(x).array
    link.return_sequences = True
    every = link(x).array
    assert last.shape == (3, OUT) and last.dtype == np.float32
    np.testing.assert_array_equal(last, every[:, -1])


def test_gradients_of_input_and_parameters(rng):
    link = in_float64(GRU(IN, OUT), 0.4, rng)
    assert_gradients(link, rng.normal(0, 1, (2, 3, IN)), parameters=link.params())


def test_serialises(rng, tmp_path):
    written, read = GRU(IN, OUT), GRU(IN, OUT)
    serializers.save_npz(tmp_path / "gru.npz", written)
    serializers.load_npz(tmp_path / "gru.npz", read)
    x = rng.normal(0, 1, (2, STEPS, IN)).astype(np.float32)
    np.testing.assert_array_equal(read(x).array, written(x).array)


def test_accepts_variables_and_leaves_input_alone(rng):
    x = rng.normal(0, 1, (2, STEPS, IN)).astype(np.float32)
    before = x.copy()
    y = GRU(IN, OUT)(chainer.Variable(x))
    assert isinstance(y, chainer.Variable)
    np.testing.assert_array_equal(x, before)
