"""A small network with every layer kind, recorded in memory: an original that rounds each oracle
layer to float32.
"""

import numpy as np

from parity.kinds import KINDS, value
from parity.recording.trace import Layer
from parity.stand_in import InMemory

F = np.float32
KERAS = "1.0.6"
INPUT = (2, 1, 10, 17)
# name, kind, settings, {parameter suffix: shape}; channel counts follow from the row before.
_BN = ("gamma", "beta", "running_mean", "running_std")
_GRU = {
    f"{part}_{gate}": shape
    for gate in "zrh"
    for part, shape in (("W", (8, 5)), ("U", (5, 5)), ("b", (5,)))
}
ROWS = [
    ("pad", "ZeroPadding2D", {"padding": [0, 1]}, {}),
    (
        "bn_0",
        "BatchNormalization",
        {"axis": 3, "mode": 0, "epsilon": 1e-6},
        dict.fromkeys(_BN, (19,)),
    ),
    ("conv1", "Convolution2D", {"border_mode": "same"}, {"W": (6, 1, 3, 3), "b": (6,)}),
    (
        "bn1",
        "BatchNormalization",
        {"axis": 1, "mode": 2, "epsilon": 1e-6},
        dict.fromkeys(_BN, (6,)),
    ),
    ("elu_1", "ELU", {"alpha": 1.0}, {}),
    ("pool1", "MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2]}, {}),
    ("dropout1", "Dropout", {"p": 0.5}, {}),
    ("conv2", "Convolution2D", {"border_mode": "same"}, {"W": (8, 6, 3, 3), "b": (8,)}),
    (
        "bn2",
        "BatchNormalization",
        {"axis": 1, "mode": 0, "epsilon": 1e-6},
        dict.fromkeys(_BN, (8,)),
    ),
    ("elu_2", "ELU", {"alpha": 1.0}, {}),
    ("pool2", "MaxPooling2D", {"pool_size": [5, 2], "strides": [5, 2]}, {}),
    ("permute", "Permute", {"dims": [3, 1, 2]}, {}),
    ("reshape", "Reshape", {"target_shape": [4, 8]}, {}),
    ("gru1", "GRU", {"return_sequences": True}, _GRU),
    ("flatten", "Flatten", {}, {}),
    ("output", "Dense", {"activation": "sigmoid"}, {"W": (20, 12), "b": (12,)}),
]


def parameters(seed=0):
    """{layer: {suffix: float32 array}}, no two alike, signals of about unit size throughout."""
    rng = np.random.default_rng(seed)

    def draw(suffix, shape):
        if suffix in ("gamma", "running_std"):
            return rng.uniform(0.5, 2, shape)
        inputs = {4: np.prod(shape[1:]), 2: shape[0]}.get(len(shape), 16)
        return rng.standard_normal(shape) / np.sqrt(inputs)

    return {
        name: {suffix: draw(suffix, shape).astype(F) for suffix, shape in shapes.items()}
        for name, _, _, shapes in ROWS
    }


def sound(seed=0):
    """An input (2, 1, 10, 17), float32."""
    return np.random.default_rng(100 + seed).standard_normal(INPUT).astype(F)


def recorded(x, steps, rows=ROWS):
    """The original in memory; steps: its layers as callables."""
    return InMemory(x, rows, steps, KERAS)


class Rounding:
    """One layer: the oracle with errors of `noise` sigmas added, rounded to float32. seed None:
    correctly rounded only.
    """

    def __init__(self, row, params, seed=None, noise=0.5, keras=KERAS):
        name, kind, config, _ = row
        self.layer, self.params, self.keras = (
            Layer(name, kind, config, (), (), F, ""),
            params,
            keras,
        )
        self.random, self.noise = None if seed is None else np.random.default_rng(seed), noise

    def __call__(self, x):
        return self._of(self.layer, x)

    def logits(self, x):
        return self._of(
            self.layer._replace(config={**self.layer.config, "activation": "linear"}), x
        )

    def _of(self, layer, x):
        exact = value(layer, self.params, x, self.keras)
        if self.random is not None and not KINDS[layer.kind].move:
            exact = exact + self.noise * 2.0**-24 * np.abs(
                exact
            ).max() * self.random.standard_normal(exact.shape)
        return exact.astype(F)


def steps(params, seed=None, rows=ROWS, noise=0.5, **changed):
    """{layer: step}; changed: layer -> step in place of the sound one. A seed makes the rounding
    another implementation's.
    """
    made = {
        row[0]: Rounding(row, params[row[0]], None if seed is None else seed + at, noise)
        for at, row in enumerate(rows)
    }
    return {**made, **changed}
