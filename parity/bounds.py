"""How far float32 rounding alone may carry each layer kind from its float64 value, element by element.

`witness(layer, params, x, keras)` gives the oracle's value and the bound in blocks that fit the core's cache. Every output is
seen as (before, channels, after): three axes around the one its parameters live on, never copied.
B is the working bound and sigma the rounding error to expect; u = 2^-24. The formulas and their sources stand at each kind.
"""

import itertools
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from parity import oracle
from parity.convolution import BLOCK, U
from parity.errors import CannotRun

FALSE_ALARM = 1e-6  # family-wise rate per tensor at which clean rounding may pass B, errors taken as independent
FLUSHED = 2.0**-126  # smallest normal float32: what is lost where results below it are flushed to zero
NOTHING = 2.0**-1000  # stands for B^2 = 0, so that 0/B^2 is 0 and the smallest float32 difference is still beyond it
SPREAD = 0.425  # standard deviation of one float32 rounding in units of u: (u^2/3) E[m^-2] for a log-uniform mantissa m
WORST_TO_SIGMA = 7.0  # B counts the worst case for element-wise kinds; measured rms/B is 0.11 to 0.15


def squares(x):
    """Sum of the squares of an array, in float64."""
    flat = np.ravel(x).astype(np.float64, copy=False)
    return float(np.dot(flat, flat))


def tail_factor(elements):
    """lam = sqrt(2 ln(2M/delta)): how many sub-Gaussian deviations M elements reach with probability delta."""
    return np.sqrt(2 * np.log(2 * elements / FALSE_ALARM))


@dataclass
class Block:
    """A part of the oracle's output. where: slices into the (before, C, after) view; o: values, float64 (a moving kind: the
    input's dtype); bound2: B squared, None where nothing may round; sigma2: sigma squared, None where it is B times a constant."""

    where: tuple
    o: np.ndarray
    bound2: np.ndarray | None
    sigma2: np.ndarray | None = None
    exact_count: int = 0  # elements with B = 0

    @cached_property
    def weights(self):
        """1/B^2; where nothing may round, a number so large that any difference is beyond."""
        return 1 / NOTHING if self.bound2 is None else np.reciprocal(self.bound2)

    @cached_property
    def size2(self):
        """Sum of the squares of o."""
        return squares(self.o)

    @cached_property
    def precision(self):
        """1/sigma^2."""
        return np.reciprocal(self.sigma2)


@dataclass
class Limits:
    """What parameters' own rounding does to a channel: gain (C,) relative, offset (C,) absolute, read at o = centre (C,)."""

    gain: np.ndarray
    offset: np.ndarray
    centre: np.ndarray


class Witness:
    """The oracle of one layer on one input. shape: of the output; view: (before, C, after); sigma_share: sigma/B."""

    limits = None  # kinds whose channels are regressed for structure give theirs
    sigma_share = 1 / WORST_TO_SIGMA
    moves = False  # a kind that must be bit for bit
    certain_share = 1.0  # B/B_det at most; None: only known by computing B_det
    axis_name = "channel"
    one_sided = False  # a kind with a bound on one side of zero and none on the other

    def __init__(self, shape, axis):
        self.shape, self.axis = tuple(shape), axis
        self.view = oracle.as_channels(self.shape, axis)

    def blocks(self):
        """Yield the slices of every block; together they cover the view once."""
        steps, room = [], BLOCK
        for size in reversed(self.view):
            steps.append(max(1, min(size, room)))
            room //= steps[-1]
        ranges = [[slice(start, min(start + step, size)) for start in range(0, size, step)]
                  for size, step in zip(self.view, reversed(steps))]
        yield from itertools.product(*ranges)

    def value(self, where):
        """The oracle's float64 values there, without a bound."""
        return self.block(where).o

    def certain(self, block):
        """(B_det squared, variance from operands' own precision or None): B_det can be exceeded by no rounding at all."""
        return block.bound2, None


class Moves(Witness):
    """Padding, pooling, reshaping, permuting, dropout switched off: the values must arrive bit for bit."""

    moves = True

    def __init__(self, layer, params, x, keras):
        self.out = oracle.MOVES[layer.kind](layer.config, x)
        super().__init__(self.out.shape, min(1, self.out.ndim - 1))
        self.flat = np.ascontiguousarray(self.out).reshape(self.view)

    def block(self, where):
        o = self.flat[where]
        return Block(where, o, None, exact_count=o.size)


