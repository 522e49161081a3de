"""The bound of a convolution's sums."""

from collections.abc import Iterator
from functools import cached_property

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.convolution.arithmetic import Convolution
from parity.numerics.rounding import FLUSHED, SPREAD, Array, Scratch, U, Where, tail_factor
from parity.numerics.witness import Block, Limits, Witness

POSITIONS_ENOUGH = 2**12  # of the input, to tell how much of it repeats


def convolution(case: LayerCase) -> Convolution:
    """The layer as a Convolution. ValueError where the kernels want other channels."""
    kernels, channels = case.parameter("W"), case.x.shape[1]
    if kernels.ndim != 4 or kernels.shape[1] != channels:
        raise ValueError(f"kernels of shape {kernels.shape} on {channels} channels")
    border_mode = case.config.get("border_mode", "valid")
    stride = tuple(case.config.get("subsample", (1, 1)))
    return Convolution(kernels, case.bias(len(kernels)), border_mode, stride)


class Sums(Witness):
    """B = lam u sqrt(V), V = n S^2/3 + n Q/6 + Q + S^2, sigma = 0.425 u sqrt(V), n terms with the
    bias.

    S the sums, Q the sums of squared terms: V u^2 is the variance of a rounded sum over all orders.
    Certain: n u sum|terms|. Sources: "Sums" in docs/numerics.md.
    """

    def __init__(self, case: LayerCase) -> None:
        self.x, self.conv = np.ascontiguousarray(case.x), convolution(case)
        super().__init__(self.conv.output_shape(case.x.shape), 1)
        lam, n = tail_factor(np.prod(self.shape)), self.conv.terms
        self.sums_share = (lam * U) ** 2 * (n / 3 + 1)
        self.squares_share = (lam * U) ** 2 * (n / 6 + 1)
        self.floor = self.squares_share * np.square(self.conv.bias)[:, None] + (n * FLUSHED) ** 2
        self.sigma_share = SPREAD / lam
        self.certain_share = lam * np.sqrt(n / 2 + 2) / n  # as S^2 <= A^2 and Q <= A^2

        self.fast = self.conv.squares_fit(self.x)

    @cached_property
    def limits(self) -> Limits:
        """Two roundings of a gain, and of an offset what all positions may have in common."""
        filters = len(self.conv.bias)
        last = 1 / (SPREAD * np.sqrt(self.conv.terms / 3 + 1))  # sigmas of u|S|: b is added last
        alike = max(0.5, last, tail_factor(filters) * np.sqrt(self._repeated()))
        return Limits(np.full(filters, 2 * U), np.zeros(filters), self.conv.bias, alike)

    def _repeated(self) -> float:
        """phi, 0 to 1: the share of a sum's rounding that is the same at many positions, so that no
        mean over them takes it away.

        A partial sum s lies on float32's grid. What adding w x rounds off depends on w x modulo
        that grid alone, so it is the same wherever x is the same to within half a step of it, |dx|
        <= u|s|/(2|w|): a saturated ELU's -1 is. phi = mean r^2 over input channels, r the share of
        a channel's values as near as that to its median, at positions that differ. The mean error
        of a channel then has a deviation of sqrt(phi) sigma at most, and lam times that in the
        worst of all channels.
        """
        few = np.moveaxis(self.x, 1, 0).reshape(self.x.shape[1], -1)
        few = np.unique(few[:, :: max(1, few.shape[1] // POSITIONS_ENOUGH)], axis=1)
        every = list(self.blocks())
        # arrays of its own: a block may be in use
        own, self.conv.scratch = self.conv.scratch, Scratch()
        means = [np.square(self.value(where)).mean() for where in (every[0], every[-1])]
        self.conv.scratch = own
        weight = max(np.sqrt(self.conv.squares.mean()), FLUSHED)
        near = U * np.sqrt(np.mean(means)) / (2 * weight)
        alike = np.abs(few - np.median(few, axis=1, keepdims=True)) <= near
        return float(np.mean(np.square(alike.mean(axis=1))))

    def blocks(self) -> Iterator[Where]:
        return self.conv.blocks(self.x.shape)

    def value(self, where: Where) -> Array:
        return self.conv.sums(self.x, where)

    def block(self, where: Where) -> Block:
        o, terms2, below = self.conv.sums_and_squares(self.x, where, self.fast)
        bound2 = np.square(o, out=self.scratch.take("bound2", o.shape))
        bound2 *= self.sums_share
        bound2 += self.floor
        terms2 *= terms2.dtype.type(self.squares_share * below)
        bound2 += terms2
        return Block(where, o, bound2)

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        magnitudes = self.conv.positive(np.abs, self.x, block.where)
        operands = 2 * SPREAD**2 * self.conv.positive(np.square, self.x, block.where)
        bound = self.conv.terms * (U * magnitudes + FLUSHED / min(1, self.certain_share))
        return np.square(bound), operands

    def near(self, case: LayerCase) -> Witness | None:
        return SumsBeside(case, self) if case.x.dtype == self.x.dtype == np.float32 else None


class SumsBeside(Sums):
    """A convolution on an input that differs little from another's: float32 suffices for what the
    difference adds.

    A sum is linear, so o = o' + sum w dx, where dx = x - x'. In float32 that term errs by at most
    (n+1) u |dx| sum|w|, and sqrt(V) is a norm of (S, terms), so B >= B' - B(dx). Both are asked to
    be below SLACK of B', channel by channel, with the largest |dx| of the rows read; B is then
    shrunk by their sum. Otherwise the block is computed anew.
    """

    SLACK = 0.01

    def __init__(self, case: LayerCase, original: Sums) -> None:
        super().__init__(case)
        self.change = self.x - original.x
        highest, lowest = self.change.max(axis=(1, 3)), self.change.min(axis=(1, 3))
        self.largest = np.maximum(highest, -lowest)  # (clip, row)
        self.matrix = self.conv.matrix.astype(np.float32)
        reach = np.abs(self.conv.matrix).sum(axis=1)  # (K,): largest |sum w dx| per |dx|
        rounding = (self.conv.terms + 1) * U * reach
        terms2 = self.squares_share * self.conv.squares.sum(axis=1)
        bound = np.sqrt(self.sums_share * reach**2 + terms2)
        # the least B'^2 that is needed, per largest |dx|^2
        self.needed = np.square(np.maximum(rounding, bound) / self.SLACK)

    def beside(self, where: Where, original: Block) -> Block:
        rows = self.conv.rows_read(where, self.x.shape)
        change = self.largest[where[0], rows].max(initial=0.0)
        if not (original.bound2.min(axis=(0, 2)) >= self.needed * np.float64(change) ** 2).all():
            return self.block(where)
        added = self.matrix @ self.conv.patches(self.change, where)
        o = np.add(original.o, added, out=self.scratch.take("near", original.o.shape))
        shrunk, room = (1 - 2 * self.SLACK) ** 2, self.scratch.take("bound2", o.shape)
        return Block(where, o, np.multiply(original.bound2, shrunk, out=room))
