"""Sums over a layer's blocks: one array against the oracle, and two arrays against each other."""

from functools import cached_property

import numpy as np

from parity.compare.support import Support
from parity.numerics.regression import per_channel
from parity.numerics.rounding import NOTHING, Scratch, squares
from parity.numerics.structure import Regression


class Tally:
    """One implementation's distance from the oracle (a Witness); values: its output;
    structure: regress channels too.

    worst2 is the largest ((value - o)/B)^2, channels2 each channel's sum of (value - o)^2, scaled2
    that of ((value - o)/sigma)^2. `finite` is False when the implementation or the oracle holds
    NaN or infinite values.
    """

    def __init__(self, judge, values, structure=False):
        self.judge, self.values = judge, np.ascontiguousarray(values).reshape(judge.view)
        self.worst2 = self.scaled2 = 0.0
        self.channels2 = np.zeros(judge.view[1])
        self.bounded, self.finite = 0, True
        self.at, self.support, self.scratch = None, Support(judge), Scratch()
        self.regression = Regression(judge) if structure and judge.limits else None
        self.residuals = None  # or an evidence.Residuals

    def add(self, block):
        """Take in a block; returns value - o, float64, good until the next (one 0 where a kind
        that rounds nothing agrees).
        """
        values = self.values[block.where]
        if block.bound2 is None and np.array_equal(values, block.o):
            self.finite &= bool(np.isfinite(values.sum(dtype=np.float64)))
            return np.zeros(1)
        error = np.subtract(values, block.o, out=self.scratch.take("error", block.o.shape))
        weighted = np.multiply(error, block.weights, out=self.scratch.take("weighted", error.shape))
        if self.regression:
            self.regression.add(block, error)
        weighted *= error  # ((value - o)/B)^2
        errors2 = per_channel(error, error)
        self.channels2[block.where[1]] += errors2
        self.finite &= bool(np.isfinite(errors2).all())
        self._add_scaled(block, error, weighted)
        if self.residuals:
            self.residuals.add(block, error, weighted)
        largest = weighted.max()
        if not largest <= 1:
            self.support.add(block, ~(weighted <= 1))
        if not largest <= self.worst2:
            self._note_worst(block, weighted, largest)
        return error

    def _add_scaled(self, block, error, ratio2):
        self.bounded += ratio2.size - block.exact_count
        if block.sigma2 is None:
            self.scaled2 += ratio2.sum() / self.judge.sigma_share**2
        else:
            error2 = np.square(error, out=self.scratch.take("error2", error.shape))
            self.scaled2 += float(np.dot(error2.ravel(), block.precision))

    def _note_worst(self, block, ratio2, largest):
        self.worst2 = largest
        at = np.unravel_index(np.argmax(ratio2), ratio2.shape)  # the first NaN, where there is one
        inside = tuple(int(i + (part.start or 0)) for i, part in zip(at, block.where, strict=True))
        flat = np.ravel_multi_index(inside, self.judge.view)
        bound2 = NOTHING if block.bound2 is None else block.bound2[at]
        self.at = {
            "index": [int(i) for i in np.unravel_index(flat, self.judge.shape)],
            "value": float(self.values[inside]),
            "oracle": float(block.o[at]),
            "allowed": 0.0 if bound2 == NOTHING else float(np.sqrt(bound2)),
        }

    @property
    def errors2(self):
        """Sum of (value - o)^2."""
        return float(self.channels2.sum())

    @cached_property
    def size2(self):
        """Sum of the squares of the values."""
        return squares(self.values)

    @property
    def rho(self):
        """Largest |value - o|/B; inf where something differs that may not."""
        return float("inf") if self.worst2 > 1 / NOTHING**0.5 else float(np.sqrt(self.worst2))

    @property
    def q(self):
        """Root mean square of (value - o)/sigma over the elements that may round; 0 when none
        may.
        """
        if self.rho == float("inf"):
            return float("inf")
        return float(np.sqrt(self.scaled2 / self.bounded)) if self.bounded else 0.0

    @property
    def beyond_share(self):
        """Share of the elements beyond B (f1)."""
        return self.support.beyond / max(1, int(np.prod(self.judge.view)))


class Pair:
    """Two arrays against each other: largest and root mean square difference, share of equal
    elements.
    """

    def __init__(self, actual, expected, view):
        self.actual, self.expected = (
            np.ascontiguousarray(a).reshape(view) for a in (actual, expected)
        )
        self.largest = self.differences2 = 0.0
        self.peaks = None  # or an evidence.Peaks
        self.equal, self.signed_zeros, self.count = 0, 0, max(1, self.actual.size)

    def add(self, where):
        """Take in the elements at `where`."""
        actual, expected = self.actual[where], self.expected[where]
        equal = int(np.count_nonzero(actual == expected))
        self.equal += equal
        if equal == actual.size:
            self.signed_zeros += int(np.count_nonzero(np.signbit(actual) != np.signbit(expected)))
            return
        difference = actual - expected  # of two near float32 numbers, exact
        self.largest = np.fmax(self.largest, max(difference.max(), -difference.min()))
        self.differences2 += squares(difference)
        if self.peaks:
            self.peaks.add(where, difference)

    @property
    def norm(self):
        """Euclidean norm of the difference."""
        return float(np.sqrt(self.differences2))

    @property
    def rms(self):
        """Root mean square of the difference."""
        return float(np.sqrt(self.differences2 / self.count))
