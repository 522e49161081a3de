"""How far float32 rounding alone may carry each layer kind from its float64 value, element by
element.

`witness(layer, params, x, keras)` gives the oracle's value and the bound in blocks that fit the
core's cache. Every output is
seen as (before, channels, after): three axes around the one its parameters live on, never copied.
B is the working bound and sigma the rounding error to expect; u = 2^-24. The formulas and their
sources stand at each kind.
"""

import numpy as np

from parity.kinds import oracle, small_bounds
from parity.numerics.rounding import (
    BLOCK,
    FLUSHED,
    NOTHING,
    SPREAD,
    Block,
    Limits,
    Moves,
    U,
    Witness,
    squares,
    tail_factor,
)

__all__ = ["BLOCK", "squares", "witness", "witness_beside"]

POSITIONS_ENOUGH = 2**12  # of a convolution's input, to tell how much of it repeats


class Sums(Witness):
    """Convolution: B = lam u sqrt(V), V = n S^2/3 + n Q/6 + Q + S^2, sigma = 0.425 u sqrt(V), n
    terms with the bias.

    S the sums, Q the sums of squared terms: the variance of a rounded sum over the orders it can
    be taken in (Hallman and
    Ipsen, Numer. Math. 155, 2023). Certain: n u sum|terms| for any order, blocking or fused
    multiply (Jeannerod and Rump, SIMAX 34, 2013).
    """

    weighs_taps = True

    def __init__(self, layer, params, x):
        self.x, self.conv = np.ascontiguousarray(x), oracle.convolution(layer, params, x.shape[1])
        super().__init__(self.conv.output_shape(x.shape), 1)
        self.fast = self.conv.squares_fit(x)
        lam, n = tail_factor(np.prod(self.shape)), self.conv.terms
        self.sums_share, self.squares_share = (
            (lam * U) ** 2 * (n / 3 + 1),
            (lam * U) ** 2 * (n / 6 + 1),
        )
        self.floor = self.squares_share * np.square(self.conv.bias)[:, None] + (n * FLUSHED) ** 2
        self.sigma_share = SPREAD / lam
        self.certain_share = lam * np.sqrt(n / 2 + 2) / n  # as S^2 <= A^2 and Q <= A^2
        last = 1 / (SPREAD * np.sqrt(n / 3 + 1))  # sigmas of u|S|, the rounding of b added last
        alike = max(0.5, last, tail_factor(len(self.conv.bias)) * np.sqrt(self._repeated()))
        self.limits = Limits(
            np.full(len(self.conv.bias), 2 * U),
            np.zeros(len(self.conv.bias)),
            self.conv.bias,
            alike,
        )

    def _repeated(self):
        """phi, 0 to 1: the share of a sum's rounding that is the same at many positions, so that
        no mean over them takes it away.

        A partial sum s lies on float32's grid. What adding w x rounds off depends on w x modulo
        that grid alone, so it is the same wherever x is the same to within half a step of it, |dx|
        <= u|s|/(2|w|): a saturated ELU's -1 is. phi = mean r^2 over input channels, r the share of
        a channel's values as near as that to its median, at positions that differ. The mean error
        of a channel then has a deviation of sqrt(phi) sigma at most, and lam times that in the
        worst of all channels.
        Measured: sqrt(phi) 0.4 and mean errors of 0.25 sigma at conv3 of CNN, whose input
        saturates; 0.001 and 0.06 at CNN0's.
        """
        few = np.moveaxis(self.x, 1, 0).reshape(self.x.shape[1], -1)
        few = np.unique(few[:, :: max(1, few.shape[1] // POSITIONS_ENOUGH)], axis=1)
        every = list(self.blocks())
        sums = np.sqrt(
            np.mean([np.square(self.value(where)).mean() for where in (every[0], every[-1])])
        )
        near = U * sums / (2 * max(np.sqrt(self.conv.squares.mean()), FLUSHED))
        return float(
            np.mean(
                np.square(
                    (np.abs(few - np.median(few, axis=1, keepdims=True)) <= near).mean(axis=1)
                )
            )
        )

    def blocks(self):
        return self.conv.blocks(self.x.shape)

    def value(self, where):
        return self.conv.sums(self.x, where)

    def block(self, where):
        o, terms2, below = self.conv.sums_and_squares(self.x, where, self.fast)
        bound2 = np.square(o, out=self.scratch.take("bound2", o.shape))
        bound2 *= self.sums_share
        bound2 += self.floor
        terms2 *= terms2.dtype.type(self.squares_share * below)
        bound2 += terms2
        return Block(where, o, bound2)

    def certain(self, block):
        magnitudes = self.conv.magnitudes(self.x, block.where)
        operands = 2 * SPREAD**2 * self.conv.square_sums(self.x, block.where)
        return np.square(
            self.conv.terms * (U * magnitudes + FLUSHED / min(1, self.certain_share))
        ), operands


class SumsBeside(Sums):
    """A convolution on an input that differs little from another's: float32 suffices for what the
    difference adds.

    A sum is linear, so o = o' + sum w dx, where dx = x - x'. In float32 that term errs by at most
    (n+1) u |dx| sum|w|, and sqrt(V) is a norm of (S, terms), so B >= B' - B(dx). Both are asked to
    be below SLACK of B', channel by channel, with the largest |dx| of the rows read; B is then
    shrunk by their sum. Otherwise the block is computed anew.
    """

    SLACK = 0.01
    weighs_taps = False  # they are, beside the original's own input

    def __init__(self, layer, params, x, original):
        super().__init__(layer, params, x)
        self.change = self.x - original.x
        self.largest = np.maximum(
            self.change.max(axis=(1, 3)), -self.change.min(axis=(1, 3))
        )  # (clip, row)
        self.matrix = self.conv.matrix.astype(np.float32)
        reach = np.abs(self.conv.matrix).sum(axis=1)  # (K,): largest |sum w dx| per |dx|
        rounding = (self.conv.terms + 1) * U * reach
        bound = np.sqrt(
            self.sums_share * reach**2 + self.squares_share * self.conv.squares.sum(axis=1)
        )
        self.needed = np.square(
            np.maximum(rounding, bound) / self.SLACK
        )  # B'^2 at least, per largest |dx|^2

    def beside(self, where, original):
        rows = self.conv.rows_read(where, self.x.shape)
        change = self.largest[where[0], rows].max(initial=0.0)
        if not (original.bound2.min(axis=(0, 2)) >= self.needed * np.float64(change) ** 2).all():
            return self.block(where)
        added = self.matrix @ self.conv.patches(self.change, where)
        o = np.add(original.o, added, out=self.scratch.take("near", original.o.shape))
        bound2 = np.multiply(
            original.bound2, (1 - 2 * self.SLACK) ** 2, out=self.scratch.take("bound2", o.shape)
        )
        return Block(where, o, bound2)


class Normalized(Witness):
    """BatchNormalization, any order of operations: B = u(4|s|(|x|+|mu|) + 2|beta| + |y|), s =
    gamma/spread.

    With the batch's own statistics also |s| bm + |y - beta| bv/(2(v+eps)), with |y|+|beta| for |y
    - beta|: what float32 may do to a mean and a variance over N values in blocks of about sqrt(N);
    a float64 accumulator, Theano's, stays far below. sigma adds up the variances of what either
    order rounds, each (0.425 u)^2 of its square: three roundings of s and two of s(x - mu), s x,
    three of s mu, two of beta, and y. B/7 was too small on real traces (q 1.6): the roundings of s
    are the same in a whole channel and do not average out. Nor does the last addition, which
    rounds beta alike onto the grid of a whole binade of y, by up to u|y|: an offset is no finding
    below one sigma, which is no less than that.
    """

    def __init__(self, layer, params, x, keras):
        super().__init__(x.shape, oracle.channel_axis(layer, x.shape))
        self.axis_name = "channel" if self.axis == 1 else "time frame"
        self.x = np.ascontiguousarray(x).reshape(self.view)
        formula = oracle.normalization(layer, params, self.x, keras)
        scale, mean, beta, variance, size = (None if p is None else p[:, None] for p in formula)
        self.scale, self.shift = scale, beta - scale * mean
        errors = self._statistics_errors(mean, variance, size, float(layer.config["epsilon"]))
        of_mean, of_spread, sigma_mean, sigma_spread = errors
        self.per_x, self.per_y = 4 * U * np.abs(scale), U + of_spread
        product, shift, moved = np.abs(scale * mean), np.abs(beta), np.abs(scale) * of_mean
        self.constant = U * (4 * product + 2 * shift) + moved + shift * of_spread + FLUSHED
        self.limits = Limits(
            (6 * U + of_spread).ravel(),
            (3 * U * (product + shift) + moved).ravel(),
            beta.ravel(),
            1.0,
        )
        self.variance = self._variance(mean, beta, np.square(sigma_mean), np.square(sigma_spread))

    def _variance(self, mean, beta, of_mean, of_spread):
        """sigma squared as the coefficients of x^2, x and 1, each (C, 1)."""
        rounding2, scale2 = (SPREAD * U) ** 2, np.square(self.scale)
        centred = 5 * rounding2 + of_spread  # of (s(x - mu))^2
        return (
            scale2 * (centred + 2 * rounding2),
            2 * rounding2 * self.scale * self.shift - 2 * scale2 * mean * centred,
            scale2 * (np.square(mean) * (centred + 3 * rounding2) + of_mean)
            + rounding2 * (2 * np.square(beta) + np.square(self.shift))
            + FLUSHED**2,
        )

    def _statistics_errors(self, mean, variance, size, eps):
        """Errors of the batch mean and, relative, of the batch spread: (worst, worst, sigma,
        sigma), (C, 1). size: mean |x|.
        """
        if variance is None:
            return (np.zeros_like(mean),) * 4
        count = self.view[0] * self.view[2]
        additions = 2 * np.sqrt(count)  # in a row, in blocked and row-wise float32 sums
        reduced = tail_factor(np.prod(self.shape)) * np.sqrt(additions)
        of_mean = U * (reduced * size + np.abs(mean))
        of_variance = U * variance * (reduced + 3) + of_mean**2
        sigma = SPREAD * U * np.sqrt(additions / 3)  # a random walk over one-sign partial sums
        share = variance / (2 * (variance + eps))  # d ln spread / d ln variance
        return of_mean, of_variance / (2 * (variance + eps)), sigma * size, sigma * share

    def _wide(self, where):
        x = self.x[where]
        wide = self.scratch.take("x", x.shape)
        np.copyto(wide, x)
        o = np.multiply(wide, self.scale[where[1]], out=self.scratch.take("o", x.shape))
        o += self.shift[where[1]]
        return wide, o

    def value(self, where):
        return self._wide(where)[1]

    def block(self, where):
        (x, o), channel = self._wide(where), where[1]
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


class Elu(Witness):
    """ELU: x > 0 must arrive bit for bit; x <= 0: B = |alpha| u(6 e^x + 8|e^x - 1|), which holds
    for exp - 1 and for expm1.

    The constants are twice a vector library's worst exp (numpy AVX: 2.52 units in the last place)
    and the subtraction.
    """

    one_sided = True

    def __init__(self, layer, x):
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x = np.ascontiguousarray(x).reshape(self.view)
        self.alpha = float(layer.config["alpha"])

    def value(self, where):
        return oracle.elu(self.x[where], self.alpha)

    def block(self, where):
        x, scratch = self.x[where], self.scratch
        o, narrow = scratch.take("o", x.shape), scratch.take("narrow", x.shape, self.x.dtype)
        np.copyto(o, np.minimum(x, 0, out=narrow))
        np.exp(o, out=o)
        bound = np.multiply(
            o, -2 * U * abs(self.alpha), out=scratch.take("bound", x.shape)
        )  # 6 e^x + 8(1 - e^x)
        bound += 8 * U * abs(self.alpha) + FLUSHED
        o -= 1
        if self.alpha != 1:
            o *= self.alpha
        o += np.maximum(x, 0, out=narrow)  # where x > 0, o was 0
        negative = np.less_equal(x, 0, out=scratch.take("negative", x.shape, bool))
        bound *= negative
        bound += NOTHING**0.5
        return Block(
            where,
            o,
            np.square(bound, out=bound),
            exact_count=x.size - int(np.count_nonzero(negative)),
        )


WITNESSES = {
    "Convolution2D": lambda layer, params, x, keras: Sums(layer, params, x),
    "BatchNormalization": Normalized,
    "ELU": lambda layer, params, x, keras: Elu(layer, x),
    "GRU": lambda layer, params, x, keras: small_bounds.gru(layer, params, x),
    "Dense": lambda layer, params, x, keras: small_bounds.dense(layer, params, x),
    **{
        kind: lambda layer, params, x, keras: Moves(oracle.MOVES[layer.kind](layer.config, x))
        for kind in oracle.MOVES
    },
}


def witness(layer, params, x, keras):
    """The oracle of `layer` on float32 input x, with its rounding bound: a rounding.Witness.

    Raises CannotRun for a kind, setting or Keras version the oracle does not know, or an input it
    cannot take.
    """
    oracle.check_settings(layer)
    with oracle.said_of(layer, x):
        return WITNESSES[layer.kind](layer, params, x, keras)


def witness_beside(original, layer, params, x, keras):
    """A second witness of the layer `original` was made for, on an input of the same shape; ask
    its blocks by `beside`.
    """
    if isinstance(original, Sums) and x.dtype == original.x.dtype == np.float32:
        return SumsBeside(layer, params, x, original)
    return witness(layer, params, x, keras)


def logits(layer, params, x):
    """The witness of a Dense layer's sums before its activation."""
    return small_bounds.dense(layer, params, x, activation=False)
