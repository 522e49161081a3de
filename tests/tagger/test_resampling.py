"""Both front ends' resamplers: the same whatever the blocks, and the formula of resampy 0.2.2 term
by term.
"""

import numpy as np
import pytest

from tagger import resampling
from tagger.resampling import FRONT_ENDS


def blocks(samples, size):
    return [samples[at : at + size] for at in range(0, len(samples), size)]


def pushed(front_end, rate_hz, parts):
    resampler = FRONT_ENDS[front_end](rate_hz)
    return np.concatenate(
        [
            *(resampler.push(part) for part in parts),
            resampler.push(np.zeros(0, np.float32), last=True),
        ]
    )


@pytest.mark.parametrize("front_end", FRONT_ENDS)
@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100, 192000])
def test_blocks_do_not_matter(front_end, rate_hz):
    samples = np.random.default_rng(3).normal(0, 0.1, rate_hz // 4 + 7).astype(np.float32)
    whole = pushed(front_end, rate_hz, [samples])
    for size in (997, 4096):
        np.testing.assert_allclose(
            pushed(front_end, rate_hz, blocks(samples, size)), whole, rtol=0, atol=1e-7
        )


def test_today_is_librosas_resampler():
    import soxr

    samples = np.random.default_rng(3).normal(0, 0.1, 44100).astype(np.float32)
    np.testing.assert_array_equal(
        pushed("today", 44100, blocks(samples, 5000)),
        soxr.resample(samples, 44100, 12000, "soxr_hq"),
    )


def kaiser_best_at(samples, t, ratio):
    """One output of resampy 0.2.2 as its resample_f computes it, with the rounding of its running
    sum of times.
    """
    half = resampling._half_window() * min(1.0, ratio)
    scale, table = min(1.0, ratio), resampling.VALUES_PER_CROSSING
    stride, time = int(scale * table), 0.0
    for _ in range(t):
        time += 1.0 / ratio
    n = int(time)

    def wing(ahead, step, start):
        place = ahead * table
        offset, eta, total, at = int(place), place - int(place), 0.0, start
        for i in range((len(half) - offset) // stride):
            if not 0 <= at < len(samples):
                break
            value = half[offset + i * stride]
            after = half[offset + i * stride + 1] if offset + i * stride + 1 < len(half) else value
            total, at = total + (value + eta * (after - value)) * samples[at], at + step
        return total

    ahead = scale * (time - n)
    return wing(ahead, -1, n) + wing(scale - ahead, 1, n + 1)


@pytest.mark.parametrize("rate_hz", [8000, 22050, 44100])
def test_2016_is_the_formula_of_resampy(rate_hz):
    samples = np.random.default_rng(3).normal(0, 0.1, rate_hz // 8).astype(np.float32)
    actual = pushed("2016", rate_hz, [samples])
    assert len(actual) == int(len(samples) * (12000 / rate_hz))
    for t in (
        0,
        1,
        17,
        39,
        40,
        120,
        400,
        701,
        1000,
        len(actual) - 2,
        len(actual) - 1,
    ):  # edges, whole rounds, between them
        assert actual[t] == pytest.approx(kaiser_best_at(samples, t, 12000 / rate_hz), abs=1e-7)


def test_the_window_is_the_one_resampy_ships():
    # Values read in resampy 0.2.2, data/kaiser_best.npz, half_window.
    assert len(resampling._half_window()) == 32769
    np.testing.assert_allclose(
        resampling._half_window()[:3], [0.94759372, 0.94758837, 0.94757233], rtol=1e-8
    )
