"""Activations: the table of point-wise formulas, and ELU.

Sources: Keras 1 activations.py and advanced_activations.py, Theano tensor/nnet/sigm.py.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from parity.kinds.api import ANY, LayerCase, LayerKind, Maker
from parity.kinds.fitting import Proposal, Seen, estimate
from parity.kinds.pooling import pooled_instead
from parity.numerics.rounding import FLUSHED, NOTHING, WORST_TO_SIGMA, Array, U, Where
from parity.numerics.witness import Block, Mapped, Whole, Witness

SMALL = 2.0**-10  # below it d + d^2/2 is expm1(d) to d^2/6 = 1.6e-7 of itself
SELU = 1.0507009873554805, 1.6732632423543772  # scale, alpha: Klambauer et al. 2017
LN2 = 0.6931471805599453
LATTICE_ENOUGH = 2**20  # values of an ELU that show which exponential was taken


def elu(x: Array, alpha: float) -> Array:
    """relu(x) + alpha (exp(min(x, 0)) - 1): float64's exp - 1 errs by 1e-9 of the float32 bound."""
    negative = np.minimum(x, 0).astype(np.float64)
    np.exp(negative, out=negative)
    return np.maximum(x, 0) + alpha * (negative - 1)


def sigmoid(x: Array) -> Array:
    """Theano's float64 sigmoid: exactly 1 above 19 and 0 below -709 (ScalarSigmoid.c_code)."""
    inner = 1 / (1 + np.exp(-np.clip(x, -709, 19)))
    return np.where(x > 19, 1.0, np.where(x < -709, 0.0, inner))


def hard_sigmoid(x: Array) -> Array:
    """clip(0.2 x + 0.5, 0, 1)."""
    return np.clip(0.2 * x + 0.5, 0, 1)


def softmax(x: Array) -> Array:
    """exp(x)/sum exp(x) along the last axis."""
    powers = np.exp(x - x.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


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

    def of(self, sums: Whole) -> Whole:
        """The activation of a Whole witness of sums, with what it makes of their bound."""
        s = sums.out
        y = self.value(s)
        slope, own = self.slope(s, y), self.own(s, y)
        own2 = np.square(own / WORST_TO_SIGMA) if self.own2 is None else self.own2(s, y)
        with np.errstate(over="ignore", invalid="ignore"):  # of sums that are not finite
            bound, certain = (
                self.reach(s, y, np.sqrt(d2), slope) + own for d2 in (sums.bound2, sums.certain2)
            )
        slope2 = np.square(slope)
        sigma2 = slope2 * sums.sigma2 + own2 + FLUSHED**2
        operands2 = None if sums.operands2 is None else slope2 * sums.operands2 + FLUSHED**2
        out = y.reshape(sums.shape)
        return Whole(sums.axis, out, np.square(bound), sigma2, np.square(certain), operands2)


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
        lambda s, y: U * y * (8 + s.shape[-1] + 4 * np.abs(s).max()) + FLUSHED,
        reach=lambda s, y, d, slope: y * np.expm1(2 * d.max(axis=-1, keepdims=True)),
    ),
}


class Elu(Witness):
    """ELU: x > 0 must arrive bit for bit; x <= 0: B = |alpha| u(6 e^x + 8|e^x - 1|), which holds
    for exp - 1 and for expm1.

    The constants are twice a vector library's worst exp, 2.5 ulp, and the subtraction.
    """

    one_sided = True

    def __init__(self, x: Array, alpha: float) -> None:
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x, self.alpha = np.ascontiguousarray(x).reshape(self.view), float(alpha)

    def value(self, where: Where) -> Array:
        return elu(self.x[where], self.alpha)

    def block(self, where: Where) -> Block:
        x, scratch = self.x[where], self.scratch
        o, narrow = scratch.take("o", x.shape), scratch.take("narrow", x.shape, self.x.dtype)
        np.copyto(o, np.minimum(x, 0, out=narrow))
        np.exp(o, out=o)
        room = scratch.take("bound", x.shape)
        bound = np.multiply(o, -2 * U * abs(self.alpha), out=room)  # 6 e^x + 8(1 - e^x)
        bound += 8 * U * abs(self.alpha) + FLUSHED
        o -= 1
        if self.alpha != 1:
            o *= self.alpha
        o += np.maximum(x, 0, out=narrow)  # where x > 0, o was 0
        negative = np.less_equal(x, 0, out=scratch.take("negative", x.shape, bool))
        bound *= negative
        bound += NOTHING**0.5
        exact_count = x.size - int(np.count_nonzero(negative))
        return Block(where, o, np.square(bound, out=bound), exact_count=exact_count)


