"""What every bound is made of: unit roundoff, tail factors, and the blocks in which a layer is
judged.
"""

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

U = 2.0**-24  # float32 unit roundoff
# family-wise rate per tensor at which clean rounding may pass B, errors taken as independent
FALSE_ALARM = 1e-6
FLUSHED = (
    2.0**-126
)  # smallest normal float32: what is lost where results below it are flushed to zero
NOTHING = (
    2.0**-1000
)  # stands for B^2 = 0, so that 0/B^2 is 0 and the smallest float32 difference is still beyond it
# standard deviation of one float32 rounding in units of u: (u^2/3) E[m^-2] for a log-uniform
# mantissa m
SPREAD = 0.425
WORST_TO_SIGMA = (
    7.0  # B counts the worst case for element-wise kinds; measured rms/B is 0.11 to 0.15
)
BLOCK = 2**15  # output elements per block: its float64 arrays stay in the core's own cache


def tail_factor(elements):
    """lam = sqrt(2 ln(2M/delta)): how many sub-Gaussian deviations M elements reach with
    probability delta.
    """
    return np.sqrt(2 * np.log(2 * elements / FALSE_ALARM))


def squares(x):
    """Sum of the squares of an array, in float64."""
    flat = x.reshape(-1)
    parts = (
        flat[start : start + BLOCK].astype(np.float64, copy=False)
        for start in range(0, flat.size, BLOCK)
    )
    return float(sum(np.dot(part, part) for part in parts))


def as_channels(shape, axis):
    """(before, C, after): any tensor seen as three axes around its channel axis, without a copy."""
    before, after = shape[:axis], shape[axis + 1 :]
    return int(np.prod(before, dtype=int)), shape[axis], int(np.prod(after, dtype=int))


def blocks(view):
    """Yield the slices of blocks of a (before, C, after) view, about BLOCK elements each; together
    they cover it once.
    """
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
    """Arrays that every block uses again: fresh memory costs more than the arithmetic done in
    it.
    """

    def __init__(self):
        self._rooms = {}

    def take(self, name, shape, dtype=np.float64):
        """An uninitialised array of that shape; the next take of the same name has the same
        memory.
        """
        size = math.prod(shape)
        room = self._rooms.get(name)
        if room is None or room.size < size:
            room = self._rooms[name] = np.empty(size, dtype)
        return room[:size].reshape(shape)


@dataclass
class Block:
    """A part of the oracle's output, good until the next block of the same witness is asked for.

    where: slices into the (before, C, after) view; o: values, float64 (a moving kind: the input's
    dtype); bound2: B squared, None where nothing may round; sigma2: sigma squared, None where it
    is B times a constant; exact_count: elements with B = 0.
    """

    where: tuple
    o: np.ndarray
    bound2: np.ndarray | None
    sigma2: np.ndarray | None = None
    exact_count: int = 0

    @cached_property
    def weights(self):
        """1/B^2; where nothing may round, a number so large that any difference is beyond."""
        return 1 / NOTHING if self.bound2 is None else np.reciprocal(self.bound2)

    @cached_property
    def precision(self):
        """1/sigma^2, flat, for blocks with a sigma2."""
        return np.reciprocal(self.sigma2).ravel()


@dataclass
class Limits:
    """What rounding does to a whole channel: gain (C,) relative, offset (C,) absolute, read at o =
    centre (C,).

    sigmas: to the offset come so many of the channel's median sigma.
    """

    gain: np.ndarray
    offset: np.ndarray
    centre: np.ndarray
    sigmas: float


class Witness:
    """The oracle of one layer on one input. shape: of the output; view: (before, C, after);
    sigma_share: sigma/B.
    """

    limits = None  # kinds whose channels are regressed for structure give theirs
    sigma_share = 1 / WORST_TO_SIGMA
    moves = False  # a kind that must be bit for bit
    certain_share = 1.0  # B/B_det at most; None: only known by computing B_det
    axis_name = "channel"
    one_sided = False  # a kind with a bound on one side of zero and none on the other
    weighs_taps = False  # a kind whose single weights are looked at, by parity.numerics.taps

    def __init__(self, shape, axis):
        self.shape, self.axis = tuple(shape), axis
        self.view, self.scratch = as_channels(self.shape, axis), Scratch()

    def blocks(self):
        """The slices of every block; together they cover the view once."""
        return blocks(self.view)

    def value(self, where):
        """The oracle's float64 values there, without a bound; good until the next call."""
        return self.block(where).o

    def certain(self, block):
        """(B_det squared, variance from operands' own precision or None): B_det can be exceeded by
        no rounding at all.
        """
        return block.bound2, None

    def beside(self, where, original):
        """As block; original is the block there of the witness this one was made beside (see
        bounds.witness_beside).
        """
        return self.block(where)


class Moves(Witness):
    """Padding, pooling, reshaping, permuting, dropout switched off: the values `out` must arrive
    bit for bit.
    """

    moves = True

    def __init__(self, out):
        super().__init__(out.shape, min(1, out.ndim - 1))
        self.flat = np.ascontiguousarray(out).reshape(self.view)

    def block(self, where):
        """The values, which have no bound."""
        o = self.flat[where]
        return Block(where, o, None, exact_count=o.size)


class Whole(Witness):
    """Small layers, computed at once: out, bound2, sigma2, certain2, operands2 (or None), all of
    the output's shape.
    """

    certain_share, axis_name = None, "unit"

    def __init__(self, axis, out, bound2, sigma2, certain2, operands2=None):
        super().__init__(out.shape, axis)
        arrays = (out, bound2, sigma2, certain2) + (() if operands2 is None else (operands2,))
        self.out, self.bound2, self.sigma2, self.certain2, *self.operands2 = (
            a.reshape(self.view) for a in arrays
        )

    def block(self, where):
        """The part of what was computed."""
        return Block(where, self.out[where], self.bound2[where], self.sigma2[where])

    def certain(self, block):
        """As Witness.certain."""
        return self.certain2[block.where], self.operands2[0][
            block.where
        ] if self.operands2 else None
