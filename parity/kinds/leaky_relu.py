"""Leaky ReLU: x above 0, alpha x below (Keras 1 advanced_activations.py, Theano nnet/nnet.py)."""

from collections.abc import Iterator

import numpy as np

from parity.kinds.api import ANY, LayerCase, LayerKind, Maker, Variant
from parity.kinds.probing import Probe, magnitudes, of_table
from parity.kinds.rectifiers import SLOPES, Elu, Leaky
from parity.numerics.rounding import Array
from parity.numerics.witness import Adjusted, Moves, Witness


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


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Every magnitude, and a fine grid around the bend."""
    yield from of_table(case, magnitudes(rng=rng), "all magnitudes")


LEAKY_RELU = LayerKind(
    "LeakyReLU",
    {"alpha": ANY},
    reference=_reference,
    variants=lambda case: VARIANTS,
    propagate=_propagate,
    channelwise=True,
    any_image=True,
    probes=probes,
)