def _propagate(case: LayerCase, d: Array) -> Array:
    """p + alpha e^min(a,0) expm1(d - p), where p = max(a+d, 0) - max(a, 0) = max(d, -a) + min(a,
    0).
    """
    alpha = np.float32(case.config["alpha"])
    judge = Witness(d.shape, min(1, d.ndim - 1))
    a, out = np.ascontiguousarray(case.x).reshape(judge.view), d.reshape(judge.view)
    for where in judge.blocks():
        part, negative = out[where], np.minimum(a[where], 0)
        positive = np.maximum(part, -a[where]) + negative
        part -= positive  # min(a+d, 0) - min(a, 0)
        exp_change(negative, part)
        part *= alpha
        part += positive
    return d


def exp_change(x: Array, d: Array) -> None:
    """d becomes e^(x+d) - e^x = e^x expm1(d), for x and x + d up to 0; x may be overwritten."""
    largest = d.max()
    if largest > 1:  # expm1 may overflow, and where d is large nothing cancels
        before, far = np.exp(x), np.exp(np.minimum(x + d, 0))
        np.copyto(d, np.where(d > 1, far - before, before * np.expm1(np.minimum(d, 1))))
        return
    if max(largest, -d.min()) < SMALL:
        d *= 1 + d / 2
    else:
        np.expm1(d, out=d)
    d *= np.exp(x, out=x)


def _leaky(slope: float) -> Maker:
    return lambda s: Mapped(s.x, lambda x: np.where(x > 0, x, slope * x))


VARIANTS = {
    "ReLU": lambda s: s.but(config={"alpha": 0.0}),
    **{f"leaky ReLU with slope {slope:g}": _leaky(slope) for slope in (0.01, 0.1, 0.2, 0.3)},
    "SELU": lambda s: Mapped(s.x, lambda x: SELU[0] * elu(x, SELU[1])),
    "tanh": lambda s: Mapped(s.x, np.tanh),
    "sigmoid": lambda s: Mapped(s.x, sigmoid),
    "ELU of the negated input": lambda s: s.but(x=-s.x),
    "ELU applied twice": lambda s: Mapped(s.x, lambda x: elu(elu(x, 1.0), 1.0)),
}


def negative_side(seen: Seen) -> Iterator[Proposal]:
    """ELU with another alpha, leaky ReLU with another slope: a constant times a known function of
    x <= 0.
    """
    x = seen.case.x.ravel()
    negative = np.flatnonzero(x < 0)[:: max(1, x.size // 2**18)]
    if not len(negative):
        return
    y, x = (a.ravel()[negative].astype(np.float64) for a in (seen.actual, x))
    alpha, error = _factor(np.expm1(x), y)
    name = f"alpha {alpha:.6g} instead of {seen.case.config['alpha']:g}"
    yield Proposal(name, seen.case.but(config={"alpha": alpha}), estimate("alpha", alpha, error))
    slope, error = _factor(x, y)
    name = f"leaky ReLU with slope {slope:.6g}"
    yield Proposal(name, _leaky(slope)(seen.case), estimate("slope", slope, error))


def _factor(x: Array, y: Array) -> tuple[float, float]:
    factor = np.dot(x, y) / np.dot(x, x)
    return float(factor), float(np.sqrt(np.sum(np.square((y - factor * x) * x))) / np.dot(x, x))


def form(case: LayerCase, actual: Array) -> dict[str, Any] | None:
    """Which form of the exponential an output shows, by its lattice: {lattice_share, formula}.

    None where nothing shows it, and where ELU's formula does not explain the output: then neither
    form of it ran.
    """
    if actual.shape != case.x.shape:
        return None
    few = np.s_[:, :: max(1, case.x.size // LATTICE_ENOUGH)] if case.x.ndim > 1 else np.s_[:]
    x, y, alpha = case.x[few], actual[few], float(case.config["alpha"])
    share = lattice_share(x, y, alpha) if _explained(Elu(x, alpha), y) else None
    if not share:
        return None
    formula = "exp(x) - 1" if share == 1 else "expm1(x)" if share < 0.7 else None
    return {"lattice_share": share, "formula": formula}


def lattice_share(x: Array, y: Array, alpha: float = 1.0) -> float | None:
    """Share of the outputs for -ln 2 < x < 0 on the 2^-24 grid: 1 where exp(x) - 1 was computed,
    far less for expm1.

    exp(x) lies in (1/2, 1), whose float32 numbers are 2^-24 apart; subtracting 1 is exact. None
    where no x lies there.
    """
    inside = (x > -LN2) & (x < 0)
    if alpha != 1.0 or not inside.any():
        return None
    scaled = y[inside].astype(np.float64) * 2.0**24
    return float(np.mean(scaled == np.rint(scaled)))


def _explained(judge: Witness, values: Array) -> bool:
    flat = np.ascontiguousarray(values).reshape(judge.view)
    return all(judge.block(where).holds(flat[where]) for where in judge.blocks())


ELU = LayerKind(
    "ELU",
    {"alpha": ANY},
    reference=lambda case: Elu(case.x, case.config["alpha"]),
    variants=lambda case: VARIANTS,
    fits=((negative_side,),),
    by_shape=(pooled_instead,),
    propagate=_propagate,
    inspect=form,
    channelwise=True,
)
