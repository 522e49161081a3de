"""Convolution over rows and columns."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.kinds.api import (
    ANY,
    IMAGE,
    TRAINING_ONLY,
    Config,
    LayerCase,
    LayerKind,
    Params,
    Refusal,
)
from parity.kinds.convolution import flip, transforms
from parity.kinds.convolution.activated import activated
from parity.kinds.convolution.bound import Sums, convolution
from parity.kinds.convolution.probes import probes
from parity.kinds.convolution.variants import (
    COMBINED,
    VARIANTS,
    kernels_permuted,
    some_filters,
)
from parity.kinds.fitting import adjusted
from parity.kinds.layouts import lifted
from parity.kinds.pooling import pooled_instead
from parity.kinds.probing import Reading
from parity.numerics.rounding import Array
from parity.port_api import Port
from parity.results import Asymmetry

__all__ = ["CONVOLUTION", "CONVOLUTION_1D", "convolution"]


def _as_theano(case: LayerCase) -> bool:
    """Whether kernels are (K, C, rows, columns): of images with their channels first, and of
    sequences up to 1.0.6; else (rows, columns, C, K).
    """
    shape, config = case.params["W"].shape, case.config
    if "filter_length" not in config:
        return bool(config.get("dim_ordering", "th") == "th")
    return shape == (config["nb_filter"], case.x.shape[-1], config["filter_length"], 1)


def _kernels(case: LayerCase) -> Params:
    """The parameters with kernels (K, C, rows, columns). ValueError for another number of axes."""
    if _as_theano(case):
        return case.params
    return {**case.params, "W": case.params["W"].transpose(3, 2, 0, 1)}


def _reading(case: LayerCase, reading: Reading) -> Reading:
    """What was read of kernels (K, C, rows, columns), as the weight file has them."""
    if reading.name != "W" or _as_theano(case):
        return reading
    filters, channel, row, column = reading.index
    value, expected, seen = (
        np.swapaxes(np.asarray(part), 0, -1)
        for part in (reading.value, reading.expected, reading.seen)
    )
    index, shape = (row, column, channel, filters), case.params["W"].shape
    return reading._replace(index=index, value=value, expected=expected, seen=seen, whole=shape)


def _linear(config: Config) -> dict[str, Any]:
    return {**config, "activation": "linear"}


def _over_steps(config: Config) -> dict[str, Any]:
    """The settings of a sequence's convolution as of an image one column wide."""
    return {
        **{name: config[name] for name in ("bias", "nb_filter", "border_mode") if name in config},
        "subsample": (config.get("subsample_length", 1), 1),
    }


def _propagate(case: LayerCase, d: Array) -> Array:
    """A convolution is linear: the deviation is convolved, without the bias."""
    conv = convolution(case)
    matrix, out = conv.matrix.astype(np.float32), np.empty(conv.output_shape(d.shape), np.float32)
    flat = out.reshape(*out.shape[:2], -1)
    for where in conv.blocks(d.shape):
        np.matmul(matrix, conv.patches(d, where), out=flat[where][0])
    return out


def _glance(case: LayerCase, expected: Array, port: Port) -> tuple[Asymmetry, str | None]:
    return flip.glance(case.but(params=_kernels(case)), expected, port)


def _multiplications(layer: Any, params: Params) -> int:
    filters = layer.config.get("nb_filter", len(params["W"]))
    return int(np.prod(layer.shape)) * (params["W"].size // filters)


def _refusals(case: LayerCase) -> Iterator[Refusal]:
    if not _as_theano(case):
        return
    filters, channels = case.params["W"].shape[:2]
    if filters != channels:
        pair = frozenset((filters, channels))
        name = "input and output channels of the kernels transposed"
        yield name, lambda clashes, shapes: pair in clashes


_PLAIN = LayerKind(
    "Convolution2D",
    {
        **TRAINING_ONLY,
        **IMAGE,
        **dict.fromkeys(("nb_filter", "nb_row", "nb_col", "subsample"), ANY),
        "bias": (True, False),
        "activation": ("linear",),
        "border_mode": ("same", "valid", "full"),
    },
    reference=Sums,
    parameters=("W", "b"),
    variants=lambda case: VARIANTS,
    combined=lambda case: COMBINED,
    fits=((kernels_permuted,), (some_filters,), (adjusted,)),
    by_shape=(pooled_instead,),
    refusals=_refusals,
    propagate=_propagate,
    cost=_multiplications,
    beside_activation=True,
    part="convolution",
    glance=_glance,
    examine=flip.examine,
    any_image=True,
    probes=probes,
    transform=transforms.room,
)
_BOTH = replace(_PLAIN, probes=partial(probes, both=True))
_OF_STEPS = {
    **{name: allowed for name, allowed in _PLAIN.settings.items() if name not in IMAGE},
    **dict.fromkeys(("filter_length", "subsample_length", "input_dim", "input_length"), ANY),
}
CONVOLUTION = activated(
    *(
        lifted(kind, translate=_linear, params=_kernels, reading=_reading)
        for kind in (_PLAIN, _BOTH)
    )
)
CONVOLUTION_1D = replace(
    activated(
        *(
            lifted(kind, "Convolution1D", _OF_STEPS, _over_steps, _kernels, _reading)
            for kind in (_PLAIN, _BOTH)
        )
    ),
    examine=None,
)
