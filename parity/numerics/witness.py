"""Witnesses: the float64 values of a formula, block by block, each with its rounding bound.

B is the working bound and sigma the rounding error to expect. Every output is seen as (before, C,
after): three axes around the one its parameters live on, never copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parity.numerics.rounding import (
    FLUSHED,
    NOTHING,
    WORST_TO_SIGMA,
    Array,
    Scratch,
    Shape,
    U,
    Where,
    as_channels,
    blocks,
)


@dataclass
class Block:
    """A part of a formula's output, good until the next block of the same witness is asked for.

    where: slices into the (before, C, after) view; o: values, float64 (a moving kind: the input's
    dtype); bound2: B squared, None where nothing may round; sigma2: sigma squared, None where it
    is B times a constant; exact_count: elements with B = 0.
    """

    where: Where
    o: Array
    bound2: Any  # an array or None
    sigma2: Any = None  # an array or None
    exact_count: int = 0

    @cached_property
    def weights(self) -> Any:
        """1/B^2; where nothing may round, so large a number that any difference is beyond."""
        return 1 / NOTHING if self.bound2 is None else np.reciprocal(self.bound2)

    def ratio2(self, values: Array) -> float:
        """Largest ((values - o)/B)^2; inf where nothing may round and something differs."""
        if self.bound2 is None:
            return 0.0 if np.array_equal(values, self.o) else np.inf
        return float((np.square(values - self.o) / self.bound2).max(initial=0.0))

    def holds(self, values: Array) -> bool:
        """Whether all values are within B; NaN is not."""
        if self.bound2 is None:
            return np.array_equal(values, self.o)
        return bool((np.square(values - self.o) <= self.bound2).all())

    def kept(self) -> Block:
        """A copy of values and bound that the next block leaves alone."""
        bound2 = None if self.bound2 is None else self.bound2.copy()
        return Block(self.where, self.o.copy(), bound2)

    @cached_property
    def precision(self) -> Any:
        """1/sigma^2, flat, for blocks with a sigma2."""
        return np.reciprocal(self.sigma2).ravel()


@dataclass
class Limits:
    """What rounding does to a whole channel: gain (C,), relative, and offset (C,) at o = centre.

    sigmas: how many of the channel's median sigma are added to the offset.
    """

    gain: Array
    offset: Array
    centre: Array
    sigmas: float


class Witness:
    """The values of one formula on one input, with their bound.

    shape: of the output; view: (before, C, after); sigma_share: sigma/B.
    """

    limits: Any = None  # kinds whose channels are regressed for structure give theirs
    sigma_share = 1 / WORST_TO_SIGMA
    moves = False  # whether the output must be equal bit for bit
    certain_share: Any = 1.0  # B/B_det at most; None: only known by computing B_det
    axis_name = "channel"
    one_sided = False  # whether there is a bound on one side of zero and none on the other

    def __init__(self, shape: Shape, axis: int) -> None:
        self.shape, self.axis = tuple(shape), axis
        self.view, self.scratch = as_channels(self.shape, axis), Scratch()

    def blocks(self) -> Iterator[Where]:
        """The slices of every block; together they cover the view once."""
        return blocks(self.view)

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        raise NotImplementedError

    def value(self, where: Where) -> Array:
        """The float64 values there, without a bound; good until the next call."""
        return self.block(where).o

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        """(B_det squared, variance by the operands' own precision or None).

        No rounding at all can exceed B_det.
        """
        return block.bound2, None

    def near(self, case: Any) -> Witness | None:
        """A cheaper witness of the same layer on another input, or None; ask it by `beside`."""
        return None

    def beside(self, where: Where, original: Block) -> Block:
        """As block; original: the block there of the witness whose `near` made this one."""
        return self.block(where)

    def most_distance(self, other: Witness) -> float | None:
        """No element of another witness lies farther off than this, in units of this one's bound;
        None where unknown.
        """
        return None


class Moves(Witness):
    """Values `out` that must arrive bit for bit: padded, pooled, reshaped, permuted."""

    moves = True

    def __init__(self, out: Array) -> None:
        super().__init__(out.shape, min(1, out.ndim - 1))
        self.flat = np.ascontiguousarray(out).reshape(self.view)

    def block(self, where: Where) -> Block:
        """The values, which have no bound."""
        o = self.flat[where]
        return Block(where, o, None, exact_count=o.size)


class Whole(Witness):
    """A small layer, computed at once: all arguments but axis are of the output's shape."""

    certain_share, axis_name = None, "unit"

    def __init__(
        self,
        axis: int,
        out: Array,
        bound2: Array,
        sigma2: Array,
        certain2: Array,
        operands2: Array | None = None,
    ) -> None:
        super().__init__(out.shape, axis)
        self.out, self.bound2, self.sigma2, self.certain2 = (
            a.reshape(self.view) for a in (out, bound2, sigma2, certain2)
        )
        self.operands2 = None if operands2 is None else operands2.reshape(self.view)

    def block(self, where: Where) -> Block:
        """The part of what was computed."""
        return Block(where, self.out[where], self.bound2[where], self.sigma2[where])

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        """As Witness.certain."""
        operands2 = None if self.operands2 is None else self.operands2[block.where]
        return self.certain2[block.where], operands2


class Viewed(Witness):
    """Another witness' values and bound around another axis, asked for once, all of them."""

    def __init__(self, base: Witness, axis: int) -> None:
        super().__init__(base.shape, axis)
        self.moves, self.certain_share = base.moves, base.certain_share
        found = [np.zeros(base.view) for _ in range(3)]
        for where in base.blocks():
            block = base.block(where)
            bound2 = NOTHING if block.bound2 is None else block.bound2
            sigma2 = np.square(base.sigma_share) * bound2 if block.sigma2 is None else block.sigma2
            for whole, part in zip(found, (block.o, bound2, sigma2), strict=True):
                whole[where] = part
        self.found = [whole.reshape(self.view) for whole in found]

    def block(self, where: Where) -> Block:
        """The part of what was found."""
        o, bound2, sigma2 = (whole[where] for whole in self.found)
        return Block(where, o, *((None, None) if self.moves else (bound2, sigma2)))


class Mapped(Witness):
    """An element-wise formula: formula(x) in float64, B = roundings u (|x| + |y|)."""

    def __init__(self, x: Array, formula: Callable[[Array], Array], roundings: float = 8) -> None:
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x = np.ascontiguousarray(x).reshape(self.view)
        self.formula, self.roundings = formula, roundings

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        x = self.x[where].astype(np.float64)
        o = self.formula(x)
        return Block(where, o, np.square(self.roundings * U * (np.abs(x) + np.abs(o)) + FLUSHED))


class Adjusted(Witness):
    """Another witness with its channels re-ordered, multiplied by `gain` (C,) and moved by `offset`
    (C,).
    """

    def __init__(
        self, base: Witness, order: Any = None, gain: Any = 1.0, offset: Any = 0.0
    ) -> None:
        super().__init__(base.shape, base.axis)
        channels = base.view[1]
        self.base, self.order = base, np.arange(channels) if order is None else np.asarray(order)
        self.gain, self.offset = (
            np.broadcast_to(value, channels)[:, None] for value in (gain, offset)
        )
        self.axis_name, self.moves, self.sigma_share = base.axis_name, base.moves, base.sigma_share
        if base.limits:
            of = base.limits
            gains, offsets, centres = (a[self.order] for a in (of.gain, of.offset, of.centre))
            self.limits = Limits(gains, offsets, centres, of.sigmas)

    def blocks(self) -> Iterator[Where]:
        """Parts of the view with all channels in each."""
        wheres, (before, channels, after) = list(self.base.blocks()), self.view
        if has_whole_channels(wheres, channels):
            yield from wheres
            return
        for where in blocks((before, 1, max(1, after * channels))):
            start, stop = (-(-edge // channels) for edge in (where[2].start, where[2].stop))
            if start < min(stop, after):
                yield where[0], slice(None), slice(start, min(stop, after))

    def block(self, where: Where) -> Block:
        """The base's values there, re-ordered and adjusted; the bound moves with them."""
        whole = self.base.block((where[0], slice(None), where[2]))
        order, gain, offset = self.order[where[1]], self.gain[where[1]], self.offset[where[1]]
        if whole.bound2 is None:
            return Block(where, whole.o[:, order], None)
        o = whole.o[:, order] * gain + offset
        sigma2 = None if whole.sigma2 is None else whole.sigma2[:, order] * gain**2
        return Block(where, o, whole.bound2[:, order] * gain**2 + (2 * U * offset) ** 2, sigma2)


def has_whole_channels(wheres: list[Where], channels: int) -> bool:
    """Whether each of these blocks has all channels."""
    return all(where[1].indices(channels) == (0, channels, 1) for where in wheres)


def pieces(judge: Witness, width: int = 192) -> Iterator[Where]:
    """Slices of a few parts of rows with all channels, at edges and inside, of the first and last
    clip.
    """
    before, _, after = judge.view
    columns = judge.shape[-1] if judge.axis < len(judge.shape) - 1 else after
    rows = max(1, after // columns)
    starts = {0, max(0, (columns - width) // 2), max(0, columns - width)}
    for clip in sorted({0, before - 1}):
        for row in sorted({0, rows // 2, rows - 1}):
            for start in sorted(starts):
                first = row * columns + start
                stop = min(first + width, (row + 1) * columns)
                yield slice(clip, clip + 1), slice(None), slice(first, stop)
