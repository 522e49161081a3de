"""Weighted straight lines, one a channel, from sums that are gathered block by block."""

from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np

from parity.numerics.rounding import Array

# of the weighted mean square of x: below it the line's slope is not told from its height
VARIATION_LEAST = 1e-9


def per_channel(first: Array, second: Array | None = None) -> Any:
    """Sum of a block (before, C, after), or of the product of two, per channel: (C,)."""
    if second is not None:
        return np.einsum("acp,acp->c", first, second)
    return np.einsum("acp->c", first)


def add_per_channel(sums: Array, channel: slice, terms: Iterable[Array]) -> None:
    """Add each term, summed per channel, to its row of sums at these channels."""
    for row, term in zip(sums, terms, strict=True):
        row[channel] += per_channel(term)


class Line:
    """d = offset + gain x by least squares, from sums over each channel, all (C,).

    The sums are of w, w x, w x^2, w d, w x d, w d^2 and 1, w being the weights. Where x hardly
    varies `fits` is False, gain is 0 and its errors are infinite.
    """

    def __init__(
        self, w: Any, wx: Any, wxx: Any, wd: Any, wxd: Any, wdd: Any = 0.0, count: Any = 0
    ) -> None:
        self.w, self.wx, self.wxx, self.wd, self.wxd = w, wx, wxx, wd, wxd
        self.wdd, self.count = wdd, count
        self.determinant = w * wxx - wx * wx
        self.fits = self.determinant > VARIATION_LEAST * w * wxx

    @cached_property
    def gain(self) -> Any:
        """(C,)."""
        with np.errstate(all="ignore"):
            gain = (self.w * self.wxd - self.wx * self.wd) / self.determinant
        return np.where(self.fits, gain, 0.0)

    @cached_property
    def offset(self) -> Any:
        """(C,), at x = 0."""
        with np.errstate(all="ignore"):
            return (self.wd - self.gain * self.wx) / self.w

    @cached_property
    def noise(self) -> Any:
        """Weighted variance of what the line leaves over, (C,)."""
        left = self.wdd - self.offset * self.wd - self.gain * self.wxd
        return np.maximum(left, 0) / np.maximum(1, self.count - 2)

    def _error(self, numerator: Array) -> Any:
        with np.errstate(all="ignore"):
            return np.where(self.fits, np.sqrt(self.noise * numerator / self.determinant), np.inf)

    @property
    def gain_error(self) -> Any:
        """Standard error of the gain, (C,)."""
        return self._error(self.w)

    @property
    def offset_error(self) -> Any:
        """Standard error of the offset, (C,)."""
        return self._error(self.wxx)

    @property
    def height_error(self) -> Any:
        """Standard error of the line in the middle of its points, (C,)."""
        with np.errstate(all="ignore"):
            return np.sqrt(self.noise / self.w)