class Sums(Witness):
    """Convolution: B = lam u sqrt(V), V = n S^2/3 + n Q/6 + Q + S^2, sigma = 0.425 u sqrt(V), n terms with the bias.

    S the sums, Q the sums of squared terms: the variance of a rounded sum over the orders it can be taken in (Hallman and
    Ipsen, Numer. Math. 155, 2023). Certain: (n+1) u sum|terms| for any order, blocking or fused multiply (Jeannerod and Rump 2013).
    """

    def __init__(self, layer, params, x, keras):
        self.x, self.conv = np.ascontiguousarray(x), oracle.convolution(layer, params)
        super().__init__(self.conv.output_shape(x.shape), 1)
        self.fast = self.conv.squares_fit(x)
        lam = tail_factor(np.prod(self.shape))
        n = self.conv.terms
        self.sums_share, self.squares_share = (lam * U) ** 2 * (n / 3 + 1), (lam * U) ** 2 * (n / 6 + 1)
        self.floor = self.squares_share * np.square(self.conv.bias)[:, None] + (n * FLUSHED) ** 2
        self.sigma_share = SPREAD / lam
        self.certain_share = lam * np.sqrt(n / 2 + 2) / n  # as S^2 <= A^2 and Q <= A^2
        self.limits = Limits(np.full(len(self.conv.bias), 2 * U), np.zeros(len(self.conv.bias)), self.conv.bias)

    def blocks(self):
        return self.conv.blocks(self.x.shape)

    def value(self, where):
        return self.conv.sums(self.x, where)

    def block(self, where):
        o, squares, below = self.conv.sums_and_squares(self.x, where, self.fast)
        bound2 = np.square(o)
        bound2 *= self.sums_share
        bound2 += self.floor
        bound2 += squares * squares.dtype.type(self.squares_share * below)
        return Block(where, o, bound2)

    def certain(self, block):
        magnitudes = self.conv.magnitudes(self.x, block.where)
        operands = 2 * SPREAD**2 * self.conv.square_sums(self.x, block.where)
        return np.square(self.conv.terms * (U * magnitudes + FLUSHED / min(1, self.certain_share))), operands


class Normalized(Witness):
    """BatchNormalization, any order of operations: B = u(4|s|(|x|+|mu|) + 2|beta| + |y|), s = gamma/spread.

    With the batch's own statistics also |s| bm + |y - beta| bv/(2(v+eps)), with |y|+|beta| for |y - beta|: what float32 may do
    to a mean and a variance over N values in blocks of about sqrt(N); a float64 accumulator, Theano's, stays far below.
    sigma adds up the variances of what either order rounds, each (0.425 u)^2 of its square: three roundings of s and two
    of s(x - mu), s x, three of s mu, two of beta, and y. B/7 was too small on real traces (q 1.6): the roundings of s are the
    same in a whole channel and do not average out.
    """

    def __init__(self, layer, params, x, keras):
        super().__init__(x.shape, oracle.channel_axis(layer, x.shape))
        self.axis_name = "channel" if self.axis == 1 else "time frame"
        self.x = np.ascontiguousarray(x).reshape(self.view)
        scale, mean, beta, variance = (None if p is None else p[:, None] for p in oracle.normalization(layer, params, self.x, keras))
        self.scale, self.shift = scale, beta - scale * mean
        of_mean, of_spread, sigma_mean, sigma_spread = self._statistics_errors(mean, variance, float(layer.config["epsilon"]))
        self.per_x, self.per_y = 4 * U * np.abs(scale), U + of_spread
        parameters = np.abs(scale * mean) + np.abs(beta)
        self.constant = U * (4 * np.abs(scale * mean) + 2 * np.abs(beta)) + np.abs(scale) * of_mean + np.abs(beta) * of_spread + FLUSHED
        self.limits = Limits((6 * U + of_spread).ravel(), (3 * U * parameters + np.abs(scale) * of_mean).ravel(), beta.ravel())
        self.variance = self._variance(mean, beta, np.square(sigma_mean), np.square(sigma_spread))

    def _variance(self, mean, beta, of_mean, of_spread):
        """sigma squared as the coefficients of x^2, x and 1, each (C, 1)."""
        rounding2, scale2 = (SPREAD * U) ** 2, np.square(self.scale)
        centred = 5 * rounding2 + of_spread  # of (s(x - mu))^2
        return (scale2 * (centred + 2 * rounding2), 2 * rounding2 * self.scale * self.shift - 2 * scale2 * mean * centred,
                scale2 * (np.square(mean) * (centred + 3 * rounding2) + of_mean)
                + rounding2 * (2 * np.square(beta) + np.square(self.shift)) + FLUSHED**2)

    def _statistics_errors(self, mean, variance, eps):
        """Errors of the batch mean and, relative, of the batch spread: (worst, worst, sigma, sigma), each (C, 1)."""
        if variance is None:
            return (np.zeros_like(mean),) * 4
        count = self.view[0] * self.view[2]
        additions = 2 * np.sqrt(count)  # in a row, in blocked and row-wise float32 sums
        reduced = tail_factor(np.prod(self.shape)) * np.sqrt(additions)
        size = sum(np.abs(part).sum(axis=-1, dtype=np.float64) for part in self.x)[:, None] / count  # mean |x|
        of_mean = U * (reduced * size + np.abs(mean))
        of_variance = U * variance * (reduced + 3) + of_mean**2
        sigma = SPREAD * U * np.sqrt(additions / 3)  # a random walk over one-sign partial sums
        share = variance / (2 * (variance + eps))  # d ln spread / d ln variance
        return of_mean, of_variance / (2 * (variance + eps)), sigma * size, sigma * share

    def value(self, where):
        o = self.x[where].astype(np.float64)
        o *= self.scale[where[1]]
        o += self.shift[where[1]]
        return o

    def block(self, where):
        x, channel = self.x[where].astype(np.float64), where[1]
        o = x * self.scale[channel]
        o += self.shift[channel]
        quadratic, linear, constant = self.variance
        sigma2 = x * quadratic[channel]
        sigma2 += linear[channel]
        sigma2 *= x
        sigma2 += constant[channel]
        bound = np.abs(x, out=x)
        bound *= self.per_x[channel]
        bound += self.constant[channel]
        size = np.abs(o)
        size *= self.per_y[channel]
        bound += size
        return Block(where, o, np.square(bound, out=bound), sigma2)


