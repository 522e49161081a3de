"""Activations: the table of point-wise formulas, and the layer that applies one.

Sources: Keras 1 activations.py, Theano tensor/nnet/sigm.py.
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from parity.kinds.api import LayerCase, LayerKind, Maker
from parity.kinds.pooling import pooled_instead
from parity.kinds.probing import Probe, batches, like, magnitudes, of_table, of_witness
from parity.kinds.rectifiers import LEAKY, elu
from parity.numerics.rounding import (
    FLUSHED,
    NOTHING,
    SPREAD,
    WORST_TO_SIGMA,
    Array,
    U,
    Where,
)
from parity.numerics.witness import Block, Whole, Witness

IDEMPOTENT = ("linear", "relu")


def sigmoid(x: Array) -> Array:
    """Theano's float64 sigmoid: exactly 1 above 19 and 0 below -709 (ScalarSigmoid.c_code)."""
    inner = 1 / (1 + np.exp(-np.clip(x, -709, 19, dtype=np.float64)))
    return np.where(x > 19, 1.0, np.where(x < -709, 0.0, inner))


def hard_sigmoid(x: Array) -> Array:
    """clip(0.2 x + 0.5, 0, 1)."""
    return np.minimum(np.maximum(0.2 * x + 0.5, 0), 1)  # faster than np.clip


def relu(x: Array) -> Array:
    """max(x, 0)."""
    return np.maximum(x, 0)


def softplus(x: Array) -> Array:
    """Theano's float64 softplus: exactly x above 16 (ScalarSoftplus.c_code)."""
    return np.where(x > 16, x, np.log1p(np.exp(np.minimum(x, 16))))


def softsign(x: Array) -> Array:
    """x/(1 + |x|)."""
    return x / (1 + np.abs(x))


def softmax(x: Array) -> Array:
    """exp(x)/sum exp(x) along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def _softplus_own(s: Array, y: Array) -> Array:
    """Of log1p(e^s) and of log(1 + e^s), whose sum rounds by u; Theano's is s above 14."""
    slope = sigmoid(s)
    left_out = np.where(s > 14, np.exp(-np.maximum(s, 14)), 0)
    return U * (5 * slope + 4 * np.abs(y) + 1) + left_out + FLUSHED


def _softmax_own(s: Array, y: Array) -> Array:
    """The difference to the largest rounds by u of itself and so moves its exponential; the library
    errs by 5 u of that; the sum of n terms by n u, the quotient by u.
    """
    below = s.max(axis=-1, keepdims=True) - s
    average = (y * below).sum(axis=-1, keepdims=True)
    return U * y * (below + average + 2 * 5 + s.shape[-1] + 1) + FLUSHED


def sigmoid_forms(y: Array) -> Array:
    """The larger own rounding, in u, of 1/(1 + exp(-s)) and of tanh(s/2)/2 + 1/2 at y."""
    return np.maximum(y * (2 + 6 * (1 - y)), 2 * np.abs(2 * y - 1) + y)


def sigmoid_rounding(s: Array, y: Array) -> Array:
    """How far float32 may be from y = sigmoid(s), whatever the form it is computed in."""
    return U * sigmoid_forms(y) + _left_out_above_15(s) + FLUSHED


def _sigmoid_variance(s: Array, y: Array) -> Array:
    """Of 1/(1 + e): 1 + e lies at the foot of its binade, where a rounding spreads by u/sqrt(3) of
    it; so may y, and e by twice that.

    Of tanh(s/2)/2 + 1/2: tanh and the sum are rounded on the grid of their binade below 1,
    u/sqrt(12) each. The larger counts. A seventh of the bound is too little where most scores are
    near 1, as under a Keras that the weights are not from.
    """
    quotient = np.square(y) * (2 + 4 * np.square(1 - y)) / 3
    form2 = np.maximum(quotient, np.square(2 * y - 1) / 6)
    return U * U * form2 + np.square(_left_out_above_15(s))


def _left_out_above_15(s: Array) -> Array:
    """Theano's float32 sigmoid returns exactly 1 above 15."""
    return np.where(s > 15, np.exp(-np.maximum(s, 15)), 0)


def _hard_sigmoid_variance(s: Array, y: Array) -> Array:
    """float32's 0.2 is off by a quarter of a unit, the same everywhere; product and sum round."""
    product, inside = 0.2 * s, np.abs(s) < 2.5
    return U * U * inside * ((1 / 16 + SPREAD**2) * np.square(product) + np.square(SPREAD * y))


def _spread_of_a_sum(s: Array, y: Array) -> Array:
    """A product of at most 1/2 and a sum of at most 1 round."""
    return np.square(SPREAD * U) * (1 / 4 + np.square(y))


def _far(slope_growth: float) -> Callable[..., Array]:
    """The reach of a function whose slope grows at most e^(slope_growth |d|) times over d."""
    return lambda s, y, d, slope: slope * np.expm1(slope_growth * d) / slope_growth


