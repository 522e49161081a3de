"""Average pooling: the mean of each window (Keras 1 pooling.py, Theano signal/pool.py)."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.kinds.api import LayerCase, LayerKind, Maker, Variant
from parity.kinds.layouts import ORDERINGS, lifted
from parity.kinds.pooling import (
    CENTRED,
    GEOMETRY,
    OF_SEQUENCES,
    SETTINGS,
    Average,
    by_shape,
    centred,
    geometry,
    max_pool,
    mean,
    of_all,
    of_steps,
    other_axes,
    windows,
)
from parity.kinds.probing import Probe, like, noise, of_witness, random_probe
from parity.numerics.rounding import Array
from parity.numerics.witness import Adjusted, Moves, Whole


def _count(case: LayerCase) -> int:
    """Values in a window."""
    return int(np.prod(geometry(case.config)[0]))


def _propagate(case: LayerCase, d: Array) -> Array:
    """A mean is linear: the deviation is averaged as the values are."""
    inside = windows(case.config, np.ones_like(d[:1, :1]))
    return np.asarray(sum(windows(case.config, d)) / np.float32(sum(inside)), np.float32)


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Small whole numbers, whose sums are exact in any order, then random values."""
    for clips in (1, 2):
        x = rng.integers(-999, 1000, like(case, clips)).astype(np.float32)
        yield of_witness("whole numbers", case, x)
    yield random_probe(case, noise(case, rng))


def _centred(case: LayerCase) -> Variant:
    config = centred(case)
    return Average(config, case.x) if config else None


def _counted(case: LayerCase) -> Variant:
    if case.config.get("border_mode") != "same":
        return None
    return Average(case.config, case.x, counted=True)


VARIANTS: dict[str, Maker] = {
    "maximum instead of average": lambda case: Moves(max_pool(case.config, case.x)),
    "sum instead of average": lambda case: Adjusted(
        Average(case.config, case.x), gain=float(_count(case))
    ),
    "zeros beyond the border counted": _counted,
    CENTRED: _centred,
    **GEOMETRY,
}
_AVERAGE_POOLING = LayerKind(
    "AveragePooling2D",
    SETTINGS,
    reference=lambda case: Average(case.config, case.x),
    variants=lambda case: VARIANTS,
    by_shape=(by_shape,),
    propagate=_propagate,
    channelwise=True,
    any_image=True,
    probes=probes,
)
AVERAGE_POOLING = lifted(_AVERAGE_POOLING)
AVERAGE_POOLING_1D = lifted(_AVERAGE_POOLING, "AveragePooling1D", OF_SEQUENCES, of_steps)


def _mean(case: LayerCase) -> Whole:
    return mean(case.x, of_all(case.config, case.x))


def _of_mean(case: LayerCase, d: Array) -> Array:
    return np.asarray(d.mean(axis=of_all(case.config, d), dtype=np.float64), np.float32)


GLOBAL_AVERAGE = tuple(
    LayerKind(
        name,
        settings,
        reference=_mean,
        variants=lambda case: {
            "maximum instead of average": lambda s: Moves(s.x.max(axis=of_all(s.config, s.x))),
            "sum instead of average": lambda s: Adjusted(
                _mean(s), gain=float(s.x[0].size / _mean(s).out[0].size)
            ),
        },
        by_shape=(other_axes,),
        propagate=_of_mean,
        input_ranks=(),
        probes=probes,
    )
    for name, settings in (
        ("GlobalAveragePooling1D", dict[str, Any]()),
        ("GlobalAveragePooling2D", ORDERINGS),
    )
)
