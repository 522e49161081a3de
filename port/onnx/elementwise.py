"""Activations, rectifiers, normalisation and merging, as nodes."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.port.keras_versions import dialect
from parity.port.onnx.graph import DOUBLE, FLOAT, Graph, Value, ints


class Layer(NamedTuple):
    """One call of a layer as a writer gets it: its settings, arrays by Keras's suffixes, the
    release, what it reads, and the mask where it reads one.
    """

    config: Mapping[str, Any]
    arrays: Mapping[str, np.ndarray]
    keras: str
    inputs: tuple[Value, ...]
    mask: Value | None = None

    @property
    def x(self) -> Value:
        return self.inputs[0]


Writer = Callable[[Graph, Layer], Value]


def number(value: float) -> np.ndarray:
    """A float32 of no axes."""
    return np.array(value, np.float32)


def sigmoid(graph: Graph, x: Value) -> Value:
    # the runtime's own Sigmoid stays at 1e-8 where this one goes on to 1e-38
    return graph("Reciprocal", graph("Add", graph("Exp", graph("Neg", x)), number(1)))


def tanh(graph: Graph, x: Value) -> Value:
    # the runtime's own, in float32, is off by several units in the last place
    return graph("Cast", graph("Tanh", graph("Cast", x, to=DOUBLE)), to=FLOAT)


def simple(op: str, **settings: Any) -> Callable[[Graph, Value], Value]:
    return lambda graph, x: graph(op, x, **settings)


# Keras's name -> nodes
ACTIVATIONS: dict[str, Callable[[Graph, Value], Value]] = {
    "linear": lambda graph, x: x,
    "relu": simple("Relu"),
    "elu": simple("Elu", alpha=1.0),
    "tanh": tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": simple("HardSigmoid", alpha=0.2, beta=0.5),
    "softmax": simple("Softmax", axis=-1),
    "softplus": simple("Softplus"),
    "softsign": simple("Softsign"),
}


def activated(graph: Graph, layer: Layer, sums: Value) -> Value:
    """A layer's activation, of sums that keep a name of their own."""
    own = layer.config["activation"]
    if own != "linear":
        sums = graph.named(sums, "sums")
    return ACTIVATIONS[own](graph, sums)


def activation(graph: Graph, layer: Layer) -> Value:
    return ACTIVATIONS[layer.config["activation"]](graph, layer.x)


def dense(graph: Graph, layer: Layer) -> Value:
    """x (..., in) W (in, out) + b."""
    W = graph.weight("W", layer.arrays["W"])
    y = graph("MatMul", layer.x, W)
    if layer.config.get("bias", True):
        y = graph("Add", y, graph.weight("b", layer.arrays["b"]))
    return activated(graph, layer, y)


def _elu_exp(graph: Graph, x: Value, alpha: float) -> Value:
    return graph("Elu", x, alpha=alpha)  # alpha (exp(x) - 1) below 0, as Keras up to 1.1.0


def _elu_expm1(graph: Graph, x: Value, alpha: float) -> Value:
    # expm1(x) = 2 t / (1 - t), t = tanh(x / 2): small x keep all their digits
    t = graph("Tanh", graph("Mul", graph("Min", x, number(0)), number(0.5)))
    below = graph("Div", graph("Add", t, t), graph("Sub", number(1), t, rank=x.rank))
    if alpha != 1:
        below = graph("Mul", below, number(alpha))
    return graph("Add", graph("Relu", x), below)


ELU = {"1.0.4": _elu_exp, "1.1.1": _elu_expm1}


def elu(graph: Graph, layer: Layer) -> Value:
    return dialect(ELU, layer.keras)(graph, layer.x, float(layer.config["alpha"]))


def leaky_relu(graph: Graph, layer: Layer) -> Value:
    return graph("LeakyRelu", layer.x, alpha=float(layer.config["alpha"]))


def p_relu(graph: Graph, layer: Layer) -> Value:
    return graph("PRelu", layer.x, graph.weight("alphas", layer.arrays["alphas"]))


def thresholded_relu(graph: Graph, layer: Layer) -> Value:
    return graph("ThresholdedRelu", layer.x, alpha=float(layer.config["theta"]))


# --- batch normalisation: (graph, what is kept or found, eps) -> the divisor ---


def _plus(graph: Graph, x: Value, eps: float) -> Value:
    return graph("Add", x, number(eps))


def _root_of_sum(graph: Graph, variance: Value, eps: float) -> Value:
    return graph("Sqrt", _plus(graph, variance, eps))


def _sum_of_root(graph: Graph, variance: Value, eps: float) -> Value:
    return _plus(graph, graph("Sqrt", variance), eps)


def _eps_twice(graph: Graph, variance: Value, eps: float) -> Value:
    return _plus(graph, _root_of_sum(graph, variance, eps), eps)


def _divided(graph: Graph, gamma: Value, s: Value) -> Value:
    return graph("Div", gamma, s)


def _times_inverse(graph: Graph, gamma: Value, s: Value) -> Value:
    return graph("Mul", gamma, graph("Reciprocal", s))


class Dialect(NamedTuple):
    """One release's divisors, of what it keeps and of a batch's variance, and its scale."""

    kept: Callable[[Graph, Value, float], Value]
    of_batch: Callable[[Graph, Value, float], Value]
    scale: Callable[[Graph, Value, Value], Value] = _divided


