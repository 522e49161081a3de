"""An answer against its probe: each limit, each place, and NaN that passes none."""

import numpy as np
import pytest

from parity.kinds.probing import Probe, right
from parity.numerics.rounding import U
from parity.probes.judging import Q_MOST, judged

F = np.float32
SHAPE = (2, 40, 30, 30)


def _exact(slack=0.0):
    low = np.arange(1, 13, dtype=F).reshape(1, 3, 4)
    return Probe("exact", np.zeros(1, F), low, low, slack=slack)


def test_where_one_answer_is_right_its_neighbour_is_wrong():
    probe, answer = _exact(), _exact().low.copy()
    assert judged(probe, answer).holds and probe.exact
    answer[0, 1, 2] = np.nextafter(answer[0, 1, 2], F(99))
    found = judged(probe, answer)
    assert found.wrong == 1 and found.worst == (0, 1, 2) and not found.holds
    assert [list(axis) for axis in found.touched] == [[0], [1], [2]]


def test_slack_is_relative_and_in_units():
    probe, answer = _exact(slack=2.0), _exact().low.copy()
    answer[0, 0, 0] = 1 + 2 * U  # the next float32 after 1
    assert judged(probe, answer).wrong == 0 and judged(probe, answer).share == 1.0
    answer[0, 0, 0] = 1 + 4 * U
    assert judged(probe, answer).wrong == 1


def test_a_range_holds_the_float32_numbers_inside_it():
    low, high = right(np.array([1.0, -2.0]), 1.5 * U)
    assert low[0] == F(1 - U) and high[0] == F(1) and low[1] == high[1] == F(-2)
    probe = Probe("range", np.zeros(1, F), low, high)
    assert judged(probe, np.array([1 - U, -2], F)).holds
    assert judged(probe, np.array([1 - 2 * U, -2], F)).wrong == 1


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf"])
def test_what_is_no_number_never_passes(bad):
    low, high = right(np.ones(4), 0.1)
    for probe in (
        Probe("range", np.zeros(1, F), low, high),
        Probe("one", np.zeros(1, F), low, low),
    ):
        answer = low.copy()
        answer[2] = F(bad)
        assert judged(probe, answer).wrong == 1


@pytest.mark.parametrize(
    ("answer", "said"),
    [(_exact().low.astype(np.float64), "float64"), (_exact().low[:, :2], "in shape (1, 2, 4)")],
)
def test_another_type_or_shape_is_a_fault(answer, said):
    found = judged(_exact(), answer)
    assert said in found.fault and not found.holds and found.answers == 0


def _noisy(scale=1.0):
    rng = np.random.default_rng(3)
    sigma = np.full(SHAPE, 1e-3)
    answer = (rng.standard_normal(SHAPE) * sigma * scale).astype(F)
    low, high = right(np.zeros(SHAPE), 10 * sigma)
    probe = Probe("noise", np.zeros(1, F), low, high, expected=np.zeros(SHAPE), sigma=sigma)
    return probe, answer


def test_q_of_one_accumulator_is_one_and_its_limit_is_not_reached():
    found = judged(*_noisy())
    assert found.holds and found.q > 0.9 and found.q_share < 1


def test_more_rounding_than_one_accumulator_makes_is_beyond_it():
    assert judged(*_noisy(Q_MOST * 1.02)).q_share > 1


@pytest.mark.parametrize(("axis", "name"), enumerate(("clip", "channel", "mel band", "time frame")))
def test_one_slice_that_rounds_more_is_told(axis, name):
    probe, answer = _noisy()
    np.moveaxis(answer, axis, 0)[1] *= F(1.5)
    found = judged(probe, answer)
    assert found.holds and found.q_share > 1 and found.q_where == f"{name} 1"