class Elu(Witness):
    """ELU: x > 0 must arrive bit for bit; x <= 0: B = |alpha| u(6 e^x + 8|e^x - 1|), which holds for exp - 1 and for expm1.

    The constants are twice a vector library's worst exp (numpy AVX: 2.52 units in the last place) and the subtraction.
    """

    one_sided = True

    def __init__(self, layer, params, x, keras):
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x = np.ascontiguousarray(x).reshape(self.view)
        self.alpha = float(layer.config["alpha"])

    def value(self, where):
        return oracle.elu(self.x[where], self.alpha)

    def block(self, where):
        x = self.x[where]
        o = np.minimum(x, 0).astype(np.float64)
        np.exp(o, out=o)
        bound = o * (-2 * U)  # 6 e^x + 8(1 - e^x), as e^x <= 1 here
        bound += 8 * U
        bound *= abs(self.alpha)
        bound += FLUSHED
        np.square(bound, out=bound)
        o -= 1
        if self.alpha != 1:
            o *= self.alpha
        positive = x > 0
        o += np.maximum(x, 0)  # where x > 0, o is 0 here
        np.copyto(bound, NOTHING, where=positive)
        return Block(where, o, bound, exact_count=int(np.count_nonzero(positive)))


class Whole(Witness):
    """Small layers, computed at once: out, bound2, sigma2, certain2, operands2 (or None), all of the output's shape."""

    certain_share, axis_name = None, "unit"

    def finish(self, axis, out, bound2, sigma2, certain2, operands2=None):
        super().__init__(out.shape, axis)
        arrays = (out, bound2, sigma2, certain2) + (() if operands2 is None else (operands2,))
        self.out, self.bound2, self.sigma2, self.certain2, *self.operands2 = (a.reshape(self.view) for a in arrays)

    def block(self, where):
        return Block(where, self.out[where], self.bound2[where], self.sigma2[where])

    def certain(self, block):
        return self.certain2[block.where], self.operands2[0][block.where] if self.operands2 else None


class Gru(Whole):
    """GRU: the first-order covariance of the rounding errors is carried from step to step; B = lam sigma.

    Absolute values (Wilkinson's running analysis) grow to 1e5 u in 15 steps where the error is 4 u, so there is no certain
    bound worth the name: B stands in for it. The channel axis is time where the layer returns sequences.
    """

    def __init__(self, layer, params, x, keras):
        outs, variances = [], []
        units = oracle.parameter(layer, params, "U_z").shape[0]
        covariance = np.zeros((len(x), units, units))
        for step in oracle.gru_steps(layer, params, x):
            jacobian, local = _gru_step_errors(step)
            covariance = jacobian @ covariance @ jacobian.transpose(0, 2, 1)
            diagonal = np.einsum("bii->bi", covariance)
            diagonal += local
            outs.append(step["after"])
            variances.append(diagonal.copy())
        sequences = layer.config.get("return_sequences")
        out, sigma2 = (np.stack(many, axis=1) if sequences else many[-1] for many in (outs, variances))
        lam = tail_factor(out.size)
        bound2 = lam**2 * sigma2 + FLUSHED**2
        self.finish(1, out, bound2, sigma2 + FLUSHED**2, bound2)
        self.axis_name = "time step" if sequences else "unit"