@dataclass(frozen=True)
class Pointwise:
    """An activation y = value(s) of sums s that are known within d.

    slope(s, y): its derivative. reach(s, y, d, slope): how far y moves at most, by default
    slope d. own(s, y): how far float32's own rounding of the activation may carry y. own2(s, y):
    the variance of that, by default of a seventh of it.
    """

    value: Callable[..., Any]
    slope: Callable[..., Any]
    own: Callable[..., Any]
    reach: Callable[..., Any] = lambda s, y, d, slope: np.abs(slope) * d
    own2: Callable[..., Any] | None = None
    along_last: bool = False  # whether an element depends on the others of the last axis

    def variance(self, s: Array, y: Array) -> Array:
        """Of float32's own rounding of the activation."""
        if self.own2:
            return self.own2(s, y)
        return np.square(self.own(s, y) / WORST_TO_SIGMA)

    def through(self, s: Array, bound2: Array, sigma2: Array) -> tuple[Array, Array, Array]:
        """(y, B squared, sigma squared) of sums s, from those of the sums."""
        y = self.value(s)
        slope, own = self.slope(s, y), self.own(s, y)
        with np.errstate(over="ignore", invalid="ignore"):  # of sums that are not finite
            bound = self.reach(s, y, np.sqrt(bound2), slope) + own
        variance = np.square(slope) * sigma2 + self.variance(s, y) + FLUSHED**2
        return y, np.square(bound) + NOTHING, variance

    def of(self, sums: Whole) -> Whole:
        """The activation of a Whole witness of sums, with what it makes of their bound."""
        s, bound2, sigma2, certain2 = (
            a.reshape(sums.shape) for a in (sums.out, sums.bound2, sums.sigma2, sums.certain2)
        )
        y, of_bound2, variance = self.through(s, bound2, sigma2)
        operands2 = sums.operands2
        if operands2 is not None:
            slope2 = np.square(self.slope(s, y))
            operands2 = slope2 * operands2.reshape(sums.shape) + FLUSHED**2
        of_certain2 = self.through(s, certain2, sigma2)[1]
        return Whole(sums.axis, y, of_bound2, variance, of_certain2, operands2)


# Keras's name of an activation -> its formula. Slopes are those at s; where a slope changes within
# d the reach counts the largest.
POINTWISE = {
    "linear": Pointwise(lambda s: s, lambda s, y: np.ones_like(s), lambda s, y: 0 * s),
    "sigmoid": Pointwise(
        sigmoid,
        lambda s, y: y * (1 - y),
        sigmoid_rounding,
        reach=_far(1),
        own2=_sigmoid_variance,
    ),
    "hard_sigmoid": Pointwise(
        hard_sigmoid,
        lambda s, y: 0.2 * (np.abs(s) < 2.5),
        lambda s, y: U * (np.abs(s) < 2.5 + 8 * U) * (0.25 * np.abs(s) + y) + FLUSHED,
        reach=lambda s, y, d, slope: 0.2 * d * (np.abs(s) < 2.5 + d),
        own2=_hard_sigmoid_variance,
    ),
    "tanh": Pointwise(
        np.tanh,
        lambda s, y: 1 - np.square(y),
        lambda s, y: 4 * U * np.abs(y) + FLUSHED,
        reach=_far(2),
    ),
    "softmax": Pointwise(
        softmax,
        lambda s, y: 2 * y,
        _softmax_own,
        reach=lambda s, y, d, slope: y * np.expm1(2 * d.max(axis=-1, keepdims=True)),
        along_last=True,
    ),
    "relu": Pointwise(
        relu, lambda s, y: 1.0 * (s > 0), lambda s, y: 0 * s, reach=lambda s, y, d, _: d * (s > -d)
    ),
    "elu": Pointwise(
        functools.partial(elu, alpha=1.0),
        lambda s, y: np.exp(np.minimum(s, 0)),
        lambda s, y: (s <= 8 * U) * (U * (8 - 2 * np.exp(np.minimum(s, 0))) + FLUSHED),
        reach=lambda s, y, d, _: d * np.exp(np.minimum(s + d, 0)),
    ),
    "softplus": Pointwise(softplus, lambda s, y: sigmoid(s), _softplus_own, reach=_far(1)),
    "softsign": Pointwise(
        softsign,
        lambda s, y: np.square(1 - np.abs(y)),
        lambda s, y: 4 * U * np.abs(y) + FLUSHED,
        reach=lambda s, y, d, _: d / np.square(1 + np.maximum(np.abs(s) - d, 0)),
        own2=lambda s, y: 2 * np.square(SPREAD * U * y),  # of a sum and a quotient
    ),
}


class Applied(Witness):
    """An activation of float32 values that are known exactly: only its own rounding counts."""

    def __init__(self, x: Array, activation: Pointwise):
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x, self.activation = np.ascontiguousarray(x).reshape(self.view), activation

    def block(self, where: Where) -> Block:
        x = self.x[where].astype(np.float64)
        y = self.activation.value(x)
        own, sigma2 = self.activation.own(x, y), self.activation.variance(x, y) + FLUSHED**2
        exact = int(np.count_nonzero(own == 0))
        return Block(where, y, np.square(own) + NOTHING, sigma2, exact_count=exact)


