"""Leaky ReLU: x above 0, alpha x below (Keras 1 advanced_activations.py, Theano nnet/nnet.py).

Theano computes f1 x + f2 |x| with f1 = (1 + alpha)/2 and f2 = (1 - alpha)/2, in float32 from
float32's alpha; ports choose between x and alpha x. The bound holds for both. |f1| + |f2| is
m = max(1, |alpha|), so, in units of u:

- the roundings of 1 + alpha and 1 - alpha make m |x| together, and float32's alpha |alpha x| more;
  above 0 that one is in f1 and f2 with opposite signs and cancels;
- the two products make m |x|, the sum |y|.

What rounding did to the constants is the same for all elements, so it does not average out: sigma
takes it at its worst, and only products and sum at 0.425 u. (B/7 gives q = 3 where 1 + alpha rounds
far.) With alpha = 0 Theano computes 0.5 (x + |x|), which rounds nothing.
"""

import numpy as np

from parity.kinds.activation import Elu
from parity.kinds.api import ANY, LayerCase, LayerKind, Maker, Variant
from parity.numerics.rounding import FLUSHED, SPREAD, Array, U, Where
from parity.numerics.witness import Adjusted, Block, Moves, Witness

# Keras 1 0.3, Torch 0.01, Chainer and TensorFlow 0.2, MXNet 0.25, Lasagne's very leaky one 1/3
SLOPES = (0.01, 0.1, 0.2, 0.25, 0.3, 1 / 3)


class Leaky(Witness):
    """x above 0 and alpha x below, with the bound that the module derives."""

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


def _alpha(case: LayerCase) -> float:
    return float(case.config["alpha"])


def _reference(case: LayerCase) -> Witness:
    """The oracle; nothing rounds where alpha is 0."""
    alpha = _alpha(case)
    return Leaky(case.x, alpha) if alpha else Moves(np.maximum(case.x, 0))


def _propagate(case: LayerCase, d: Array) -> Array:
    """Alpha d, and (1 - alpha) times what d moves the part above 0 by."""
    alpha, x = _alpha(case), case.x
    above = np.maximum(d + np.minimum(x, 0), -np.maximum(x, 0))
    return np.asarray(alpha * d + (1 - alpha) * above, np.float32)


def _slope(case: LayerCase, slope: float) -> Variant:
    return None if slope == _alpha(case) else case.but(config={"alpha": slope})


def _unless_relu(case: LayerCase, other: Witness) -> Variant:
    return other if _alpha(case) else None


def _usual(slope: float) -> Maker:
    return lambda case: _slope(case, slope)


VARIANTS: dict[str, Maker] = {
    **{f"leaky ReLU with slope {slope:.4g}": _usual(slope) for slope in SLOPES},
    "relu instead of leaky ReLU": lambda case: _slope(case, 0.0),
    "elu instead of leaky ReLU": lambda case: Elu(case.x, 1.0),
    "elu with the slope for its alpha": lambda case: _unless_relu(case, Elu(case.x, _alpha(case))),
    "slope above 0 instead of below": lambda case: Adjusted(
        Leaky(-case.x, _alpha(case)), gain=-1.0
    ),
    "slope negated": lambda case: _slope(case, -_alpha(case)),
    "divided by alpha": lambda case: _slope(case, 1 / _alpha(case)) if _alpha(case) else None,
    "leaky ReLU of the negated input": lambda case: case.but(x=-case.x),
    "leaky ReLU applied twice": lambda case: _slope(case, _alpha(case) ** 2),
}
LEAKY_RELU = LayerKind(
    "LeakyReLU",
    {"alpha": ANY},
    reference=_reference,
    variants=lambda case: VARIANTS,
    propagate=_propagate,
    channelwise=True,
)
