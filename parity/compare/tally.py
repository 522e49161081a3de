"""Sums over a layer's blocks: one array against the oracle, and two arrays against each other."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parity.compare.support import Support
from parity.compare.verdict import Q_MOST
from parity.numerics.regression import per_channel
from parity.numerics.rounding import BLOCK, FALSE_ALARM, NOTHING, Scratch, squares
from parity.numerics.structure import Regression
from parity.numerics.witness import Block, Witness

Where = tuple[slice, ...]  # a block's place in the (before, C, after) view


def by_chance(elements: int) -> float:
    """How far q may exceed its limit where so few elements have sigma 1: M sub-Gaussian squares
    have a mean above 1 + 2 sqrt(t/M) + 2 t/M with probability e^-t (Laurent and Massart 2000).
    """
    t = math.log(1 / FALSE_ALARM) / elements
    return max(1.0, math.sqrt(1 + 2 * math.sqrt(t) + 2 * t) / Q_MOST)


@dataclass
class Worst:
    """The element of the largest |value - o|/B."""

    index: list[int]
    value: float
    oracle: float
    allowed: float


class Tally:
    """One implementation's distance from the oracle; values: its output; structure: regress its
    channels too.

    worst2 is the largest ((value - o)/B)^2, channels2 each channel's sum of (value - o)^2, scaled2
    that of ((value - o)/sigma)^2. `finite` is False when the implementation or the oracle holds
    NaN or infinite values. `watch` is called with (block, value - o, its square over B^2).
    """

    def __init__(self, judge: Witness, values: np.ndarray, structure: bool = False) -> None:
        self.judge, self.values = judge, np.ascontiguousarray(values).reshape(judge.view)
        self.count = max(1, math.prod(judge.view))
        self.worst2 = self.scaled2 = 0.0
        self.channels2 = np.zeros(judge.view[1])
        self.bounded, self.finite = 0, True
        self.worst: Worst | None = None
        self.support, self.scratch = Support(judge), Scratch()
        self.regression = Regression(judge) if structure and judge.limits else None
        self.watch: Callable[[Block, np.ndarray, np.ndarray], None] | None = None

    def add(self, block: Block) -> np.ndarray:
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
        if self.watch:
            self.watch(block, error, weighted)
        largest = weighted.max()
        if not largest <= 1:
            self.support.add(block, ~(weighted <= 1))
        if not largest <= self.worst2:
            self._note_worst(block, weighted, largest)
        return error

    def _add_scaled(self, block: Block, error: np.ndarray, ratio2: np.ndarray) -> None:
        self.bounded += ratio2.size - block.exact_count
        if block.sigma2 is None:
            self.scaled2 += ratio2.sum() / self.judge.sigma_share**2
        else:
            error2 = np.square(error, out=self.scratch.take("error2", error.shape))
            self.scaled2 += float(np.dot(error2.ravel(), block.precision))

    def _note_worst(self, block: Block, ratio2: np.ndarray, largest: float) -> None:
        self.worst2 = largest
        at = np.unravel_index(np.argmax(ratio2), ratio2.shape)  # the first NaN, where there is one
        inside = tuple(int(i + (part.start or 0)) for i, part in zip(at, block.where, strict=True))
        flat = np.ravel_multi_index(inside, self.judge.view)
        bound2 = NOTHING if block.bound2 is None else block.bound2[at]
        self.worst = Worst(
            [int(i) for i in np.unravel_index(flat, self.judge.shape)],
            float(self.values[inside]),
            float(block.o[at]),
            0.0 if bound2 == NOTHING else float(np.sqrt(bound2)),
        )

    @property
    def errors2(self) -> float:
        """Sum of (value - o)^2."""
        return float(self.channels2.sum())

    @cached_property
    def size2(self) -> float:
        """Sum of the squares of the values."""
        return float(squares(self.values))

    @property
    def rho(self) -> float:
        """Largest |value - o|/B; inf where something differs that may not."""
        return float("inf") if self.worst2 > 1 / NOTHING**0.5 else float(np.sqrt(self.worst2))

    @property
    def q(self) -> float:
        """Root mean square of (value - o)/sigma over the elements that may round; 0 when none
        may. What lies beyond its limit is taken for chance as far as so few elements allow.
        """
        if self.rho == float("inf"):
            return float("inf")
        q = float(np.sqrt(self.scaled2 / self.bounded)) if self.bounded else 0.0
        return max(Q_MOST, q / by_chance(self.bounded)) if q > Q_MOST else q

    @property
    def beyond_share(self) -> float:
        """Share of the elements beyond B."""
        return float(self.support.beyond) / self.count


class Pair:
    """Two arrays against each other: largest and root mean square difference, share of equal
    elements. `watch` is called with (where, actual - expected) where they differ.
    """

    def __init__(self, actual: np.ndarray, expected: np.ndarray, view: tuple[int, ...]) -> None:
        self.actual = np.ascontiguousarray(actual).reshape(view)
        self.expected = np.ascontiguousarray(expected).reshape(view)
        self.largest = self.differences2 = 0.0
        self.equal, self.signed_zeros, self.count = 0, 0, max(1, self.actual.size)
        self.watch: Callable[[Where, np.ndarray], None] | None = None

    def add(self, where: Where) -> None:
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
        if self.watch:
            self.watch(where, difference)

    @property
    def norm(self) -> float:
        """Euclidean norm of the difference."""
        return float(np.sqrt(self.differences2))

    @property
    def rms(self) -> float:
        """Root mean square of the difference."""
        return float(np.sqrt(self.differences2 / self.count))


def pair_of(actual: np.ndarray, expected: np.ndarray) -> Pair:
    """The Pair of two whole arrays of one shape, a cache-sized part at a time."""
    pair = Pair(actual, expected, (1, 1, -1))
    for start in range(0, pair.count, BLOCK):
        pair.add((slice(None), slice(None), slice(start, start + BLOCK)))
    return pair


class Comparison:
    """A port's output against the original's and the oracle. fault: why they cannot be compared,
    or ""; copies: equal bit for bit; proved: by probes, which see what channels share better than a
    regression of clips (structure), which is then for the reader alone.
    """

    def __init__(
        self,
        judge: Witness,
        actual: np.ndarray | None,
        expected: np.ndarray,
        proved: bool = False,
        structure: bool = True,
    ) -> None:
        self.judge, self.actual, self.expected = judge, np.asarray(actual), np.asarray(expected)
        self.proved = proved
        self.fault = mismatch(self.actual, self.expected)
        self.usable = not self.fault and judge.shape == self.expected.shape
        if self.usable:
            self.port = Tally(judge, self.actual, structure)
            self.pair = Pair(self.actual, self.expected, judge.view)
        self.copies = self.usable and np.array_equal(self.actual, self.expected)
        self.inherited2 = self.local2 = 0.0

    def add(self, block: Block) -> np.ndarray:
        """Take in a block of the oracle; returns port - oracle."""
        self.pair.add(block.where)
        return self.port.add(block)

    def split(self, block: Block, original: Block, original_error: np.ndarray) -> None:
        """As add, and split port - original into what the input brought and what the layer added.

        original: the oracle's block on the original's input; original_error: the original's output
        minus that.
        """
        error = self.add(block)
        room = self.port.scratch.take("split", block.o.shape)
        if block is not original:
            self.inherited2 += squares(np.subtract(block.o, original.o, out=room))
        self.local2 += squares(np.subtract(error, original_error, out=room))

    def not_finite(self, reference: Tally) -> str:
        """Which side holds NaN or infinite values, in a clause; "" when none does."""
        if self.port.finite and reference.finite:
            return ""
        sides = (("the port's", self.actual), ("the original's", self.expected))
        bad = [(int(np.count_nonzero(~np.isfinite(array))), whose) for whose, array in sides]
        said = [f"{count} of {whose} values are NaN or infinite" for count, whose in bad if count]
        return " and ".join(said) or "the layer's input or parameters hold NaN or infinite values"


def mismatch(actual: Any, expected: Any) -> str:
    """Why two outputs cannot be compared, in a clause; "" when they can."""
    if actual.shape != expected.shape:
        return f"shape {actual.shape} instead of {expected.shape}"
    if actual.dtype != expected.dtype:
        return f"dtype {actual.dtype} instead of {expected.dtype}"
    return "" if actual.size else "there are no values"
