"""What a layer's card shows beside its figures: how the residuals spread, what each channel does,
where the differences lie.

Gathered in the blocks of the comparison; every series is one line of text, so that a run of three
models stays below a megabyte.
"""

import math

import numpy as np

from parity.numerics.rounding import NOTHING, Scratch, U

BINS, REACH = (
    41,
    5.0,
)  # bins of (side - oracle)/sigma over [-REACH, REACH], with one tail on either side
ELEMENTS_ENOUGH = (
    2**21
)  # of a tensor for its residuals: of n times as many, every n-th window is counted
CHANNELS_MOST = 256  # of more, neighbours are put together and the one nearest its limit is shown
ROWS, COLUMNS = 32, 64  # of a map, at most
# 0: no difference at all; 1 to f: from the least to the largest block, in equal ratios
LEVELS = "0123456789abcdef"


class Evidence:
    """One layer's evidence: hand it to drift.compare_layer, then ask for its `record`."""

    def __init__(self):
        self.isolated = self.reference = self.chained = None

    def watch(self, isolated, reference, chained):
        """Let two drift.Comparisons (chained: or None) and the original's tally.Tally gather what
        is shown of them.
        """
        self.isolated, self.reference, self.chained = isolated, reference, chained
        for tally in {id(isolated.port): isolated.port, id(reference): reference}.values():
            tally.residuals = Residuals(isolated.judge)
        for comparison in self._mapped():
            comparison.pair.peaks = Peaks(isolated.judge)

    def record(self):
        """{residuals: {port, original}, channels, map}, each part None where there is nothing to
        show; None for a layer of nothing.
        """
        if self.isolated is None or not (self.isolated.port.finite and self.reference.finite):
            return None
        copies, regression = self.isolated.copies, self.isolated.port.regression
        residuals = {
            "port": None if copies else self.isolated.port.residuals.record(),
            "original": self.reference.residuals.record(),
        }
        maps = (
            comparison.pair.peaks.record(mode)
            for mode, comparison in zip(("isolated", "chained"), self._mapped(), strict=False)
        )
        found = {
            "residuals": residuals if self.reference.bounded else None,
            "channels": channels(regression) if regression and not copies else None,
            "map": next(filter(None, maps), None),
        }
        return found if any(found.values()) else None

    def _mapped(self):
        """The comparisons of which a map may be shown: the isolated one, and the chained one where
        that is exact.
        """
        both = [self.isolated, *([self.chained] if self.chained and self.chained.usable else [])]
        return both if self.isolated.copies else both[:1]


