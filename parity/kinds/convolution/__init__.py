"""Convolution over rows and columns."""

from collections.abc import Iterator

import numpy as np

from parity.kinds.api import ANY, IMAGE, TRAINING_ONLY, LayerCase, LayerKind, Refusal
from parity.kinds.convolution import flip
from parity.kinds.convolution.bound import Sums, convolution
from parity.kinds.convolution.probes import probes
from parity.kinds.convolution.variants import (
    COMBINED,
    VARIANTS,
    kernels_permuted,
    locate_tap,
    one_tap,
    some_filters,
)
from parity.kinds.fitting import adjusted
from parity.kinds.pooling import pooled_instead
from parity.numerics.rounding import Array

__all__ = ["CONVOLUTION", "convolution", "locate_tap"]


def _propagate(case: LayerCase, d: Array) -> Array:
    """A convolution is linear: the deviation is convolved, without the bias."""
    conv = convolution(case)
    matrix, out = conv.matrix.astype(np.float32), np.empty(conv.output_shape(d.shape), np.float32)
    flat = out.reshape(*out.shape[:2], -1)
    for where in conv.blocks(d.shape):
        np.matmul(matrix, conv.patches(d, where), out=flat[where][0])
    return out


def _refusals(case: LayerCase) -> Iterator[Refusal]:
    filters, channels = case.params["W"].shape[:2]
    if filters != channels:
        pair = frozenset((filters, channels))
        name = "input and output channels of the kernels transposed"
        yield name, lambda clashes, shapes: pair in clashes


CONVOLUTION = LayerKind(
    "Convolution2D",
    {
        **TRAINING_ONLY,
        **IMAGE,
        **dict.fromkeys(("nb_filter", "nb_row", "nb_col", "subsample"), ANY),
        "bias": (True, False),
        "activation": ("linear",),
        "border_mode": ("same", "valid"),
    },
    reference=Sums,
    parameters=("W", "b"),
    variants=lambda case: VARIANTS,
    combined=lambda case: COMBINED,
    fits=((kernels_permuted,), (some_filters,), (one_tap,), (adjusted,)),
    by_shape=(pooled_instead,),
    refusals=_refusals,
    propagate=_propagate,
    cost=lambda layer, params: int(np.prod(layer.shape)) * params["W"][0].size,
    beside_activation=True,
    part="convolution",
    glance=flip.glance,
    examine=flip.examine,
    any_image=True,
    probes=probes,
)
