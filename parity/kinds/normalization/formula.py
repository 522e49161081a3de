"""Batch normalisation: Keras's dialects, its formula, and how far float32 may stray from it.

Whatever the dialect, the layer is scale (x - mean) + beta with scale = gamma/spread, one of each a
channel. Sources: Keras's normalization.py and backend/theano_backend.py of each version.
"""

import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import LayerCase, through_float64
from parity.numerics.regression import per_channel
from parity.numerics.rounding import (
    FLUSHED,
    SPREAD,
    Array,
    Scratch,
    U,
    Where,
    as_channels,
    blocks,
    tail_factor,
)
from parity.numerics.witness import Block, Limits, Whole, Witness

PARAMETERS = ("gamma", "beta", "running_mean", "running_std")
SAMPLE_MODE = 1  # of Keras's setting `mode`: every sample's own statistics, of its last axis
BATCH_MODE = 2  # of Keras's setting `mode`: the batch's own statistics, also when testing

# 1/spread of a stored or measured value s: Keras's dialects, then what ports made of them.
SPREADS: dict[str, Callable[[Any, float], Any]] = {
    "1/(s + eps)": lambda s, eps: 1 / (s + eps),
    "1/(sqrt(s) + eps)": lambda s, eps: 1 / (np.sqrt(s) + eps),
    "1/sqrt(s + eps)": lambda s, eps: 1 / np.sqrt(s + eps),
    "1/sqrt(s^2 + eps)": lambda s, eps: 1 / np.sqrt(s * s + eps),
    "1/(sqrt(s + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s + eps) + eps),
    "1/(sqrt(s^2 + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s * s + eps) + eps),
}
# Since which Keras: the formula of a stored `running_std`, and that of a batch's variance. 1.0.4 to
# 1.0.6 store a standard deviation, and add eps twice in mode 2.
DIALECTS = (
    ((1, 0, 4), "1/(s + eps)", "1/(sqrt(s + eps) + eps)"),
    ((1, 0, 7), "1/(sqrt(s) + eps)", "1/(sqrt(s) + eps)"),
    ((1, 0, 8), "1/sqrt(s + eps)", "1/sqrt(s + eps)"),
)
# Since which Keras: the eps of a layer that states none.
DEFAULTS = (((1, 0, 4), 1e-6), ((1, 0, 8), 1e-5), ((1, 2, 0), 1e-3))
LAST_KNOWN = (1, 2, 2)
ALIKE = 1e-12  # of their terms: nearer float64 values are the same


def dialect(keras: str) -> tuple[str, str]:
    """Names in SPREADS of 1/spread under that Keras: of the stored value, of a batch variance."""
    return _since(DIALECTS, keras)[1:]


def _since(rows: Any, keras: str) -> Any:
    """The last row that begins no later than that Keras."""
    version = tuple(map(int, keras.split("."))) if re.fullmatch(r"\d+(\.\d+)+", keras) else ()
    if not DIALECTS[0][0] <= version <= LAST_KNOWN:
        raise CannotRun(
            f"Keras {keras}: its batch normalisation is unknown here; known are 1.0.4 to 1.2.2"
        )
    return [row for row in rows if row[0] <= version][-1]


def uses_batch(case: LayerCase) -> bool:
    """Whether the layer normalises by its batch's own statistics."""
    return case.config["mode"] == BATCH_MODE


def epsilon(case: LayerCase) -> float:
    """The layer's eps, which a description may leave to the release."""
    stated = case.config.get("epsilon")
    return float(_since(DEFAULTS, case.keras)[1] if stated is None else stated)


def channel_axis(case: LayerCase) -> int:
    """The axis it normalises along, counted from the front."""
    return int(case.config["axis"]) % case.x.ndim


def view(case: LayerCase) -> Array:
    """The input as (before, C, after) around that axis."""

    def find() -> Any:
        shape = as_channels(case.x.shape, channel_axis(case))
        return np.ascontiguousarray(case.x).reshape(shape)

    return case.fact("view", find)


