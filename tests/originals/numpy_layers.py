"""Keras layers of classes that no kind is about, in plain float32 NumPy: a port for
`--port numpy_layers:steps`.
"""

import itertools
from functools import partial

import numpy as np

from parity.architecture import parse, placed, read
from parity.untrusted import hdf5, texts

F = np.float32


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


ACTIVATIONS = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, F(0)),
    "tanh": np.tanh,
    "sigmoid": lambda x: F(0.5) * np.tanh(F(0.5) * x) + F(0.5),
    "softmax": softmax,
    "hard_sigmoid": lambda x: np.clip(F(0.2) * x + F(0.5), F(0), F(1)),
}


def activated(config, x):
    return ACTIVATIONS[config["activation"]](x).astype(F)


def correlate(x, w, rate=1):
    """(B, C, *space) with (F, C, *space), without padding, tap by tap."""
    space = w.shape[2:]
    sizes = [n - rate * (k - 1) for n, k in zip(x.shape[2:], space, strict=True)]
    out = np.zeros((len(x), len(w), *sizes), F)
    for tap in itertools.product(*map(range, space)):
        part = (slice(rate * at, rate * at + n) for at, n in zip(tap, sizes, strict=True))
        taken = x[(slice(None), slice(None), *part)]
        out += np.einsum("bc...,fc->bf...", taken, w[(slice(None), slice(None), *tap)], dtype=F)
    return out


def convolution(config, p, x, rate=1):
    """As Theano has it: kernels are turned over."""
    w = p["W"]
    w = w[(slice(None), slice(None), *[slice(None, None, -1)] * (w.ndim - 2))]
    b = p["b"].reshape(-1, *[1] * (w.ndim - 2))
    return activated(config, correlate(x, w, rate) + b)


def atrous_1d(config, p, x):
    """Keras keeps its kernel as (steps, 1, C, F)."""
    w = p["W"][:, 0].transpose(2, 1, 0)[:, :, ::-1]
    y = correlate(np.swapaxes(x, 1, 2), w, config["atrous_rate"]) + p["b"].reshape(-1, 1)
    return activated(config, np.swapaxes(y, 1, 2))


def pooled(reduce, x):
    b, c, *space = x.shape
    parts = [part for n in space for part in (n // 2, 2)]
    cut = x[(slice(None), slice(None), *(slice(0, n // 2 * 2) for n in space))]
    return reduce(cut.reshape(b, c, *parts), axis=tuple(range(3, 3 + 2 * len(space), 2)))


def local_2d(config, p, x):
    rows, columns = config["nb_row"], config["nb_col"]
    high, wide = x.shape[2] - rows + 1, x.shape[3] - columns + 1
    out = np.empty((len(x), config["nb_filter"], high, wide), F)
    for at, (row, column) in enumerate(itertools.product(range(high), range(wide))):
        window = x[:, :, row : row + rows, column : column + columns].reshape(len(x), -1)
        out[:, :, row, column] = window @ p["W"][at]
    return activated(config, out + p["b"].reshape(out.shape[1:]))  # Keras does not turn it


def local_1d(config, p, x):
    length = config["filter_length"]
    steps = range(x.shape[1] - length + 1)
    windows = [x[:, at : at + length].reshape(len(x), -1) @ p["W"][at] for at in steps]
    return activated(config, np.stack(windows, axis=1) + p["b"])


def maxout(config, p, x):
    return (np.einsum("bi,kio->bko", x, p["W"], dtype=F) + p["b"]).max(axis=1)


def highway(config, p, x):
    gate = ACTIVATIONS["sigmoid"](x @ p["W_carry"] + p["b_carry"])
    return gate * activated(config, x @ p["W"] + p["b"]) + (F(1) - gate) * x


def srelu(config, p, x):
    low, width = p["t_left"], np.abs(p["t_right"])
    below = np.where(x < low, p["a_left"], F(1)) * (x - low)
    above = p["a_right"] * np.maximum(x - (low + width), F(0))
    return low + np.minimum(below, width) + above  # Keras caps the left side too


def softplus(config, p, x):
    return (p["alphas"] * np.logaddexp(F(0), p["betas"] * x)).astype(F)


def dense(config, p, x):
    return activated(config, x @ p["W"] + p["b"])


def gru(config, p, x, mask=None):
    mask = np.ones(x.shape[:2], bool) if mask is None else mask
    inner, h = ACTIVATIONS[config["inner_activation"]], np.zeros((len(x), config["output_dim"]), F)
    states = []
    for t in range(x.shape[1]):
        sums = {gate: x[:, t] @ p[f"W_{gate}"] + p[f"b_{gate}"] for gate in "zrh"}
        z, r = (inner(sums[gate] + h @ p[f"U_{gate}"]) for gate in "zr")
        new = z * h + (F(1) - z) * activated(config, sums["h"] + (r * h) @ p["U_h"])
        h = np.where(mask[:, t, None], new, h)
        states.append(h)
    return np.stack(states, axis=1) if config["return_sequences"] else h


def attention(config, p, x, mask):
    weights = np.exp(np.tanh(x @ p["W"])) * mask
    return np.einsum("btu,bt->bu", x, weights / weights.sum(axis=1, keepdims=True), dtype=F)


LAYERS = {
    "Convolution3D": convolution,
    "AtrousConvolution2D": lambda c, p, x: convolution(c, p, x, c["atrous_rate"][0]),
    "AtrousConvolution1D": atrous_1d,
    "MaxPooling3D": lambda c, p, x: pooled(np.max, x),
    "AveragePooling3D": lambda c, p, x: pooled(np.mean, x).astype(F),
    "LocallyConnected1D": local_1d,
    "LocallyConnected2D": local_2d,
    "MaxoutDense": maxout,
    "Highway": highway,
    "SReLU": srelu,
    "ParametricSoftplus": softplus,
    "Flatten": lambda c, p, x: x.reshape(len(x), -1),
    "Dense": dense,
    "GRU": gru,
    "Attention": attention,
    "Embedding": lambda c, p, x: p["W"][x.astype(int)],
    "Lambda": lambda c, p, x: x / (F(1) + np.abs(x)),
    "RepeatVector": lambda c, p, x: np.repeat(x[:, None], c["n"], axis=1),
}


def steps(model, weights, keras, layers=LAYERS):
    """An ordered mapping of layer names to callables."""
    nodes = [node for node in parse(read(model)).nodes if node.inbound]
    params = {}
    with hdf5(weights) as file:
        names = {group: texts(file[group], "weight_names") for group in texts(file, "layer_names")}
        for (group, dataset), (layer, suffix) in placed(names, [n.name for n in nodes]).items():
            params.setdefault(layer, {})[suffix] = file[group][dataset][()]
    return {
        node.name: partial(layers[node.kind], node.config, params.get(node.name, {}))
        for node in nodes
    }
