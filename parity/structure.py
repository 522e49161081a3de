"""What hides under the bound: a gain or an offset that a whole channel shares (m5).

Per channel p - o = a + k (o - centre) + e is fitted with weights 1/B^2. Rounding errors average out over a channel, faults do
not. t-values of clean channels reach 8.4, as residuals are heavy-tailed and correlated: |t| > 15 AND an effect beyond
what rounded parameters can do are asked for, never a p-value alone.
"""

import numpy as np

from parity.rounding import Scratch

T_LEAST = 15.0
POSITIONS_LEAST = 8  # fewer than these in a channel fit nothing
SPREAD_LEAST = 1e-9  # a channel whose o hardly varies (padding, silence) repeats one rounding error: nothing averages out
OFFSET_IN_SIGMAS = 0.5  # beside the parameters' own rounding: beta or b is rounded alike onto the grid of a whole binade of sums
MEDIAN_OF = 2**19  # elements whose sigma is kept for the channels' medians; smaller tensors keep them all


def per_channel(first, second=None):
    """Sum of a block (before, C, after), or of the product of two, per channel: (C,)."""
    if second is not None:
        return np.einsum("acp,acp->c", first, second)
    return np.einsum("acp->c", first)


class Regression:
    """The weighted sums of one layer's regression, gathered block by block; judge: a bounds.Witness with limits."""

    def __init__(self, judge):
        self.limits, self.sigma_share = judge.limits, judge.sigma_share
        self.count = judge.view[0] * judge.view[2]
        self.every = max(1, int(np.prod(judge.view)) // MEDIAN_OF)
        self.oracle = np.zeros((3, judge.view[1]))  # sums of w, w o, w o^2
        self.error = np.zeros((3, judge.view[1]))  # sums of w d, w d o, w d^2
        self.scratch, self.sigmas2 = Scratch(), {}  # first channel of a block -> what was kept of sigma^2

    def add(self, block, weighted_error):
        """weighted_error: (p - o)/B^2; the sums of its product with p - o are added to `error[2]` by the caller."""
        channel = block.where[1]
        weighted = np.multiply(block.weights, block.o, out=self.scratch.take("weighted", block.o.shape))
        self.oracle[0, channel] += per_channel(block.weights)
        self.oracle[1, channel] += per_channel(weighted)
        self.oracle[2, channel] += per_channel(weighted, block.o)
        self.error[0, channel] += per_channel(weighted_error)
        self.error[1, channel] += per_channel(weighted_error, block.o)
        self.sigmas2.setdefault(channel.start or 0, []).append(self._sample(block))

    def _sample(self, block):
        """(channels, kept): sigma^2 at every n-th position of the block."""
        every = (block.bound2 if block.sigma2 is None else block.sigma2)[:, :, ::self.every]
        kept = np.moveaxis(every, 1, 0).reshape(every.shape[1], -1)
        return kept * self.sigma_share**2 if block.sigma2 is None else kept.copy()

    def findings(self):
        """{structured, channels with a gain or an offset, the strongest gain (relative) and offset, their limits and t}."""
        offset, gain, t_offset, t_gain = self._fit()
        limit = self._offset_limit()
        gains = (np.abs(t_gain) > T_LEAST) & (np.abs(gain) > self.limits.gain)
        offsets = (np.abs(t_offset) > T_LEAST) & (np.abs(offset) > limit)
        strongest = int(np.argmax(np.abs(gain) / self.limits.gain))
        farthest = int(np.argmax(np.abs(offset) / np.maximum(limit, np.finfo(float).tiny)))
        return {"structured": bool(gains.any() or offsets.any()),
                "gain_channels": np.flatnonzero(gains).tolist(), "offset_channels": np.flatnonzero(offsets).tolist(),
                "gain": float(gain[strongest]), "gain_limit": float(self.limits.gain[strongest]),
                "gain_t": float(t_gain[strongest]), "offset": float(offset[farthest]), "offset_limit": float(limit[farthest]),
                "offset_t": float(t_offset[farthest])}

    def _offset_limit(self):
        groups = (self.sigmas2[start] for start in sorted(self.sigmas2))
        medians = np.concatenate([np.median(np.concatenate(group, axis=1), axis=1) for group in groups])
        return self.limits.offset + OFFSET_IN_SIGMAS * np.sqrt(medians)

    def _fit(self):
        """(offset, gain, t of the offset, t of the gain), each (C,); all 0 in channels that cannot be fitted."""
        (w, wo, woo), (wd, wdo, wdd), centre = self.oracle, self.error, self.limits.centre
        x, xx, xd = wo - centre * w, woo - 2 * centre * wo + centre**2 * w, wdo - centre * wd
        determinant = w * xx - x * x
        fits = (determinant > SPREAD_LEAST * w * xx) & (self.count >= POSITIONS_LEAST)
        gain = np.where(fits, (w * xd - x * wd) / determinant, 0.0)
        offset = np.where(fits, (wd - gain * x) / w, 0.0)
        variance = np.maximum(wdd - offset * wd - gain * xd, 0) / max(1, self.count - 2)
        t_gain, t_offset = gain / np.sqrt(variance * w / determinant), offset / np.sqrt(variance * xx / determinant)
        return offset, gain, np.where(offset == 0, 0.0, t_offset), np.where(gain == 0, 0.0, t_gain)