def batch(case: LayerCase) -> tuple[Array, Array, Array]:
    """Mean, biased variance and mean magnitude of the input per channel, float64, (C,) each."""
    return case.fact("batch", lambda: batch_statistics(view(case)))


def batch_statistics(x: Array) -> tuple[Array, Array, Array]:
    """The same of x (before, C, after), in two passes."""
    count, scratch = x.shape[0] * x.shape[2], Scratch()
    total, magnitude, variance = np.zeros((3, x.shape[1]))
    for where in blocks(x.shape):
        wide = _wide(x[where], scratch)
        total[where[1]] += per_channel(wide)
        magnitude[where[1]] += per_channel(np.abs(wide, out=wide))
    mean = total / count
    for where in blocks(x.shape):
        wide = _wide(x[where], scratch)
        wide -= mean[where[1], None]
        variance[where[1]] += per_channel(wide, wide)
    return mean, variance / count, magnitude / count


def _wide(part: Array, scratch: Scratch) -> Array:
    wide = scratch.take("wide", part.shape)
    np.copyto(wide, part)
    return wide


class Affine(NamedTuple):
    """scale (x - mean) + beta, (C,) each; measured: whether float32 measured mean and scale."""

    scale: Array
    mean: Array
    beta: Array
    measured: bool


def formula(case: LayerCase) -> Affine:
    """The layer's own Affine. ValueError where the parameters have another length."""
    channels = view(case).shape[1]
    for suffix in PARAMETERS:
        if case.parameter(suffix).shape != (channels,):
            raise ValueError(
                f"{suffix} of shape {case.params[suffix].shape} on {channels} channels"
            )
    mean, s = batch(case)[:2] if uses_batch(case) else map(case.parameter, PARAMETERS[2:])
    spread = SPREADS[dialect(case.keras)[uses_batch(case)]]
    scale = case.parameter("gamma") * spread(s, epsilon(case))
    return Affine(scale, mean, case.parameter("beta"), uses_batch(case))


class Errors(NamedTuple):
    """Of measured statistics: the worst error of a mean and, relative, of a spread; sigma of each.
    Zeros where the statistics are given.
    """

    of_mean: Any = 0.0
    of_spread: Any = 0.0
    sigma_mean: Any = 0.0
    sigma_spread: Any = 0.0


def measured_errors(
    mean: Array, variance: Array, size: Array, count: int, elements: Any, eps: float
) -> Errors:
    """Of a mean and a biased variance over `count` values of mean magnitude `size`, for an output
    of so many elements.
    """
    additions = 2 * np.sqrt(count)  # in a row, in blocked and row-wise float32 sums
    reduced = tail_factor(elements) * np.sqrt(additions)
    of_mean = U * (reduced * size + np.abs(mean))
    of_variance = U * variance * (reduced + 3) + of_mean**2
    sigma = SPREAD * U * np.sqrt(additions / 3)  # a random walk over one-sign partial sums
    twice = 2 * (variance + max(eps, 1e-12))  # d ln spread = d variance/twice
    return Errors(of_mean, of_variance / twice, sigma * size, sigma * (variance / twice))


class Rounded:
    """What any order of operations makes of scale (x - mean) + beta: B = per_x |x| + per_y |y| +
    constant, and sigma squared as coefficients of x^2, x and 1.
    """

    def __init__(self, scale: Array, mean: Array, beta: Array, errors: Errors) -> None:
        self.scale: Array = scale
        self.shift: Array = beta - scale * mean
        self.per_x, self.per_y = 4 * U * np.abs(scale), U + errors.of_spread
        self.product, self.moved = np.abs(scale * mean), np.abs(scale) * errors.of_mean
        added = np.abs(beta)
        self.constant = U * (4 * self.product + 2 * added) + self.moved
        self.constant = self.constant + added * errors.of_spread + FLUSHED
        rounding2, scale2 = (SPREAD * U) ** 2, np.square(scale)
        centred = 5 * rounding2 + np.square(errors.sigma_spread)  # of (s(x - mu))^2
        self.variance = (
            scale2 * (centred + 2 * rounding2),
            2 * rounding2 * scale * self.shift - 2 * scale2 * mean * centred,
            scale2 * (np.square(mean) * (centred + 3 * rounding2) + np.square(errors.sigma_mean))
            + rounding2 * (2 * np.square(beta) + np.square(self.shift))
            + FLUSHED**2,
        )


