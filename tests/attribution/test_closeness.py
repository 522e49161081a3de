"""Who is closer to the oracle, and when that is too close to call."""

import numpy as np
import pytest

from parity.numerics.closeness import closeness
from parity.results import Closeness


def errors(size, channels=64, seed=0):
    """Sums of squares per channel of errors of that rms, channels alike up to chance."""
    return size**2 * np.random.default_rng(seed).chisquare(100, channels)


def test_half_the_error_is_one_bit():
    found = closeness(errors(1.0), errors(2.0))
    assert found.bits == pytest.approx(1.0) and found.closer == "port"
    assert closeness(errors(2.0), errors(1.0)).closer == "reference"


def test_equal_errors_are_equal():
    found = closeness(errors(1.0, seed=1), errors(1.0, seed=2))
    assert found.closer == "equal" and found.interval[0] < 0 < found.interval[1]


def test_an_advantage_too_small_to_matter_is_equal_however_certain():
    found = closeness(errors(1.0), errors(1.1))
    assert found.interval[0] > 0 and found.closer == "equal"


def test_an_advantage_in_one_channel_only_is_not_certain():
    reference = errors(1.0)
    reference[3] *= 1000
    found = closeness(errors(1.0), reference)
    assert found.bits > 1 and found.interval[0] == 0 and found.closer == "equal"


def test_the_interval_covers_the_truth_as_often_as_it_says():
    inside = [
        low <= 0.5 <= high
        for low, high in (
            closeness(errors(1.0, seed=2 * n), errors(2**0.5, seed=2 * n + 1)).interval
            for n in range(200)
        )
    ]
    assert 0.89 <= np.mean(inside) <= 0.99


def test_no_error_at_all():
    assert closeness(np.zeros(4), np.zeros(4)) == Closeness(0.0, [0.0, 0.0], "equal")
    assert closeness(np.zeros(4), np.ones(4)) == Closeness(np.inf, [np.inf, np.inf], "port")
    assert closeness(np.ones(4), np.zeros(4)).closer == "reference"