def applied_whole(x: Array, activation: Pointwise, axis: int = -1) -> Whole:
    """The same, at once, along an axis on which the elements depend on each other."""
    turned = np.swapaxes(x, axis, -1).astype(np.float64)
    y = activation.value(turned)
    bound2 = np.square(activation.own(turned, y))
    parts = (y, bound2, activation.variance(turned, y) + FLUSHED**2, bound2)
    return Whole(min(1, x.ndim - 1), *(np.swapaxes(part, axis, -1) for part in parts))


def _other(apply: Callable[..., Any], activation: Pointwise, case: LayerCase) -> Any:
    return apply(case, activation)


def instead(own: str, apply: Callable[[LayerCase, Pointwise], Witness]) -> dict[str, Maker]:
    """{name: maker} of every other activation in the place of `own`; apply(case, Pointwise)."""
    table: dict[str, Maker] = {}
    for name, activation in POINTWISE.items():
        told = name.replace("_", " ")
        told = (
            f"{told} applied" if own == "linear" else f"{told} instead of {own.replace('_', ' ')}"
        )
        told = f"no {own.replace('_', ' ')}" if name == "linear" else told
        if name != own:
            table[told] = functools.partial(_other, apply, activation)
    return table


def _twice(once: Pointwise) -> Pointwise:
    """An activation of its own output; the first one's rounding goes through the second."""

    def own(s: Array, y: Array) -> Array:
        first = once.value(s)
        return once.reach(first, y, once.own(s, first), once.slope(first, y)) + once.own(first, y)

    def own2(s: Array, y: Array) -> Array:
        first = once.value(s)
        carried = np.square(once.slope(first, y)) * once.variance(s, first)
        return carried + once.variance(first, y)

    return replace(once, value=lambda s: once.value(once.value(s)), own=own, own2=own2)


def _applied(case: LayerCase, activation: Pointwise | None = None) -> Whole | Applied:
    activation = activation or POINTWISE[case.config["activation"]]
    return (applied_whole if activation.along_last else Applied)(case.x, activation)


def _activation_variants(case: LayerCase) -> dict[str, Maker]:
    own = case.config["activation"]
    table = instead(own, _applied)
    if own not in IDEMPOTENT:
        told = f"{own.replace('_', ' ')} applied twice"
        table[told] = lambda s: _applied(s, _twice(POINTWISE[own]))
    table |= {f"{own} of the negated input": lambda s: s.but(x=-s.x)}
    if own == "relu":
        table |= LEAKY
    if own == "hard_sigmoid":
        sixth = replace(
            POINTWISE[own],
            value=lambda s: np.clip(s / 6 + 0.5, 0, 1),
            own=lambda s, y: U * (np.abs(s) < 3 + 8 * U) * (np.abs(s) / 6 + y) + FLUSHED,
            own2=_spread_of_a_sum,
        )
        table["hard sigmoid with slope 1/6"] = lambda s: _applied(s, sixth)
    if own == "softmax":
        table["softmax along the first axis"] = lambda s: applied_whole(s.x, POINTWISE[own], 0)
    return table


def form_of_sigmoid(sums: Array, answer: Array) -> str | None:
    """What scores near 0 show, where they are not 1/(1 + exp(-s)): the grid of 2^-25 that
    tanh(s/2)/2 + 1/2 leaves there, or one score for all.
    """
    small = (sums < -14) & (sums > -40)
    scores, expected = answer[small].astype(np.float64), sigmoid(sums[small])
    # u: twice a library's exponential, and two roundings of its argument
    off = np.abs(scores - expected) > (16 + 4 * np.abs(sums[small])) * U * expected
    if not off.any():
        return None
    steps = scores * 2.0**25
    if (steps == np.rint(steps)).all():
        return "sigmoid by tanh"
    least = scores.min()
    clipped = off.sum() >= SEVERAL and (scores[off] == least).all()
    return f"scores of at least {least:.3g}" if clipped else ROUGH


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Every magnitude and a fine grid around each bend; rows of many spreads for a softmax."""
    own = case.config["activation"]
    if not POINTWISE[own].along_last:
        values = magnitudes(BENDS.get(own, (0.0,)), rng)
        says = form_of_sigmoid if own == "sigmoid" else None
        yield from of_table(case, values, "all magnitudes", says)
        return
    x = rng.standard_normal(like(case, 24), np.float32)
    x *= (2.0 ** np.arange(-16, 8)).reshape(-1, *[1] * (x.ndim - 1)).astype(np.float32)
    for part in batches(len(x)):
        yield of_witness("rows of many spreads", case, x[part])


SEVERAL = 3  # scores that are one, to be called clipped
ROUGH = "rough scores near 0"
BENDS = {"hard_sigmoid": (0.0, -2.5, 2.5), "sigmoid": (0.0, 15.0), "softplus": (0.0, 14.0, 16.0)}
ACTIVATION = LayerKind(
    "Activation",
    {"activation": tuple(POINTWISE)},
    reference=_applied,
    variants=_activation_variants,
    by_shape=(pooled_instead,),
    probes=probes,
)
