"""What every bound is made of: unit roundoff, tail factors, and the blocks a layer is judged in."""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Shape = Sequence[int]
Where = tuple[slice, ...]  # a block of a (before, C, after) view

U = 2.0**-24  # float32 unit roundoff
FALSE_ALARM = 1e-6  # rate per tensor at which independent rounding errors may pass B
FLUSHED = 2.0**-126  # smallest normal float32: what is lost where smaller results become zero
NOTHING = 2.0**-1000  # stands for B^2 = 0: 0/B^2 is 0, and any float32 difference lies beyond
# Standard deviation of one float32 rounding in units of u, the mantissa m being log-uniform:
# (u^2/3) E[m^-2].
SPREAD = 0.425
WORST_TO_SIGMA = 7.0  # B counts the worst case of element-wise kinds; their rms/B is 0.11 to 0.15
BLOCK = 2**15  # output elements per block: its float64 arrays stay in the core's own cache


def tail_factor(elements: Any) -> Any:
    """lam = sqrt(2 ln(2M/delta)): M sub-Gaussian errors pass lam sigma with probability delta."""
    return np.sqrt(2 * np.log(2 * elements / FALSE_ALARM))


def squares(x: Array) -> float:
    """Sum of the squares of an array, in float64."""
    flat = x.reshape(-1)
    parts = (
        flat[start : start + BLOCK].astype(np.float64, copy=False)
        for start in range(0, flat.size, BLOCK)
    )
    return float(sum(np.dot(part, part) for part in parts))


def as_channels(shape: Shape, axis: int) -> tuple[int, int, int]:
    """(before, C, after): any tensor seen as three axes around its channel axis, without a copy."""
    before, after = shape[:axis], shape[axis + 1 :]
    return int(np.prod(before, dtype=int)), shape[axis], int(np.prod(after, dtype=int))


def blocks(view: Shape) -> Iterator[Where]:
    """Yield the slices of blocks, about BLOCK elements each, that cover a view once."""
    steps, room = [], BLOCK
    for size in reversed(view):
        steps.append(max(1, min(size, room)))
        room //= steps[-1]
    ranges = [
        [slice(start, min(start + step, size)) for start in range(0, size, step)]
        for size, step in zip(view, reversed(steps), strict=True)
    ]
    yield from itertools.product(*ranges)


class Scratch:
    """Arrays used again by every block: fresh memory costs more than the arithmetic done in it."""

    def __init__(self) -> None:
        self._rooms: dict[str, Array] = {}

    def take(self, name: str, shape: Sequence[int], dtype: Any = np.float64) -> Array:
        """An uninitialised array; the next take of the same name has the same memory."""
        size = math.prod(shape)
        room = self._rooms.get(name)
        if room is None or room.size < size:
            room = self._rooms[name] = np.empty(size, dtype)
        return room[:size].reshape(shape)
