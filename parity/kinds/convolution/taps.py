"""One weight of a convolution that is off by less than rounding hides in any single output: looked
for in all of them together.

Where tap j of filter k is off by c, the residual of filter k carries c x_j(p) at every position p,
x_j being what the tap meets there. For every tap the residual is regressed on it, with an
intercept: one product of the residuals with the patches, in float32, as dear as the convolution
itself. Errors are alike where the input is alike, and t-values grow in all taps together: so t is
compared with the layer's own typical one. See "Structure" in docs/numerics.md.
"""

from typing import Any

import numpy as np

from parity.numerics.rounding import Array, U
from parity.numerics.structure import apart
from parity.numerics.witness import Block

LEAST = 15.0  # |t| is at most the root of the number of positions: fewer than 225 show nothing
# of its mean square: below it a tap meets hardly anything but one value, and float32 sums cannot
# tell its slope from the intercept
SPREAD_LEAST = 1e-5
WEIGHT_LIMIT = 2 * U  # of the filter's largest weight
NORMAL = 0.6745  # median |t| of a normal distribution


class Taps:
    """The sums of one layer's regressions, gathered block by block; judge: a witness of sums."""

    def __init__(self, judge: Any) -> None:
        self.judge, self.conv = judge, judge.conv
        filters, taps = self.conv.matrix.shape
        self.products = np.zeros((filters + 1, taps))  # sums of d x, and in the last row of x
        self.squares, self.errors = np.zeros(taps), np.zeros((2, filters))  # of x^2; of d, d^2
        self.positions = 0

    def add(self, block: Block, error: Array) -> None:
        """error: p - o over the block, (1, K, positions)."""
        x, d = self.conv.patches(self.judge.x, block.where), error[0]
        factors = np.ones((len(d) + 1, d.shape[1]), x.dtype)
        factors[:-1] = d
        self.products += factors @ x.T
        self.squares += np.einsum("tp,tp->t", x, x)
        self.errors += np.einsum("kp->k", d), np.einsum("kp,kp->k", d, d)
        self.positions += d.shape[1]

    def finding(self, values: Array) -> dict[str, Any] | None:
        """The tap that stands out most, or None: {filter, tap, at, change, relative, t, scale}.

        values: the output as the judge's view. at: the tap's place in the weight file; change:
        absolute; relative: of the weight, None where that is 0; t: in units of scale, the layer's
        typical one.
        """
        change, t = self._fit()
        scale = max(1.0, float(np.median(np.abs(t))) / NORMAL)
        limit = WEIGHT_LIMIT * np.abs(self.conv.matrix).max(axis=1, keepdims=True)
        height = np.where(np.abs(change) > limit, np.abs(t), 0.0)
        at = tuple(int(i) for i in np.unravel_index(np.argmax(height), t.shape))
        if not height[at] > LEAST * scale or not self._among_distinct(values, *at) > LEAST:
            return None
        weight = self.conv.matrix[at]
        return {
            "filter": at[0],
            "tap": at[1],
            "at": self.place(*at),
            "change": float(change[at]),
            "relative": float(change[at] / weight) if weight else None,
            "t": float(t[at] / scale),
            "scale": scale,
        }

    def place(self, kernel: int, tap: int) -> list[int]:
        """[filter, channel, row, column] in the weight file, which has the kernels flipped."""
        rows, columns = self.conv.size
        channel, row, column = np.unravel_index(
            tap, (self.conv.matrix.shape[1] // (rows * columns), rows, columns)
        )
        return [int(i) for i in (kernel, channel, rows - 1 - row, columns - 1 - column)]

    def _fit(self) -> tuple[Array, Array]:
        """(change, t), each (K, taps); 0 where a tap meets too little that differs."""
        dx, x, (d, dd) = self.products[:-1], self.products[-1], self.errors[:, :, None]
        with np.errstate(all="ignore"):
            return _slopes(dx, x, self.squares, d, dd, self.positions)

    def _among_distinct(self, values: Array, kernel: int, tap: int) -> float:
        """|t| of that tap over the positions whose value no other repeats."""
        parts = []
        for where in self.judge.blocks():
            o = self.judge.block(where).o[0, kernel]
            x = self.conv.patches(self.judge.x, where)[tap]
            parts.append(np.stack([o, values[where][0, kernel] - o, x]))
        o, d, x = np.concatenate(parts, axis=1)
        distinct = apart(o)
        d, x = d[distinct], x[distinct]
        with np.errstate(all="ignore"):
            return abs(float(_slopes(d @ x, x.sum(), x @ x, d.sum(), d @ d, len(d))[1]))


# No Line of numerics.regression: a tap may be one of thousands that the residual holds, so t takes
# all of the residual's variance for noise, and is at most the root of `count`.
def _slopes(dx: Any, x: Any, xx: Any, d: Any, dd: Any, count: int) -> tuple[Any, Any]:
    """(slope, t) of d on x with an intercept, from their sums."""
    spread = xx - x * x / count
    covered = dx - d * x / count
    fits = spread > SPREAD_LEAST * xx
    noise = np.sqrt(np.maximum(dd - d * d / count, 0) / count * spread)
    return np.where(fits, covered / spread, 0.0), np.nan_to_num(
        np.where(fits, covered / noise, 0.0)
    )
