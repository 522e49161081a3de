"""What hides under the bound: a gain or an offset that a whole channel shares.

Per channel p - o = a + k (o - centre) + e is fitted with weights 1/B^2. Rounding errors average out
over a channel, faults do not. A finding takes |t| > 15 and an effect beyond what rounding and
rounded parameters can do, and it must be found again among values that differ: in digital silence
one rounding error repeats a thousand times. See "Structure" in docs/numerics.md.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from parity.numerics.regression import Line, per_channel
from parity.numerics.rounding import Array
from parity.numerics.witness import Block, Witness

T_LEAST = 15.0
POSITIONS_LEAST = 8  # fewer than these in a channel fit nothing
POSITIONS_ENOUGH = 2**13  # per channel: of larger ones every n-th position is fitted
SIGMAS_ENOUGH = 2**10  # per channel, for the median of its sigma
SAME = 2.0**-36  # of a channel's largest sum: nearer sums come from the same terms


def apart(o: Array) -> Array:
    """Indices of the sums (n,) that no other repeats, in their order of size."""
    order = np.argsort(o, kind="stable")
    return order[np.diff(o[order], prepend=-np.inf) > SAME * np.abs(o).max()]


class Regression:
    """The weighted sums of one layer's regression, gathered block by block; judge: a Witness with
    limits.
    """

    def __init__(self, judge: Witness) -> None:
        self.judge, self.limits = judge, judge.limits
        self.positions = judge.view[0] * judge.view[2]
        self.every = max(1, self.positions // POSITIONS_ENOUGH) if judge.view[2] > 1 else 1
        self.turn, self.count = 0, np.zeros(judge.view[1])
        self.oracle = np.zeros((3, judge.view[1]))  # sums of w, w o, w o^2
        self.error = np.zeros((3, judge.view[1]))  # sums of w d, w d o, w d^2
        self.sigmas2: dict[
            int, list[Array]
        ] = {}  # first channel of a block -> sigma^2 of the fitted elements

    def add(self, block: Block, error: Array) -> None:
        """error: p - o over the block."""
        kept, channel = self._next(), block.where[1]
        o, error, bound2 = (
            np.ascontiguousarray(a[:, :, kept]) for a in (block.o, error, block.bound2)
        )
        self._add(channel, o, error, 1 / bound2)
        few = slice(None, None, max(1, min(self.positions, POSITIONS_ENOUGH) // SIGMAS_ENOUGH))
        sigma2 = (
            bound2[:, :, few] * self.judge.sigma_share**2
            if block.sigma2 is None
            else block.sigma2[:, :, kept][:, :, few]
        )
        self.sigmas2.setdefault(channel.start or 0, []).append(
            np.moveaxis(sigma2, 1, 0).reshape(o.shape[1], -1).copy()
        )

    def _next(self) -> slice:
        """The positions of the next block to fit."""
        self.turn += 1
        return slice(self.turn * 7 % self.every, None, self.every)

    def _add(self, channel: slice, o: Array, error: Array, weights: Array) -> None:
        weighted, weighted_error = weights * o, weights * error
        self.count[channel] += o.shape[0] * o.shape[2]
        for sums, terms in (
            (self.oracle, ((weights,), (weighted,), (weighted, o))),
            (self.error, ((weighted_error,), (weighted_error, o), (weighted_error, error))),
        ):
            for row, factors in zip(sums, terms, strict=True):
                row[channel] += per_channel(*factors)

    def findings(self, values: Array) -> dict[str, Any]:
        """{structured, channels with a gain or an offset, the strongest gain (relative) and
        offset, their limits and t}.

        values: the output that was tallied, as the judge's view; needed again where something is
        found.
        """
        limit = self._offset_limit()
        gains, offsets = self._found(limit)
        if gains.any() or offsets.any():
            among_distinct = self._distinct(values, np.flatnonzero(gains | offsets))._found(limit)
            gains, offsets = gains & among_distinct[0], offsets & among_distinct[1]
        offset, gain, t_offset, t_gain = self._fit()
        gain_limit = self._gain_limit()
        strongest = int(np.argmax(np.abs(gain) / gain_limit))
        farthest = int(np.argmax(np.abs(offset) / np.maximum(limit, np.finfo(float).tiny)))
        return {
            "structured": bool(gains.any() or offsets.any()),
            "gain_channels": np.flatnonzero(gains).tolist(),
            "offset_channels": np.flatnonzero(offsets).tolist(),
            "gain": float(gain[strongest]),
            "gain_limit": float(gain_limit[strongest]),
            "gain_t": float(t_gain[strongest]),
            "offset": float(offset[farthest]),
            "offset_limit": float(limit[farthest]),
            "offset_t": float(t_offset[farthest]),
        }

    def channels(self) -> dict[str, tuple[Array, Array]]:
        """Every channel's gain (relative) and offset beside what rounding may do: {name: (value,
        limit)}, each (C,).
        """
        offset, gain, _, _ = self._fit()
        return {"gain": (gain, self._gain_limit()), "offset": (offset, self._offset_limit())}

    def _found(self, limit: Array) -> tuple[Array, Array]:
        offset, gain, t_offset, t_gain = self._fit()
        return (
            (np.abs(t_gain) > T_LEAST) & (np.abs(gain) > self._gain_limit()),
            (np.abs(t_offset) > T_LEAST) & (np.abs(offset) > limit),
        )

    def _distinct(self, values: Array, channels: Array) -> Regression:
        """A regression over the same positions of these channels, each value of the oracle once."""
        again = Regression(self.judge)
        parts: dict[int, list[Array]] = {channel: [] for channel in channels}
        for where in self.judge.blocks():
            block, kept = self.judge.block(where), again._next()
            first, stop, _ = where[1].indices(self.judge.view[1])
            for channel in channels[(channels >= first) & (channels < stop)]:
                at = np.s_[:, channel - first, kept]
                parts[channel].append(
                    np.stack([block.o[at], values[where][at], block.bound2[at]]).reshape(3, -1)
                )
        for channel, many in parts.items():
            o, value, bound2 = np.concatenate(many, axis=1)
            once = (a[apart(o)].reshape(1, 1, -1) for a in (o, value - o, 1 / bound2))
            again._add(slice(channel, channel + 1), *once)
        return again

    def _offset_limit(self) -> Array:
        groups = (self.sigmas2[start] for start in sorted(self.sigmas2))
        medians = np.concatenate(
            [np.median(np.concatenate(group, axis=1), axis=1) for group in groups]
        )
        line = self._line()
        far_from_mean = self._one_side() * np.abs(line.wx / line.w)
        return self.limits.offset + self.limits.sigmas * (np.sqrt(medians) + far_from_mean)

    def _gain_limit(self) -> Array:
        """(C,): `limits.gain`, and what the offset's `limits.sigmas` of a sigma make on one side
        of the channel's mean.
        """
        return self.limits.gain + self.limits.sigmas * self._one_side()

    def _one_side(self) -> Array:
        """(C,): the gain that one sigma on one side of a channel's mean is taken for, sum w|x|
        sigma/(2 sum w x^2), x = o - mean.

        By Cauchy and Schwarz, w being 1/B^2, at most sigma/B sqrt(count/sum w x^2)/2. Read at a
        centre far from the mean, such a gain is an offset as well.
        """
        line = self._line()
        room = np.where(line.fits, line.determinant, np.inf)
        return self.judge.sigma_share * np.sqrt(self.count * line.w / room) / 2

    def _line(self) -> Line:
        """The regression of the errors on x = o - centre."""
        (w, wo, woo), (wd, wdo, wdd), centre = self.oracle, self.error, self.limits.centre
        line = Line(
            w,
            wo - centre * w,
            woo - 2 * centre * wo + centre**2 * w,
            wd,
            wdo - centre * wd,
            wdd,
            self.count,
        )
        line.fits &= self.count >= POSITIONS_LEAST
        return line

    def _fit(self) -> tuple[Array, Array, Array, Array]:
        """(offset, gain, t of the offset, t of the gain), each (C,); 0 in channels that do not
        fit.
        """
        line = self._line()
        offset = np.where(line.fits, line.offset, 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):  # where the fit is exact
            t_offset, t_gain = offset / line.offset_error, line.gain / line.gain_error
        return offset, line.gain, _where(offset, t_offset), _where(line.gain, t_gain)


def _where(value: Any, t: Array) -> Array:
    return np.where(value == 0, 0.0, t)
