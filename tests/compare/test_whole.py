"""What users call is the composition of the layers, or is judged by itself."""

import numpy as np
import pytest
from test_walk import STEPS, Recorded

from parity.compare.whole import whole_call
from parity.ports.callables import Callables
from parity.results import Final

SCORES = np.array([[16.0, 9.0]], np.float32)  # what the recorded layers end in


class Called(Callables):
    """A port whose whole call gives the scores, or another array in their place."""

    def __init__(self, scores=SCORES):
        super().__init__(STEPS)
        self.scores = scores

    def __call__(self, x):
        assert x.tolist() == [[1.5, -2.0]]
        return self.scores


def end(allowed, holds):
    return Final(0.0, 0.0, 0.0, 0.0, 0.0, allowed, holds)


def judged(port, allowed=1e-3, actual=SCORES):
    return whole_call(port, Recorded(), {"actual": actual}, end(allowed, True))


def test_a_mapping_has_no_whole_call_and_nothing_is_claimed():
    assert judged(Callables(STEPS)) is None


def test_the_composition_to_the_last_bit_holds_as_the_end_does():
    found = judged(Called(), allowed=None)
    assert (found.bitwise_equal, found.holds, found.message) == (True, True, None)
    assert found.port_reference == 0


@pytest.mark.parametrize(("by", "allowed", "holds"), [
    (1e-4, 1e-3, True), (1e-2, 1e-3, False), (1e-4, None, None), (np.nan, 1e-3, False),
])  # fmt: skip
def test_another_computation_is_judged_by_the_ends_allowance(by, allowed, holds):
    found = judged(Called(SCORES + np.float32(by)), allowed)
    assert (found.bitwise_equal, found.holds) == (False, holds)
    assert "not the composition of the layers" in found.message


def test_a_chain_that_broke_composes_nothing():
    found = whole_call(Called(), Recorded(), None, end(None, False))
    assert (found.bitwise_equal, found.holds) == (False, None)


@pytest.mark.parametrize("scores", [SCORES[:, :1], SCORES.astype(np.float64), SCORES.tolist()])
def test_what_gives_no_scores_does_not_hold(scores):
    found = judged(Called(scores))
    assert found.holds is False and "no scores to judge" in found.message
