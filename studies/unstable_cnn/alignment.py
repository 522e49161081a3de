"""By how much a stored mel spectrogram was cut later than the one made here: to the sample of the
source, and its fraction.
"""

import functools
from typing import NamedTuple

import numpy as np

from parity.studies.unstable_cnn.front_end_variants import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    decibel,
    magnitude,
)

REACH_FRAMES = 128  # as far as is looked, either way: 2.7 s
STEPS_SAMPLES = (64, 16, 4, 1)
BESIDE = 4  # tried on either side of each step's best
ABOVE_FLOOR_DB = 1.0
EVERY = 4  # of the frames is looked at, one; there are enough


class Alignment(NamedTuple):
    """late: samples of the source, whole; exact, give: the same with a fraction, and by how much
    it may be wrong.

    curve: {late: median |residual| in dB} around the best; give is what is left at its foot, and by
    how much its arms bend, over their steepness.
    """

    late: int
    exact: float
    give: float
    curve: dict


def align(track, stored, front_end):
    """The Alignment of a Track to `stored` (96, 1366), decibel, whatever the FrontEnd's `late`."""
    rough = _rough_frames(track, stored, front_end)
    at_12_khz = _fine_samples(track, stored, front_end, rough * HOP_SAMPLES)
    nearest, beside = (
        round(at_12_khz * track.rate_hz / SAMPLE_RATE_HZ),
        1 + -(-track.rate_hz // SAMPLE_RATE_HZ),
    )
    return curve_around(track, stored, front_end, nearest, beside)


def curve_around(track, stored, front_end, nearest, beside=BESIDE):
    """The Alignment among nearest - beside .. nearest + beside samples of the source."""
    lates = range(nearest - beside, nearest + beside + 1)
    return _met(
        {
            late: _residual_db(track.at_12_khz(front_end._replace(late=late)), stored, front_end)
            for late in lates
        }
    )


def residual_db(actual, expected):
    """Median |residual| after the best straight line, over the cells that are well above both
    floors.

    A line, so that another gain, reference or power does not hide the shift; the median, so that
    few bad cells do not.
    """
    clear = (actual > actual.min() + ABOVE_FLOOR_DB) & (expected > expected.min() + ABOVE_FLOOR_DB)
    if not clear.any():
        return np.inf
    x, y = actual[clear] - actual[clear].mean(), expected[clear] - expected[clear].mean()
    residual = y - x * (x @ y / (x @ x or 1.0))
    return float(np.median(np.abs(residual - np.median(residual))))


def _residual_db(samples, stored, front_end):
    """`residual_db` of the clip in samples (n,) at 12 kHz."""
    from tagger.audio import centre

    return residual_db(
        decibel(magnitude(centre(samples), front_end, EVERY), front_end), stored[:, ::EVERY]
    )


def _rough_frames(track, stored, front_end):
    """Whole frames, by correlation along the whole track."""
    from tagger.audio import centre

    samples = track.at_12_khz(front_end._replace(late=0))
    start = max(0, len(samples) - len(centre(samples))) // 2
    before = REACH_FRAMES * HOP_SAMPLES - start % HOP_SAMPLES
    padded = np.pad(
        samples, (before, REACH_FRAMES * HOP_SAMPLES + max(0, len(centre(samples)) - len(samples)))
    )
    whole = decibel(magnitude(padded, front_end), front_end)
    first = (start + before) // HOP_SAMPLES
    reach = range(
        -min(REACH_FRAMES, first), min(REACH_FRAMES, whole.shape[1] - first - stored.shape[1]) + 1
    )
    some, till = stored[:, ::EVERY], stored.shape[1] + first
    return max(
        reach,
        key=lambda frames: _correlation(whole[:, first + frames : till + frames : EVERY], some),
    )


def _correlation(actual, expected):
    x, y = actual - actual.mean(), expected - expected.mean()
    return float((x * y).sum() / (np.sqrt((x * x).sum() * (y * y).sum()) or 1.0))


def _fine_samples(track, stored, front_end, best):
    """Samples at 12 kHz, in ever smaller steps around whole frames."""
    samples = track.at_12_khz(front_end._replace(late=0))

    @functools.cache
    def residual(late):
        moved = samples[late:] if late >= 0 else np.pad(samples, (-late, 0))[: len(samples)]
        return _residual_db(np.pad(moved, (0, len(samples) - len(moved))), stored, front_end)

    for step in STEPS_SAMPLES:
        best = min(range(best - BESIDE * step, best + BESIDE * step + 1, step), key=residual)
    return best


def _met(curve):
    """The Alignment of a V-shaped curve: its lowest sample, or where its arms meet lower still.

    Arms that bend are that much less sure of where they meet.
    """
    best = min(curve, key=curve.get)
    if best - 2 not in curve or best + 2 not in curve:
        return Alignment(best, float(best), float("inf"), curve)
    reach = [step for step in (1, 2, 3) if {best - step, best + step} <= set(curve)]
    arms = [[curve[best + side * step] for step in reach] for side in (-1, 1)]
    left, right = (arm[1] - arm[0] for arm in arms)
    bend = np.abs(np.diff(arms, 2)).max(initial=0.0)
    steepness = min(left, right)
    if not 0 < steepness < np.inf:
        return Alignment(best, float(best), float("inf"), curve)
    meeting = (arms[0][0] - arms[1][0] - left + right) / (left + right)
    level = arms[0][0] - left * (meeting + 1)
    if not 0 <= level < curve[best]:
        meeting, level = 0.0, curve[best]
    return Alignment(best, best + meeting, float(level + bend) / steepness, curve)