def _gru_step_errors(s):
    """One step's (B, units, units) Jacobian dh_t/dh_{t-1} and (B, units) variance of the errors made in it."""
    p, h, z, r, c = s["params"], s["h"], s["z"], s["r"], s["c"]
    u2 = U * U
    slope_z, slope_r, slope_c = 0.2 * (np.abs(s["a_z"]) < 2.5), 0.2 * (np.abs(s["a_r"]) < 2.5), 1 - c * c
    gate = {g: slope**2 * _sum_variance(s, g, h) + u2 * ((slope * 1.25 * s[f"a_{g}"]) ** 2 + (slope > 0) * s[g] ** 2)
            for g, slope in (("z", slope_z), ("r", slope_r))}
    through_r = (h * h * gate["r"] + u2 * (r * h) ** 2) @ np.square(p["U_h"])
    of_c = slope_c**2 * (_sum_variance(s, "h", r * h) + through_r) + (4 * U * c) ** 2
    local = (h - c) ** 2 * gate["z"] + (1 - z) ** 2 * of_c + u2 * ((z * h) ** 2 + 2 * ((1 - z) * c) ** 2 + s["after"] ** 2)
    eye = np.eye(h.shape[1])
    inner = r[:, :, None] * eye + h[:, :, None] * slope_r[:, :, None] * p["U_r"].T  # d(r h)/dh
    of_state = slope_c[:, :, None] * (p["U_h"].T @ inner)
    jacobian = z[:, :, None] * eye + ((h - c) * slope_z)[:, :, None] * p["U_z"].T + (1 - z)[:, :, None] * of_state
    return jacobian, local


def _sum_variance(s, gate, state):
    """u^2 V of the gate's sum x W + b + state U: the formula of `Sums`."""
    p = s["params"]
    weights, recurrent, bias = p[f"W_{gate}"], p[f"U_{gate}"], p[f"b_{gate}"]
    n = len(weights) + len(recurrent) + 1
    squares = np.square(s["x"]) @ np.square(weights) + np.square(bias) + np.square(state) @ np.square(recurrent)
    return U * U * ((n / 3 + 1) * np.square(s[f"a_{gate}"]) + (n / 6 + 1) * squares)


class Dense(Whole):
    """Dense: the sums are bounded as a convolution's, carried through the sigmoid, whose own rounding is added.

    |sigmoid(s+d) - sigmoid(s)| <= y(1-y)(e^|d| - 1). Own rounding: the larger of 1/(1+exp(-s)), u y(2+6(1-y)), and of the
    tanh form, u(2|2y-1|+y). Theano's float32 code returns exactly 1 above 15 (tensor/nnet/sigm.py): there e^-s is added.
    """

    def __init__(self, layer, params, x, keras, activation=True):
        sums = oracle.dense_sums(layer, params, x)
        weights, wide = oracle.parameter(layer, params, "W"), x.astype(np.float64)
        bias = oracle.bias(layer, params, weights.shape[1])
        n, lam = len(weights) + 1, tail_factor(sums.size)
        squares = np.square(wide) @ np.square(weights) + np.square(bias)
        certain = n * (U * (np.abs(wide) @ np.abs(weights) + np.abs(bias)) + FLUSHED)
        deviation = U * np.sqrt((n / 3 + 1) * np.square(sums) + (n / 6 + 1) * squares)
        bound, slope, own, out = lam * deviation + n * FLUSHED, 1.0, 0.0, sums
        if activation and layer.config.get("activation", "linear") == "sigmoid":
            out = oracle.sigmoid(sums)
            slope, own = out * (1 - out), _sigmoid_rounding(sums, out)
            bound, certain = slope * np.expm1(bound) + own, slope * np.expm1(certain) + own
        sigma2 = np.square(SPREAD * slope * deviation) + np.square(own / WORST_TO_SIGMA) + FLUSHED**2
        self.finish(1, out, np.square(bound), sigma2, np.square(certain), 2 * np.square(SPREAD * slope) * squares + FLUSHED**2)


def _sigmoid_rounding(sums, y):
    forms = np.maximum(y * (2 + 6 * (1 - y)), 2 * np.abs(2 * y - 1) + y)
    return U * forms + np.where(sums > 15, np.exp(-np.maximum(sums, 15)), 0) + FLUSHED


WITNESSES = {"Convolution2D": Sums, "BatchNormalization": Normalized, "ELU": Elu, "GRU": Gru, "Dense": Dense,
             **dict.fromkeys(oracle.MOVES, Moves)}


def witness(layer, params, x, keras, *, activation=True):
    """The oracle of `layer` on float32 input x, with its rounding bound; activation=False: a Dense before its sigmoid.

    Raises CannotRun for a kind, setting or Keras version the oracle does not know, or an input it cannot take.
    """
    oracle.check_settings(layer)
    try:
        if layer.kind == "Dense":
            return Dense(layer, params, x, keras, activation)
        return WITNESSES[layer.kind](layer, params, x, keras)
    except (ValueError, IndexError) as error:
        raise CannotRun(f"layer {layer.name} ({layer.kind}): its parameters or settings do not fit an input of shape "
                        f"{tuple(x.shape)} ({error})") from error