class Normalized(Witness):
    """Any order of operations: B = u(4|s|(|x|+|mu|) + 2|beta| + |y|), s = gamma/spread.

    With measured statistics also |s| bm + |y - beta| bv/(2(v+eps)), with |y|+|beta| for |y - beta|:
    what float32 may do to a mean and a variance over N values in blocks of about sqrt(N). sigma
    adds up the variances of what either order rounds. The last addition rounds beta alike onto the
    grid of a whole binade of y, by up to u|y|: an offset is no finding below one sigma, which is
    no less. See "Batch normalisation" in docs/numerics.md.
    """

    def __init__(self, case: LayerCase, affine: Affine) -> None:
        super().__init__(case.x.shape, channel_axis(case))
        self.axis_name = "channel" if self.axis == 1 else "time frame"
        self.x = view(case)
        scale, mean, beta = (row[:, None] for row in affine[:3])
        errors = Errors(*4 * (0 * mean,))
        if affine.measured:
            variance, size = (row[:, None] for row in batch(case)[1:])
            count = self.view[0] * self.view[2]
            errors = measured_errors(
                mean, variance, size, count, np.prod(self.shape), epsilon(case)
            )
        of = Rounded(scale, mean, beta, errors)
        self.scale, self.shift, self.per_x, self.per_y = of.scale, of.shift, of.per_x, of.per_y
        self.constant, self.variance = of.constant, of.variance
        gain, offset = 6 * U + errors.of_spread, 3 * U * (of.product + np.abs(beta)) + of.moved
        self.limits = Limits(gain.ravel(), offset.ravel(), beta.ravel(), 1.0)

    def _with_input(self, where: Where) -> tuple[Array, Array]:
        x = self.x[where]
        wide = self.scratch.take("x", x.shape)
        np.copyto(wide, x)
        o = np.multiply(wide, self.scale[where[1]], out=self.scratch.take("o", x.shape))
        o += self.shift[where[1]]
        return wide, o

    def value(self, where: Where) -> Array:
        return self._with_input(where)[1]

    def block(self, where: Where) -> Block:
        (x, o), channel = self._with_input(where), where[1]
        quadratic, linear, constant = self.variance
        sigma2 = np.multiply(x, quadratic[channel], out=self.scratch.take("sigma2", x.shape))
        sigma2 += linear[channel]
        sigma2 *= x
        sigma2 += constant[channel]
        bound = np.abs(x, out=x)
        bound *= self.per_x[channel]
        bound += self.constant[channel]
        size = np.abs(o, out=self.scratch.take("size", x.shape))
        size *= self.per_y[channel]
        bound += size
        return Block(where, o, np.square(bound, out=bound), sigma2)

    def most_distance(self, other: Any) -> float | None:
        """No element of another witness lies farther off than this, in units of this one's bound;
        None where unknown.

        y - y' = (s - s')(x - mu) + (beta - y'(mu)), and B = 4u|s|(|x| + |mu|) + v|y| + ... >= (4u +
        v)|s||x - mu| + what is left of the constant without v|beta|. Below 1, neither a gain nor an
        offset reaches what the regression asks for.
        """
        alike = isinstance(other, Normalized) and self.view == other.view
        if not alike or not np.may_share_memory(self.x, other.x):  # another input
            return None
        scale, beta = self.scale, self.limits.centre[:, None]
        if not scale.all():
            return None
        centre = (beta - self.shift) / scale  # mu, as shift = beta - s mu
        of_scale = np.abs(scale - other.scale) / (np.abs(scale) * (4 * U + self.per_y))
        at_centre = np.abs(other.shift + other.scale * centre - beta)
        at_centre[at_centre < ALIKE * (np.abs(scale * centre) + np.abs(beta))] = 0
        left = self.constant - 4 * U * np.abs(scale * centre) - self.per_y * np.abs(beta)
        return float((of_scale + at_centre / np.maximum(left, FLUSHED / 2)).max())


