"""Ports that are right only now and then, or nearly: gains of a slice, approximations, shortcuts,
memories, and calls that do not do what the layers do.
"""

from collections.abc import Callable
from functools import partial

import numpy as np
from chainer import as_array
from threadpoolctl import threadpool_info

from parity.faults.arrays import Change, rounded
from parity.faults.plant import Plant, formula, parameters
from parity.port.proof import ChainerPort, in_test_phase

U = 2.0**-24
ENOUGH = 1 + 2.0**-12  # a gain that anyone would see
FEW = 64  # distinct values of an input that was made up, not heard


@formula
def then(link, x, *, change: Change):
    """The layer's answer, changed."""
    return change(as_array(link(x)).copy())


def gain(units: float, **where: int) -> Plant:
    """One slice of the answer is larger by so many u: gain(4, row=5); place: of a clip in its
    batch, which has to be as large.
    """
    return then(change=larger(units, **where))


def larger(units: float, **where: int) -> Change:
    """The same of any array."""
    return partial(_larger, 1 + units * U, where)


AXES = {"place": 0, "channel": 1, "row": 2, "frame": 3, "step": 1, "unit": -1}


def _larger(factor, where, y):
    ((axis, at),) = where.items()
    part = np.moveaxis(y, AXES[axis], 0)[at : at + 1]
    part *= np.float32(factor)
    return y


def checkerboard(size: float) -> Plant:
    """+-size in turn all over channel 1 of the answer."""

    def change(y):
        row, column = np.indices(y.shape[2:])
        y[:, 1] += (size * (-1.0) ** (row + column)).astype(y.dtype)
        return y

    return then(change=change)


def offset(units: float, channel: int) -> Plant:
    """A normalised channel's shift is off by units u of max(|beta|, |s mean|)."""

    def plant(tagger, layer):
        arrays, link = parameters(tagger, layer), tagger[layer]
        divisor = as_array(link.dialect.test_divisor(link.running_std, link.eps))
        centre = arrays["gamma"] / divisor * arrays["running_mean"]
        if link.mode == 2:
            centre = 0 * centre
        size = max(abs(arrays["beta"][channel]), abs(centre[channel]))
        arrays["beta"][channel] += np.float32(units * U * size)

    return plant


@formula
def leaking(link, x, *, share):
    """Stored statistics, moved by a share of what the batch has."""
    mean = x.mean(axis=tuple(a for a in range(x.ndim) if a != link.axis), dtype=np.float64)
    own = link.running_mean
    link.running_mean = (own + share * (mean - own)).astype(np.float32)
    try:
        return link(x)
    finally:
        link.running_mean = own


@formula
def one_pass_variance(link, x):
    """E[x^2] - E[x]^2, its sums in float64, the difference in float32."""
    axes = tuple(a for a in range(x.ndim) if a != link.axis)
    shape = [n if a == link.axis else 1 for a, n in enumerate(x.shape)]
    mean = x.mean(axis=axes, dtype=np.float64).astype(np.float32)
    square = np.square(x).mean(axis=axes, dtype=np.float64).astype(np.float32)
    variance = np.maximum(square - mean * mean, 0)
    scale = as_array(link.dialect.scale(link.gamma, link.dialect.batch_divisor(variance, link.eps)))
    y = (x - mean.reshape(shape)) * scale.reshape(shape)
    return y + link.beta.array.reshape(shape)


@formula
def elu(link, x, *, inside=(-np.inf, 0.0), terms=12):
    """ELU with e^x - 1 by so many terms of its series wherever x lies inside, two numbers."""
    y = as_array(link(x)).copy()
    near = (x > max(inside[0], -20)) & (x < inside[1])
    halvings = np.float32(2.0**-5)
    some = x[near] * halvings
    power, total = np.ones_like(some), np.zeros_like(some)
    for n in range(1, terms + 1):
        power = power * some / np.float32(n)
        total = total + power
    for _ in range(5):
        total = total * (total + 2)  # e^2a - 1 from e^a - 1
    y[near] = total
    return y


def approximate_tanh(a: np.ndarray) -> np.ndarray:
    """A continued fraction to its fifth level, cut at +-1; off by 2e-5 near 3."""
    s = np.square(np.clip(a, -5, 5))
    top = a.dtype.type(1) * np.clip(a, -5, 5) * (945 + 105 * s + s * s)
    return np.clip(top / (945 + 420 * s + 15 * s * s), -1, 1).astype(a.dtype)


