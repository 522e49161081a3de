"""Rectifiers with slopes or thresholds, normalisation of every sample by itself, and what merges
several inputs, as Keras 1 has them on Theano.
"""

from collections.abc import Callable

import chainer
import chainer.functions as F
import numpy as np

from parity.port.keras_versions import dialect
from parity.port.links.batch_normalization import DIALECTS, BatchNormalization
from parity.port.types import Array, Arrays, Config

EPSILON = 1e-7  # K.epsilon()


class PReLU(chainer.Link):
    """x above 0 and alphas x below; alphas for each place of a clip, of size 1 where shared."""

    def __init__(self, alphas: np.ndarray) -> None:
        super().__init__()
        with self.init_scope():
            self.alphas = chainer.Parameter(alphas)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {"alphas": self.alphas.array}

    def forward(self, x: Array) -> chainer.Variable:
        alphas = F.broadcast_to(self.alphas, x.shape)
        return F.relu(x) - alphas * F.relu(-x)


def p_relu(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return PReLU(arrays["alphas"])


def thresholded_relu(x: Array, *, theta: float) -> chainer.Variable:
    """x above theta, else 0; exact."""
    x = chainer.as_variable(x)
    return F.where(x.array > x.dtype.type(theta), x, x.xp.zeros_like(x.array))


class SampleNormalization(chainer.Link):
    """Batch normalisation of mode 1: every row of the last axis by its own mean and variance, which
    has eps added before the root and after it, in all releases.
    """

    def __init__(self, gamma: np.ndarray, beta: np.ndarray, eps: float) -> None:
        super().__init__()
        self.eps = eps
        with self.init_scope():
            self.gamma = chainer.Parameter(gamma)
            self.beta = chainer.Parameter(beta)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {"gamma": self.gamma.array, "beta": self.beta.array}

    def forward(self, x: Array) -> chainer.Variable:
        mean = F.broadcast_to(F.mean(x, axis=-1, keepdims=True), x.shape)
        variance = F.mean(F.square(x - mean), axis=-1, keepdims=True)
        spread = F.broadcast_to(F.sqrt(variance + self.eps) + self.eps, x.shape)
        gamma, beta = (F.broadcast_to(each, x.shape) for each in (self.gamma, self.beta))
        return gamma * ((x - mean) / spread) + beta


def batch_normalization(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    size, axis, eps = len(arrays["gamma"]), config["axis"], config.get("epsilon")
    if config["mode"] == 1:
        eps = dialect(DIALECTS, keras).eps if eps is None else eps
        return SampleNormalization(arrays["gamma"], arrays["beta"], eps)
    link = BatchNormalization(size, axis, config["mode"], keras, eps)
    for suffix, values in link.keras_arrays().items():
        values[...] = arrays[suffix]
    return link


class Merge(chainer.Link):
    """Several inputs made one; axes: which "concat" joins along, or "dot" and "cos" sum over."""

    def __init__(self, mode: str, axes: tuple[int, ...] = ()) -> None:
        super().__init__()
        self.mode, self.axes = mode, axes

    def forward(self, *inputs: Array) -> chainer.Variable:
        return MODES[self.mode](*map(chainer.as_variable, inputs), axes=self.axes)


Axes = tuple[int, ...]


def _sum(*inputs: chainer.Variable, axes: Axes) -> chainer.Variable:
    return sum(inputs[1:], inputs[0])


def _mean(*inputs: chainer.Variable, axes: Axes) -> chainer.Variable:
    return sum(inputs[1:], inputs[0]) / len(inputs)


def _product(*inputs: chainer.Variable, axes: Axes) -> chainer.Variable:
    out = inputs[0]
    for each in inputs[1:]:
        out = out * each
    return out


def _maximum(*inputs: chainer.Variable, axes: Axes) -> chainer.Variable:
    out = inputs[0]
    for each in inputs[1:]:
        out = F.maximum(out, each)
    return out


def _dot(x: Array, y: Array, axes: Axes) -> chainer.Variable:
    # sums over an axis of each, clip by clip; one number a clip is (B,1)
    x, y = (F.moveaxis(each, axis % each.ndim, -1) for each, axis in zip((x, y), axes, strict=True))
    rows, columns = (F.reshape(each, (len(each), -1, each.shape[-1])) for each in (x, y))
    shape = (len(x), *x.shape[1:-1], *y.shape[1:-1])
    return F.reshape(F.matmul(rows, columns, transb=True), shape if len(shape) > 1 else (-1, 1))


def _cosine(x: Array, y: Array, axes: Axes) -> chainer.Variable:
    # Keras's axes, also where they differ; rows that differ make products below zero: K.sqrt clips
    length = F.sqrt(F.relu(_dot(x, x, axes) * _dot(y, y, axes)))
    least = x.xp.full_like(length.array, EPSILON)
    return F.expand_dims(_dot(x, y, axes) / F.maximum(length, least), 1)


def _concatenated(*inputs: chainer.Variable, axes: Axes) -> chainer.Variable:
    return F.concat(inputs, axis=axes[0] % inputs[0].ndim)


MODES: dict[str, Callable[..., chainer.Variable]] = {
    "sum": _sum,
    "ave": _mean,
    "mul": _product,
    "max": _maximum,
    "concat": _concatenated,
    "dot": _dot,
    "cos": _cosine,
}


def merge(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    mode, axes = config["mode"], tuple(np.broadcast_to(config["dot_axes"], 2).tolist())
    own: dict[str, Axes] = {"concat": (config["concat_axis"],), "dot": axes, "cos": axes}
    return Merge(mode, own.get(mode, ()))
