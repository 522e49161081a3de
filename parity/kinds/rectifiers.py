"""Witnesses of what is the identity above 0: ELU and leaky ReLU."""

import numpy as np

from parity.kinds.api import Maker
from parity.numerics.rounding import FLUSHED, NOTHING, SPREAD, Array, U, Where
from parity.numerics.witness import Block, Witness

# Keras 1 0.3, Torch 0.01, Chainer and TensorFlow 0.2, MXNet 0.25, Lasagne's very leaky one 1/3
SLOPES = (0.01, 0.1, 0.2, 0.25, 0.3, 1 / 3)


def elu(x: Array, alpha: float) -> Array:
    """relu(x) + alpha (exp(min(x, 0)) - 1): float64's exp - 1 errs by 1e-9 of the float32 bound."""
    negative = np.minimum(x, 0).astype(np.float64)
    np.exp(negative, out=negative)
    return np.maximum(x, 0) + alpha * (negative - 1)


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


class Leaky(Witness):
    """x above 0 and alpha x below it.

    Theano computes f1 x + f2 |x| with f1 = (1 + alpha)/2 and f2 = (1 - alpha)/2, in float32 from
    float32's alpha; ports choose between x and alpha x. The bound holds for both. |f1| + |f2| is
    m = max(1, |alpha|), so, in units of u:

    - the roundings of 1 + alpha and 1 - alpha make m |x| together, and float32's alpha |alpha x|
      more; above 0 that one is in f1 and f2 with opposite signs and cancels;
    - the two products make m |x|, the sum |y|.

    What rounding did to the constants is the same for all elements, so it does not average out:
    sigma takes it at its worst, and only products and sum at 0.425 u. (B/7 gives q = 3 where
    1 + alpha rounds far.) With alpha = 0 Theano computes 0.5 (x + |x|), which rounds nothing.
    """

    def __init__(self, x: Array, alpha: float) -> None:
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x, self.alpha = np.ascontiguousarray(x).reshape(self.view), alpha

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        x, most = self.x[where].astype(np.float64), max(1.0, abs(self.alpha))
        below = self.alpha * np.minimum(x, 0)
        o = np.maximum(x, 0) + below
        constants = U * (most * np.abs(x) + np.abs(below))
        bound = constants + U * (most * np.abs(x) + np.abs(o)) + 2 * most * FLUSHED
        products2 = (1 + self.alpha**2) / 2 * np.square(x)  # (f1 x)^2 + (f2 x)^2
        sigma2 = np.square(constants) + (SPREAD * U) ** 2 * (products2 + np.square(o)) + FLUSHED**2
        return Block(where, o, np.square(bound), sigma2)


def _leaky(slope: float) -> Maker:
    return lambda case: Leaky(case.x, slope)


LEAKY = {f"leaky ReLU with slope {slope:.4g}": _leaky(slope) for slope in SLOPES}
