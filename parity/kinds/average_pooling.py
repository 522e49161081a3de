"""Average pooling: the mean of each window (Keras 1 pooling.py, Theano signal/pool.py)."""

from collections.abc import Iterator

import numpy as np

from parity.kinds.api import LayerCase, LayerKind, Maker
from parity.kinds.pooling import GEOMETRY, SETTINGS, Average, by_shape, geometry, max_pool, windows
from parity.kinds.probing import Probe, like, noise, of_witness, random_probe
from parity.numerics.rounding import Array
from parity.numerics.witness import Adjusted, Moves


def _count(case: LayerCase) -> int:
    """Values in a window."""
    return int(np.prod(geometry(case.config)[0]))


def _propagate(case: LayerCase, d: Array) -> Array:
    """A mean is linear: the deviation is averaged as the values are."""
    return np.asarray(sum(windows(case.config, d))) / np.float32(_count(case))


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Small whole numbers, whose sums are exact in any order, then random values."""
    for clips in (1, 2):
        x = rng.integers(-999, 1000, like(case, clips)).astype(np.float32)
        yield of_witness("whole numbers", case, x)
    yield random_probe(case, noise(case, rng))


VARIANTS: dict[str, Maker] = {
    "maximum instead of average": lambda case: Moves(max_pool(case.config, case.x)),
    "sum instead of average": lambda case: Adjusted(
        Average(case.config, case.x), gain=float(_count(case))
    ),
    **GEOMETRY,
}
AVERAGE_POOLING = LayerKind(
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