class Residuals:
    """Counts of (value - oracle)/sigma over the elements that may round: below, BINS inside,
    above; judge: a bounds.Witness.
    """

    def __init__(self, judge):
        self.judge, self.scratch = judge, Scratch()
        self.every, self.turn = max(1, math.prod(judge.view) // ELEMENTS_ENOUGH), 0
        self.counts, self.certain = np.zeros(BINS + 2, int), 0

    def add(self, block, error, ratio2):
        """error: value - o over the block; ratio2: (error/B)^2."""
        if block.bound2 is None:  # a moving kind: nothing may round
            return
        part = self._next(error.size)
        error, ratio2, bound2 = (whole.ravel()[part] for whole in (error, ratio2, block.bound2))
        per_bin, spread = BINS / (2 * REACH * self.judge.sigma_share), ratio2
        if block.sigma2 is not None:
            per_bin, spread = BINS / (2 * REACH), np.square(error) * block.precision[part]
        self.counts += np.bincount(self._bins(error, spread, per_bin), minlength=BINS + 2)
        if block.exact_count:
            self._leave_out(bound2, ratio2)

    def _next(self, size):
        """The window of a block's elements to count: all, or one in `every`, never the same window
        of blocks that alternate.
        """
        at, self.turn = (self.turn + self.turn // self.every) % self.every, self.turn + 1
        return slice(at * size // self.every, (at + 1) * size // self.every)

    def _bins(self, error, spread, per_bin):
        """The bin of each element, given its squared distance: in float32, as a bin is wide and
        float64 takes twice as long.
        """
        bins, sign = (self.scratch.take(name, error.shape, np.float32) for name in ("bins", "sign"))
        np.copyto(bins, spread, casting="same_kind")
        np.copyto(sign, error, casting="same_kind")
        np.copysign(np.sqrt(bins, out=bins), sign, out=bins)
        bins *= np.float32(per_bin)
        bins += np.float32(1 + BINS / 2)
        return np.fmin(np.fmax(bins, 0, out=bins), BINS + 1, out=bins).astype(np.uint8)

    def _leave_out(self, bound2, ratio2):
        """Elements that may not round and do not are no part of a spread; those that do stay in
        the tails.
        """
        certain = int(np.count_nonzero((bound2 == NOTHING) & (ratio2 == 0)))
        self.counts[1 + BINS // 2] -= certain
        self.certain += certain

    def record(self):
        """{inside, below, above, certain, every}: counts per bin as a line of text, both tails,
        what was left out; one in `every`.
        """
        below, *inside, above = self.counts.tolist()
        return {
            "inside": " ".join(map(str, inside)),
            "below": below,
            "above": above,
            "certain": self.certain,
            "every": self.every,
        }


class Peaks:
    """The largest |actual - expected| over clips and channels at each place of an output's last
    two axes.
    """

    def __init__(self, judge):
        before, channels, after = judge.view
        self.shape, self.over_channels = judge.shape, judge.axis < len(judge.shape) - 2
        self.largest = np.zeros((before, 1 if self.over_channels else channels, after), np.float32)

    def add(self, where, difference):
        """difference: actual - expected over a block."""
        size = np.abs(difference)
        if self.over_channels:
            where, size = (where[0], slice(None), where[2]), size.max(axis=1, keepdims=True)
        np.fmax(self.largest[where], size, out=self.largest[where])

    def record(self, mode):
        """{mode, shape, block, least, largest, rows}; None where there is no plane of two axes or
        nothing differs in it.

        shape: of the two axes; block: how many places of each a letter of `rows` stands for;
        least, largest: of the blocks that differ, in the output's unit. rows: one text per row of
        blocks, letters of LEVELS.
        """
        if len(self.shape) < 3 or min(self.shape[-2:]) < 2 or not 0 < self.largest.max() < np.inf:
            return None
        plane = self.largest.reshape(-1, *self.shape[-2:]).max(axis=0).astype(np.float64)
        plane, block = block_maximum(plane)
        least, largest = float(plane[plane > 0].min()), float(plane.max())
        return {
            "mode": mode,
            "shape": list(self.shape[-2:]),
            "block": block,
            "least": short(least),
            "largest": short(largest),
            "rows": [
                "".join(LEVELS[level] for level in row) for row in levels(plane, least, largest)
            ],
        }


def block_maximum(plane):
    """(plane reduced to at most ROWS x COLUMNS by the maximum of equal blocks, [rows, columns] of
    a block).
    """
    block = [-(-size // most) for size, most in zip(plane.shape, (ROWS, COLUMNS), strict=True)]
    for axis, size in enumerate(block):
        plane = np.maximum.reduceat(plane, np.arange(0, plane.shape[axis], size), axis=axis)
    return plane, block


def levels(plane, least, largest):
    """Each value's level: 0 for 0, else 1 to 15 in equal ratios from least to largest (15 where
    they are the same).
    """
    top = len(LEVELS) - 1
    if least == largest:
        return np.where(plane > 0, top, 0)
    steps = np.log(np.maximum(plane, least) / least) / np.log(largest / least)
    return np.where(plane > 0, 1 + np.rint(steps * (top - 1)).astype(int), 0)


def channels(regression):
    """Per channel the gain, in u, and the offset, in the output's unit, beside what rounding may
    do; series as lines of text.

    {axis, count, every, gain_u, gain_limit_u, offset, offset_limit}; every: neighbouring channels
    per entry. A limit that all share stands once.
    """
    found = regression.channels()
    gain, offset = (_strongest(*found[name]) for name in ("gain", "offset"))
    return {
        "axis": regression.judge.axis_name,
        "count": regression.judge.view[1],
        "every": _every(regression.judge.view[1]),
        "gain_u": _line(gain[0] / U),
        "gain_limit_u": _line(gain[1] / U),
        "offset": _line(offset[0]),
        "offset_limit": _line(offset[1]),
    }


def _every(count):
    return -(-count // CHANNELS_MOST)


def _strongest(value, limit):
    """(value, limit) of every channel, or of the one of each group that is nearest to its limit."""
    every = _every(len(value))
    share = np.abs(value) / np.maximum(limit, np.finfo(float).tiny)
    at = [
        start + int(np.argmax(share[start : start + every]))
        for start in range(0, len(value), every)
    ]
    return value[at], limit[at]


def _line(values):
    written = [f"{value:.3g}" for value in values]
    return written[0] if len(set(written)) == 1 else " ".join(written)


def short(value):
    """A number rounded to three significant digits."""
    return float(f"{value:.3g}")
