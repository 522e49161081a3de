"""What a layer's card shows beside its figures: how the residuals spread, what each channel does,
where the differences lie.

Gathered in the blocks of the comparison. Every series is one line of text, so that a run of three
models stays below a megabyte.
"""

import math

import numpy as np

from parity.compare.tally import Comparison, Tally, Where
from parity.numerics.rounding import NOTHING, Scratch, U
from parity.numerics.structure import Regression
from parity.numerics.witness import Block, Witness
from parity.results import Channels, Evidence, Map, Mode, Sides
from parity.results import Residuals as Counts

# bins of (side - oracle)/sigma over [-REACH, REACH], with one tail on either side
BINS, REACH = 41, 5.0
# of a tensor for its residuals: of n times as many, every n-th window is counted
ELEMENTS_ENOUGH = 2**21
CHANNELS_MOST = 256  # of more, neighbours are put together and the one nearest its limit is shown
ROWS, COLUMNS = 32, 64  # of a map, at most
# 0: no difference at all; 1 to f: from the least to the largest block, in equal ratios
LEVELS = "0123456789abcdef"


class Watch:
    """Gathers one layer's evidence while it is compared: `start` it, then ask for its `record`."""

    def __init__(self, isolated: Comparison, chained: Comparison | None) -> None:
        self.isolated = isolated
        # where isolated is exact, the map of the chain is shown
        self.mapped: dict[Mode, Comparison] = {"isolated": isolated}
        if chained and chained.usable and isolated.copies:
            self.mapped["chained"] = chained
        self.peaks = {mode: Peaks(isolated.judge) for mode in self.mapped}
        self.port, self.original = Residuals(isolated.judge), Residuals(isolated.judge)

    def start(self, reference: Tally) -> None:
        """Look at every block from now on; reference: the original's tally."""
        self.reference = reference
        self.isolated.port.watch = self.port.add
        reference.watch = self.original.add  # the same tally where the port copies
        for mode, comparison in self.mapped.items():
            comparison.pair.watch = self.peaks[mode].add

    def record(self) -> Evidence | None:
        """What there is to show, None where there is nothing."""
        port = self.isolated.port
        if not (port.finite and self.reference.finite):
            return None
        shown = None if self.isolated.copies else port.regression
        sides = Sides(None if self.isolated.copies else self.port.record(), self.original.record())
        found = Evidence(
            sides if self.reference.bounded else None,
            channels(shown) if shown else None,
            next(filter(None, (peaks.record(mode) for mode, peaks in self.peaks.items())), None),
        )
        return found if found.residuals or found.channels or found.map else None