DIALECTS = {
    "1.0.4": Dialect(_plus, _eps_twice),
    "1.0.6": Dialect(_plus, _eps_twice, _times_inverse),
    "1.0.7": Dialect(_sum_of_root, _sum_of_root),
    "1.0.8": Dialect(_root_of_sum, _root_of_sum),
}


def batch_normalization(graph: Graph, layer: Layer) -> Value:
    """(x - mean) scale + beta, in this order."""
    x, mode, eps = layer.x, layer.config["mode"], float(layer.config["epsilon"])
    axis = (x.rank - 1 if mode == 1 else layer.config["axis"]) % x.rank
    along = [size if at == axis else 1 for at, size in enumerate([-1] * x.rank)]

    def vector(suffix: str) -> Value:
        array = layer.arrays[suffix]
        return graph.weight(suffix, array.reshape(along[1:] if axis else along))

    own = dialect(DIALECTS, layer.keras)
    if mode == 1:
        mean, variance = moments(graph, x, [axis])
        spread = _eps_twice(graph, variance, eps)
        normal = graph("Div", graph("Sub", x, mean), spread)
        return graph("Add", graph("Mul", normal, vector("gamma")), vector("beta"))
    if mode == 0:
        mean, s = vector("running_mean"), own.kept(graph, vector("running_std"), eps)
    else:
        if "mean" in layer.arrays:  # frozen by a calibration
            mean, variance = vector("mean"), vector("variance")
        else:
            others = [at for at in range(x.rank) if at != axis]
            mean, variance = moments(graph, x, others)
        s = own.of_batch(graph, variance, eps)
    scale = own.scale(graph, vector("gamma"), s)
    return graph("Add", graph("Mul", graph("Sub", x, mean), scale), vector("beta"))


def moments(graph: Graph, x: Value, axes: list[int]) -> tuple[Value, Value]:
    """Mean and biased variance over `axes`, kept as axes of one.

    Rows are summed by themselves and what they give in float64, as Theano sums all: a float32 mean
    of a batch's million values, added up in one go, is off by more than their rounding is.
    """
    mean = _staged(graph, x, axes)
    away = graph("Sub", x, mean)
    return mean, _staged(graph, graph("Mul", away, away), axes)


def _staged(graph: Graph, x: Value, axes: list[int]) -> Value:
    *others, last = axes
    if others:
        x, axes = graph("ReduceMean", x, axes=[last]), others
    return graph("Cast", graph("ReduceMean", graph("Cast", x, to=DOUBLE), axes=axes), to=FLOAT)


# --- what merges several inputs ---

EPSILON = 1e-7  # K.epsilon()


def _folded(op: str) -> Callable[[Graph, Layer], Value]:
    def write(graph: Graph, layer: Layer) -> Value:
        out, *more = layer.inputs
        for each in more:
            out = graph(op, out, each)
        return out

    return write


def _mean(graph: Graph, layer: Layer) -> Value:
    return graph("Div", _folded("Add")(graph, layer), number(len(layer.inputs)))


def _concatenated(graph: Graph, layer: Layer) -> Value:
    return graph("Concat", *layer.inputs, axis=int(layer.config["concat_axis"]))


LETTERS = "bcdefghijk"


def _dot(graph: Graph, x: Value, y: Value, axes: list[int]) -> Value:
    # sums over an axis of each, clip by clip; one number a clip is (B,1)
    one = ["a", *LETTERS[: x.rank - 1]]
    two = ["a", *LETTERS[x.rank - 1 : x.rank + y.rank - 2]]
    one[axes[0] % x.rank] = two[axes[1] % y.rank] = "z"
    out = "".join(each for each in [*one, *two[1:]] if each != "z")
    equation = f"{''.join(one)},{''.join(two)}->{out}"
    found = graph("Einsum", x, y, rank=len(out), equation=equation)
    if found.rank > 1:
        return found
    return graph("Unsqueeze", found, ints(1), rank=2)


def _axes(layer: Layer) -> list[int]:
    found: list[int] = np.broadcast_to(layer.config["dot_axes"], 2).tolist()
    return found


def _product(graph: Graph, layer: Layer) -> Value:
    x, y = layer.inputs
    return _dot(graph, x, y, _axes(layer))


def _cosine(graph: Graph, layer: Layer) -> Value:
    (x, y), axes = layer.inputs, _axes(layer)
    sizes = graph("Mul", _dot(graph, x, x, axes), _dot(graph, y, y, axes))
    length = graph("Max", graph("Sqrt", graph("Relu", sizes)), number(EPSILON))
    found = graph("Div", _dot(graph, x, y, axes), length)
    return graph("Unsqueeze", found, ints(1), rank=found.rank + 1)


MODES: dict[str, Writer] = {
    "sum": _folded("Add"),
    "mul": _folded("Mul"),
    "max": _folded("Max"),
    "ave": _mean,
    "concat": _concatenated,
    "dot": _product,
    "cos": _cosine,
}


def merge(graph: Graph, layer: Layer) -> Value:
    mode = layer.config["mode"]
    if mode not in MODES:
        raise CannotRun(f"it merges by a function of Python's ({mode}), which no node computes")
    return MODES[mode](graph, layer)
