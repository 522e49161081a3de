"""q of few elements: chance is no fault, and a fault is no chance."""

import numpy as np
import pytest

from parity.compare.tally import Tally, by_chance
from parity.compare.verdict import Q_MOST
from parity.numerics.witness import Whole


def q_of(errors):
    """Of errors in units of sigma, which the bound allows for."""
    ones = np.ones(errors.shape)
    judge = Whole(1, 0 * ones, 1e4 * ones, ones, 1e4 * ones)
    tally = Tally(judge, errors)
    for where in judge.blocks():
        tally.add(judge.block(where))
    return tally.q


@pytest.mark.parametrize("elements", [2, 9, 20, 50])
def test_the_limit_is_passed_once_in_a_million(elements):
    limit = Q_MOST * by_chance(elements)
    assert q_of(np.full((1, elements), 0.99 * limit)) == Q_MOST
    assert q_of(np.full((1, elements), 1.01 * limit)) > Q_MOST
    drawn = np.random.default_rng(3).normal(size=(100_000, elements))
    assert not (np.sqrt(np.square(drawn).mean(axis=1)) > limit).any()


def test_where_there_are_many_elements_or_little_error_q_is_the_root_mean_square():
    assert by_chance(73) == 1.0 < by_chance(72)
    assert q_of(np.full((1, 200), 1.6)) == pytest.approx(1.6)
    assert q_of(np.full((1, 4), 1.4)) == pytest.approx(1.4)