class Residuals:
    """Counts of (value - oracle)/sigma over the elements that may round: below, BINS inside,
    above.
    """

    def __init__(self, judge: Witness) -> None:
        self.judge, self.scratch = judge, Scratch()
        self.every, self.turn = max(1, math.prod(judge.view) // ELEMENTS_ENOUGH), 0
        self.counts, self.certain = np.zeros(BINS + 2, int), 0

    def add(self, block: Block, error: np.ndarray, ratio2: np.ndarray) -> None:
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

    def _next(self, size: int) -> slice:
        """The window of a block's elements to count: all, or one in `every`, never the same window
        of blocks that alternate.
        """
        at, self.turn = (self.turn + self.turn // self.every) % self.every, self.turn + 1
        return slice(at * size // self.every, (at + 1) * size // self.every)

    def _bins(self, error: np.ndarray, spread: np.ndarray, per_bin: float) -> np.ndarray:
        """The bin of each element, given its squared distance: in float32, as a bin is wide and
        float64 takes twice as long.
        """
        bins, sign = (self.scratch.take(name, error.shape, np.float32) for name in ("bins", "sign"))
        np.copyto(bins, spread, casting="same_kind")
        np.copyto(sign, error, casting="same_kind")
        np.copysign(np.sqrt(bins, out=bins), sign, out=bins)
        bins *= np.float32(per_bin)
        bins += np.float32(1 + BINS / 2)
        np.fmin(np.fmax(bins, 0, out=bins), BINS + 1, out=bins)
        return np.asarray(bins, np.uint8)

    def _leave_out(self, bound2: np.ndarray, ratio2: np.ndarray) -> None:
        """Elements that may not round and do not are no part of a spread; those that do stay in
        the tails.
        """
        certain = int(np.count_nonzero((bound2 == NOTHING) & (ratio2 == 0)))
        self.counts[1 + BINS // 2] -= certain
        self.certain += certain

    def record(self) -> Counts:
        """The counts per bin as a line of text, and both tails."""
        below, *inside, above = self.counts.tolist()
        return Counts(" ".join(map(str, inside)), below, above, self.certain, self.every)


class Peaks:
    """The largest |actual - expected| over clips and channels at each place of an output's last
    two axes.
    """

    def __init__(self, judge: Witness) -> None:
        before, channels, after = judge.view
        self.shape, self.over_channels = judge.shape, judge.axis < len(judge.shape) - 2
        self.largest = np.zeros((before, 1 if self.over_channels else channels, after), np.float32)

    def add(self, where: Where, difference: np.ndarray) -> None:
        """difference: actual - expected over a block."""
        size = np.abs(difference)
        if self.over_channels:
            where, size = (where[0], slice(None), where[2]), size.max(axis=1, keepdims=True)
        np.fmax(self.largest[where], size, out=self.largest[where])

    def record(self, mode: Mode) -> Map | None:
        """None where there is no plane of two axes or nothing differs in it."""
        if len(self.shape) < 3 or min(self.shape[-2:]) < 2 or not 0 < self.largest.max() < np.inf:
            return None
        plane = self.largest.reshape(-1, *self.shape[-2:]).max(axis=0).astype(np.float64)
        plane, block = block_maximum(plane)
        least, largest = float(plane[plane > 0].min()), float(plane.max())
        rows = ["".join(LEVELS[level] for level in row) for row in levels(plane, least, largest)]
        return Map(mode, list(self.shape[-2:]), block, short(least), short(largest), rows)


def block_maximum(plane: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """(plane reduced to at most ROWS x COLUMNS by the maximum of equal blocks, [rows, columns] of
    a block).
    """
    block = [-(-size // most) for size, most in zip(plane.shape, (ROWS, COLUMNS), strict=True)]
    for axis, size in enumerate(block):
        plane = np.maximum.reduceat(plane, np.arange(0, plane.shape[axis], size), axis=axis)
    return plane, block


def levels(plane: np.ndarray, least: float, largest: float) -> np.ndarray:
    """Each value's level: 0 for 0, else 1 to 15 in equal ratios from least to largest (15 where
    they are the same).
    """
    top = len(LEVELS) - 1
    if least == largest:
        return np.where(plane > 0, top, 0)
    steps = np.log(np.maximum(plane, least) / least) / np.log(largest / least)
    return np.where(plane > 0, 1 + np.rint(steps * (top - 1)).astype(int), 0)


def channels(regression: Regression) -> Channels:
    """Per channel the gain, in u, and the offset, beside what rounding may do."""
    found, count = regression.channels(), regression.judge.view[1]
    gain, offset = (_strongest(*found[name]) for name in ("gain", "offset"))
    lines = [_line(values) for values in (gain[0] / U, gain[1] / U, *offset)]
    return Channels(regression.judge.axis_name, count, _every(count), *lines)


def _every(count: int) -> int:
    return -(-count // CHANNELS_MOST)


def _strongest(value: np.ndarray, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(value, limit) of every channel, or of the one of each group that is nearest to its limit."""
    every = _every(len(value))
    share = np.abs(value) / np.maximum(limit, np.finfo(float).tiny)
    starts = range(0, len(value), every)
    at = [start + int(np.argmax(share[start : start + every])) for start in starts]
    return value[at], limit[at]


def _line(values: np.ndarray) -> str:
    """The figures in one line; a value that all share stands once."""
    written = [f"{value:.3g}" for value in values]
    return written[0] if len(set(written)) == 1 else " ".join(written)


def short(value: float) -> float:
    """A number rounded to three significant digits."""
    return float(f"{value:.3g}")