def of_samples(
    case: LayerCase,
    spread: str = "1/(sqrt(s + eps) + eps)",
    gamma: bool = True,
    beta: float = 1.0,
    centred: float = 1.0,
) -> Whole:
    """Keras's mode 1: every row of the last axis by its own mean and biased variance, then gamma
    and beta along that axis, in every release alike; with parts replaced.
    """
    x, n = case.x.astype(np.float64), case.x.shape[-1]
    for suffix in PARAMETERS[:2]:
        if case.parameter(suffix).shape != (n,):
            raise ValueError(f"{suffix} of shape {case.params[suffix].shape} on rows of {n}")
    mean = x.mean(axis=-1, keepdims=True)
    variance = np.square(x - mean).mean(axis=-1, keepdims=True)
    size, eps = np.abs(x).mean(axis=-1, keepdims=True), epsilon(case)
    errors = measured_errors(mean, variance, size, n, x.size, eps)
    scale = SPREADS[spread](variance, eps) * (case.parameter("gamma") if gamma else np.ones(n))
    of = Rounded(scale, centred * mean, beta * case.parameter("beta"), errors)
    out = scale * x + of.shift
    bound = of.per_x * np.abs(x) + of.per_y * np.abs(out) + of.constant
    quadratic, linear, constant = of.variance
    sigma2 = (quadratic * x + linear) * x + constant
    return Whole(x.ndim - 1, out, np.square(bound), sigma2, np.square(bound))


def propagate(case: LayerCase, d: Array) -> Array:
    """s' (a + d - m') - s (a - m) = s' d + (s' - s) a + (s m - s' m'): statistics and scale of a +
    d, primed, and of a.
    """
    if case.config["mode"] == SAMPLE_MODE:
        return through_float64(case, d)
    axis = channel_axis(case)
    a, out = view(case), d.reshape(as_channels(d.shape, axis))
    scale, mean, *_ = formula(case)
    slope, tilt, shift = scale, 0 * scale, 0 * scale
    if uses_batch(case):
        of_mean, of_variance = _statistics_change(a, out, mean)
        spread = SPREADS[dialect(case.keras)[1]](batch(case)[1] + of_variance, epsilon(case))
        slope = case.parameter("gamma") * spread
        tilt = slope - scale
        shift = -tilt * mean - slope * of_mean
    s, t, moved = (p.astype(np.float32)[:, None] for p in (slope, tilt, shift))
    for where in Witness(d.shape, axis).blocks():
        part, channel = out[where], where[1]
        part *= s[channel]
        if uses_batch(case):
            part += t[channel] * a[where] + moved[channel]
    return d


def _statistics_change(a: Array, d: Array, mean: Array) -> tuple[Array, Array]:
    """How mean and (biased) variance per channel of a (before, C, after) change with d: both (C,),
    float64.
    """
    count = a.shape[0] * a.shape[2]
    of_mean = sum(part.sum(axis=-1, dtype=np.float64) for part in d) / count
    of_variance = np.zeros(len(mean))
    for clip, channel in np.ndindex(a.shape[:2]):
        change = d[clip, channel] - of_mean[channel]  # float64, as the mean is
        centred = a[clip, channel] - mean[channel]
        of_variance[channel] += 2 * (centred @ change) + change @ change
    return of_mean, of_variance / count
