"""One answer to a probe: is it the formula's?

Beside each element's own limit, the root mean square of (answer - formula)/sigma is judged over
every slice of every axis. sigma is what one float32 accumulator makes of a sum without repeated
terms, so q = 1 for any fixed order, less for several accumulators; its estimate from M elements
has a deviation of 1/sqrt(2M).
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.kinds.api import BY_RANK, LayerCase
from parity.kinds.probing import PER_SLICE, Probe
from parity.numerics.rounding import Array, U, tail_factor

Q_MOST = 1.1  # of one accumulator, in any order: measured 0.86 to 1.03 on six convolutions
WHOLE = "all of it"
TOGETHER = 2**15  # answers judged at a time: they stay in the processor's cache
SOME = 2**16  # wrong answers that are looked at one by one
ENOUGH = 16  # wrong answers that have one place in common not by chance
ALIKE = 3 * U  # what two factors that are read off float32 numbers may differ by


@dataclass
class Judged:
    """What an answer amounts to. share: the largest |answer - formula| of what is allowed; q and
    q_where: the largest over its limit, and the slice it is of; touched: of each axis, the places
    with wrong answers; looked_at: at how many places of it an answer was compared; factor: what all
    of them are too large by, if that is one.
    """

    answers: int
    wrong: int = 0
    share: float = 0.0
    worst: tuple[int, ...] | None = None
    q: float = 0.0
    q_share: float = 0.0
    q_where: str = ""
    fault: str = ""
    touched: list[Array] = field(default_factory=list)
    factor: float | None = None
    looked_at: tuple[int, ...] = ()

    def narrow(self, case: LayerCase) -> bool:
        """Whether all that is wrong, and enough is, is in one place of an axis that has others and
        no parameters of its own.
        """
        if not self.wrong:
            return self.q_where not in ("", WHOLE)
        own = own_axis(case, len(self.looked_at))
        axes = enumerate(zip(self.touched, self.looked_at, strict=True))
        one = any(len(some) == 1 < n for axis, (some, n) in axes if axis != own)
        return one and self.wrong >= ENOUGH

    @property
    def holds(self) -> bool:
        return not self.wrong and not self.fault


def own_axis(case: LayerCase, rank: int) -> int:
    """The axis of an answer that has parameters of its own: channels, units."""
    return int(case.config.get("axis", 1 if rank > 3 else -1)) % rank


def judged(probe: Probe, answer: Array) -> Judged:
    """The answer against its probe."""
    if answer.dtype != np.float32:
        return Judged(0, fault=f"answers in {answer.dtype}, the original's is float32")
    if probe.at is ... and answer.shape != probe.low.shape:
        return Judged(
            0, fault=f"answers in shape {answer.shape}, the original's is {probe.low.shape}"
        )
    try:
        found = answer[probe.at]
    except IndexError:
        return Judged(0, fault=f"answers in shape {answer.shape}, which is not the original's")
    verdict = Judged(found.size)
    with np.errstate(all="ignore"):  # NaN and inf are findings, and no comparison passes them
        if probe.high is probe.low:
            _judge_single(verdict, probe, found)
        else:
            _judge_range(verdict, probe, found)
        if probe.sigma is not None and probe.expected is not None:
            off = np.subtract(found, probe.expected, dtype=np.float64)
            _judge_slices(verdict, probe, answer, np.square(off / probe.sigma).ravel())
    return verdict


def _judge_single(verdict: Judged, probe: Probe, found: Array) -> None:
    """Answers of which one is right, or its neighbours within the slack."""
    other = np.flatnonzero(found != probe.low)
    if not len(other):
        return
    right = probe.low.ravel()[other].astype(np.float64)
    off = np.abs(found.ravel()[other] - right)
    allowed = probe.slack * U * np.abs(right)
    verdict.wrong = int(len(other) - np.count_nonzero(off <= allowed))
    _note_worst(verdict, probe, found, np.where(off <= 0, 0.0, off / allowed), other)
    if verdict.wrong:
        _note_places(verdict, probe, found, other[~(off <= allowed)])


def _judge_range(verdict: Judged, probe: Probe, found: Array) -> None:
    flat = [array.reshape(-1) for array in (probe.low, probe.high, found)]
    wrong, most = [], []
    for start in range(0, found.size, TOGETHER):
        low, high, answer = (array[start : start + TOGETHER] for array in flat)
        inside = (low <= answer) & (answer <= high)
        half = (high - low) / 2
        share = np.abs(answer - low - half) / half
        share[(half == 0) & inside] = 0.0
        at = int(np.argmax(share))  # the first NaN, if there is one
        most.append((share[at], start + at))
        if not inside.all():
            wrong.append(start + np.flatnonzero(~inside))
    _note_worst(verdict, probe, found, *map(np.array, zip(*most, strict=True)))
    if wrong:
        places = np.concatenate(wrong)
        verdict.wrong = len(places)
        _note_places(verdict, probe, found, places)


def _note_worst(verdict: Judged, probe: Probe, found: Array, share: Array, places: Array) -> None:
    most = int(np.argmax(share))
    verdict.share = np.inf if np.isnan(share[most]) else float(share[most])
    at = int(places[most])
    if probe.at is ...:
        verdict.worst = tuple(int(i) for i in np.unravel_index(at, found.shape))
    else:
        verdict.worst = tuple(int(axis.flat[at]) for axis in np.broadcast_arrays(*probe.at))


def _note_places(verdict: Judged, probe: Probe, found: Array, wrong: Array) -> None:
    if probe.at is ...:
        mask = np.zeros(found.shape, bool)
        mask.ravel()[wrong] = True
        others = [tuple(b for b in range(found.ndim) if b != a) for a in range(found.ndim)]
        verdict.touched = [np.flatnonzero(mask.any(axis=axes)) for axes in others]
        verdict.looked_at = found.shape
    else:
        axes = np.broadcast_arrays(*probe.at)
        verdict.touched = [np.unique(axis.flat[wrong]) for axis in axes]
        verdict.looked_at = tuple(len(np.unique(axis)) for axis in probe.at)
    some = wrong[:: 1 + len(wrong) // SOME]
    right = (probe.low.ravel()[some].astype(np.float64) + probe.high.ravel()[some]) / 2
    ratio = found.ravel()[some] / right
    middle = float(np.median(ratio))
    if np.isfinite(middle) and (np.abs(ratio - middle) <= ALIKE * abs(middle)).all():
        verdict.factor = middle


def _judge_slices(verdict: Judged, probe: Probe, answer: Array, z2: Array) -> None:
    """Put the largest q over its limit into the verdict."""
    places: Any = probe.at
    parts = np.indices(answer.shape) if places is ... else np.broadcast_arrays(*places)
    places = [axis.ravel() for axis in parts]
    names = BY_RANK.get(answer.ndim, range(answer.ndim))
    candidates = [(WHOLE, np.array([z2.mean()]), np.array([z2.size]), 1)]
    for axis in range(answer.ndim):
        count = np.bincount(places[axis], minlength=answer.shape[axis])
        total = np.bincount(places[axis], weights=z2, minlength=answer.shape[axis])
        mean = np.divide(total, count, out=np.zeros(len(count)), where=count > 0)
        candidates.append((str(names[axis]), mean, np.maximum(count, 1), len(count)))
    for name, mean2, count, slices in candidates:
        limit = Q_MOST * (1 + tail_factor(slices) / np.sqrt(2 * count))
        # the deviation 1/sqrt(2M) is that of many errors: few, on a lattice, may be 2.7 together
        enough = (count >= PER_SLICE) | (slices == 1)
        share = np.where(enough | np.isnan(mean2), np.sqrt(mean2) / limit, 0.0)
        most = int(np.argmax(share))
        if share[most] > verdict.q_share or np.isnan(share[most]):
            verdict.q, verdict.q_share = float(np.sqrt(mean2[most])), float(share[most])
            verdict.q_where = name if slices == 1 else f"{name} {most}"
