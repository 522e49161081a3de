"""Batch normalisation."""

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

from parity.kinds.api import ANY, TRAINING_ONLY, LayerCase, LayerKind, Refusal
from parity.kinds.fitting import adjusted
from parity.kinds.normalization.batches import made_up
from parity.kinds.normalization.channels import examine
from parity.kinds.normalization.eps import other_eps, stated
from parity.kinds.normalization.formula import (
    PARAMETERS,
    SAMPLE_MODE,
    Normalized,
    formula,
    of_samples,
    propagate,
)
from parity.kinds.normalization.probes import probes
from parity.kinds.normalization.variants import combined, variants
from parity.kinds.pooling import pooled_instead
from parity.kinds.spectrogram import fitted
from parity.numerics.rounding import Array, Shape
from parity.numerics.witness import Witness

__all__ = ["BATCH_NORMALIZATION"]


def _reference(case: LayerCase) -> Witness:
    if case.config["mode"] == SAMPLE_MODE:
        return of_samples(case)
    return Normalized(case, formula(case))


def _affine(case: LayerCase) -> tuple[Array, Array, Array]:
    """y = s x + t, s and t in the input's shape but for axes of 1."""
    scale, mean, beta, _ = formula(case)
    axis, ranks = int(case.config["axis"]), case.x.ndim
    shape = [-1 if at == axis % ranks else 1 for at in range(ranks)]
    return case.x, scale.reshape(shape), (beta - scale * mean).reshape(shape)


def _refusals(case: LayerCase) -> Iterator[Refusal]:
    """Along an axis with another size than the parameters': told by a parameter's shape, or by how
    the input was folded.
    """
    features, shape = len(case.params["gamma"]), case.x.shape
    if case.config["mode"] == SAMPLE_MODE:
        return
    for axis in range(1, len(shape)):
        if shape[axis] != features:
            yield f"along axis {axis}", partial(_told, shape, axis, features)


def _told(shape: Shape, axis: int, features: int, clashes: Any, shapes: list[Shape]) -> bool:
    whole = tuple(features if at == axis else 1 for at in range(len(shape)))
    inner = math.prod(shape[axis + 1 :])
    return any(
        told == whole or (len(told) == 2 and told[1] == inner > 1 and told[0] <= shape[axis])
        for told in shapes
    )


def _unmoved(case: LayerCase) -> bool:
    """Whether its averages are those of a new layer; only mode 0 moves them."""
    mean, stored = case.params["running_mean"], case.params["running_std"]
    return bool(case.config["mode"] == 0 and not mean.any() and (stored == 1).all())


BATCH_NORMALIZATION = LayerKind(
    "BatchNormalization",
    {**TRAINING_ONLY, "epsilon": ANY, "mode": (0, 1, 2), "axis": ANY},
    reference=_reference,
    parameters=PARAMETERS,
    variants=variants,
    combined=combined,
    fits=((fitted,), (other_eps, adjusted, made_up)),
    by_shape=(pooled_instead,),
    refusals=_refusals,
    propagate=propagate,
    affine=_affine,
    part="batch_normalization",
    examine=examine,
    stated=stated,
    channelwise=True,
    beside_activation=True,
    any_image=True,
    unmoved=_unmoved,
    probes=probes,
)