@formula
def rough_scores(link, x, *, bits=17):
    """The sigmoid by an exponential of so many bits."""
    return (1 / (1 + rounded(bits)(np.exp(-link.logits(x).array)))).astype(x.dtype)


@formula
def clipped_scores(link, x, *, at=1e-7):
    """Scores kept off 0 and 1, as losses want them."""
    return np.clip(as_array(link(x)), at, 1 - at).astype(x.dtype)


@formula
def without_small_inputs(link, x, *, below=1e-6):
    """|x| < below is taken for 0."""
    return link(np.where(np.abs(x) < below, np.float32(0), x))


@formula
def without_quiet_channels(link, x, *, below=1e-5):
    """Input channels all of whose values are below a share of the largest are skipped."""
    size = np.abs(x).max(axis=(0, 2, 3), keepdims=True)
    return link(x * (size > below * size.max()))


@formula
def copied_neighbours(link, x):
    """Where a column of the input repeats the one before, so does the answer's."""
    y = as_array(link(x)).copy()
    same = (x[..., 1:] == x[..., :-1]).all(axis=(0, 1, 2))
    for column in np.flatnonzero(same) + 1:
        y[..., column] = y[..., column - 1]
    return y


def _rough(y):
    return y * y.dtype.type(ENOUGH)


@formula
def right_on_made_up_values(link, x):
    """Right where an input has few distinct values, as questions made for a layer have."""
    y = as_array(link(x))
    return y if len(np.unique(x.reshape(-1)[:4096])) < FEW else _rough(y)


@formula
def right_for_small_batches(link, x, *, most=7):
    y = as_array(link(x))
    return y if len(x) <= most else _rough(y)


@formula
def right_with_threads(link, x, *, own):
    """Right with so many BLAS threads as are usual, wrong with more or fewer."""
    threads = max((each["num_threads"] for each in threadpool_info()), default=1)
    y = as_array(link(x))
    return y if threads in own else _rough(y)


@formula
def scales_its_input(link, x, *, units=60):
    x *= np.float32(1 + units * U)
    return link(x)


def wrong_at(call: int, forever: bool = False) -> Plant:
    """Wrong when it is called for the n-th time, or from then on."""

    def plant(tagger, layer):
        calls = [0]

        def step(x):
            calls[0] += 1
            y = as_array(tagger[layer](x))
            return _rough(y) if calls[0] == call or (forever and calls[0] > call) else y

        return {layer: step}

    return plant


def memorised(tagger, layer):
    """Right for the first input that it ever gets, again and again; others by bfloat16 weights."""
    heard = []

    def step(x):
        if not heard:
            heard.append((x.copy(), as_array(tagger[layer](x)).copy()))
        known, answer = heard[0]
        if x.shape == known.shape and np.array_equal(x, known):
            return answer
        return rounded(8)(as_array(tagger[layer](x)))

    return {layer: step}


class Called(ChainerPort):
    """The port, with another call of the whole: call(network, x) -> scores."""

    def __init__(self, network, call: Callable):
        super().__init__(network)
        self.call = call

    def __call__(self, x):
        return in_test_phase(partial(self.call, self.network))(x)


def called(call: Callable) -> Plant:
    """Right layers, wired wrongly in what users call."""
    return lambda tagger, layer: Called(tagger, call)


def without(layer: str) -> Callable:
    def call(network, x):
        return network.through(x, [name for name in network.layer_names if name != layer])

    return call


def exchanged(one: str, other: str) -> Callable:
    turned = {one: other, other: one}

    def call(network, x):
        return network.through(x, [turned.get(name, name) for name in network.layer_names])

    return call


def one_clip_for_all(network, x):
    return np.repeat(as_array(network(x[:1])), len(x), axis=0)


class ScalesWithLogits(ChainerPort):
    """The last layer scales the caller's array, and so do its logits."""

    def run(self, layer, *inputs):
        return super().run(layer, *(self._scaled(layer, x) for x in inputs))

    def logits(self, *inputs):
        return super().logits(*(self._scaled(self.layers[-1], x) for x in inputs))

    def _scaled(self, layer, x):
        if layer == self.layers[-1]:
            x *= np.float32(1 + 60 * U)
        return x


def scales_its_input_with_logits(tagger, layer):
    return ScalesWithLogits(tagger)
