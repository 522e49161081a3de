"""Single layers that the oracle is held against real Keras on: class, arguments, input, weights."""

from typing import NamedTuple

import numpy as np

ACTIVATIONS = (
    "linear",
    "relu",
    "tanh",
    "sigmoid",
    "hard_sigmoid",
    "softmax",
    "softplus",
    "softsign",
)
GATES = tuple(f"{matrix}_{gate}" for gate in "zrh" for matrix in "WUb")


class Single(NamedTuple):
    """weights : {suffix: array} in the order of Keras's set_weights, float32; more: further inputs,
    a mask last; since: the first release that has it.
    """

    kind: str
    arguments: dict
    x: np.ndarray
    weights: dict
    more: tuple = ()
    since: str = "1.0.6"

    @property
    def name(self):
        told = "-".join(f"{value}" for value in self.arguments.values())
        return f"{self.kind}-{told}-{self.x.ndim - 1}d".replace(" ", "")


def _drawn(seed, **shapes):
    random = np.random.default_rng(seed)
    return {name: random.normal(0, 1, shape).astype(np.float32) for name, shape in shapes.items()}


def _inputs(*shape, spread=4.0):
    """Values on both sides of every bend, and some that saturate."""
    x = np.random.default_rng(len(shape)).normal(0, spread, shape)
    x.flat[::7] *= 8
    x.flat[::11] = 0
    return x.astype(np.float32)


def _normalised(channels):
    drawn = _drawn(3, gamma=channels, beta=channels, running_mean=channels, running_std=channels)
    return {**drawn, "running_std": np.abs(drawn["running_std"]) + np.float32(0.1)}


def _dense(inputs, units):
    drawn = _drawn(1, W=(inputs, units), b=units)
    return {**drawn, "W": drawn["W"] / np.float32(20)}  # some sums saturate, most do not


def _recurrent(inputs, units):
    shapes = {"W": (inputs, units), "U": (units, units), "b": units}
    return _drawn(5, **{name: shapes[name[0]] for name in GATES})


IMAGE, FLAT, SEQUENCE = _inputs(3, 4, 9, 11), _inputs(5, 40), _inputs(3, 6, 7, spread=1.0)

LAYERS = (
    *(Single("Activation", {"activation": name}, FLAT, {}) for name in ACTIVATIONS),
    *(Single("Activation", {"activation": name}, SEQUENCE, {}) for name in ("tanh", "softmax")),
    *(Single("Activation", {"activation": name}, IMAGE, {}) for name in ("relu", "softplus")),
    *(
        Single("Dense", {"output_dim": 9, "activation": name}, FLAT, _dense(40, 9))
        for name in ACTIVATIONS
    ),
    Single("Dense", {"output_dim": 9, "bias": False}, FLAT, _drawn(1, W=(40, 9))),
    Single("AveragePooling2D", {"pool_size": [2, 3]}, IMAGE, {}),
    Single("AveragePooling2D", {"pool_size": [3, 2], "strides": [1, 2]}, IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [2, 3]}, IMAGE, {}),
    Single("MaxPooling2D", {"pool_size": [3, 2], "strides": [2, 1]}, IMAGE, {}),
    Single("ELU", {"alpha": 0.7}, IMAGE, {}),
    *(Single("LeakyReLU", {"alpha": alpha}, IMAGE, {}) for alpha in (0.3, 0.01, 0.0)),
    *(Single("LeakyReLU", {"alpha": alpha}, FLAT, {}) for alpha in (1 / 5.5, 2.7)),
    Single("ZeroPadding2D", {"padding": [1, 2]}, IMAGE, {}),
    Single("Permute", {"dims": [3, 1, 2]}, IMAGE, {}),
    Single("Reshape", {"target_shape": [9, 44]}, IMAGE, {}),
    Single("Flatten", {}, IMAGE, {}),
    Single("BatchNormalization", {"axis": 1, "mode": 0}, IMAGE, _normalised(4)),
    Single("BatchNormalization", {"axis": 1, "mode": 2, "epsilon": 0.01}, IMAGE, _normalised(4)),
    Single(
        "Convolution2D",
        {"nb_filter": 6, "nb_row": 3, "nb_col": 3, "border_mode": "same"},
        IMAGE,
        _drawn(2, W=(6, 4, 3, 3), b=6),
    ),
    Single(
        "Convolution2D",
        {"nb_filter": 6, "nb_row": 2, "nb_col": 3, "subsample": [2, 1]},
        IMAGE,
        _drawn(2, W=(6, 4, 2, 3), b=6),
    ),
    Single("GRU", {"output_dim": 5, "return_sequences": True}, SEQUENCE, _recurrent(7, 5)),
    Single("GRU", {"output_dim": 5, "go_backwards": True}, SEQUENCE, _recurrent(7, 5)),
)
