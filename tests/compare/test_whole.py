"""What users call is the composition of the layers, or is judged by itself."""

import numpy as np
import pytest
from test_walk import STEPS, Recorded

from parity.compare.walk import network_order
from parity.compare.whole import as_fused, whole_call
from parity.errors import CannotRun
from parity.ports.callables import Callables
from parity.results import Chained, Final, Layer

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


class Graph(Recorded):
    """The same, its last layer reading the input too: nothing explains the end."""

    def __init__(self, outputs=1):
        super().__init__()
        self.layers["square"] = self.layers["square"]._replace(inbound=["add", "input_1"])
        self.provenance = {"outputs": outputs}

    def ask(self, layer, inputs, draws=0):
        """As Keras itself answers."""
        assert layer == "" and len(inputs) == 1
        return SCORES.astype(np.float64), np.full(SCORES.shape, 1e-6) if draws else None


@pytest.mark.parametrize(("by", "holds"), [(1e-6, True), (1e-3, False), (np.nan, False)])
def test_in_a_graph_another_computation_is_judged_by_experiment(by, holds):
    there = Graph()
    port, scores, final = Called(SCORES + np.float32(by)), {"actual": SCORES}, end(None, True)
    found = whole_call(port, there, scores, final, there)
    assert (found.bitwise_equal, found.holds) == (False, holds)
    assert f"{0 if holds else 2} of 2 beyond" in found.message and "by experiment" in found.message
    assert whole_call(port, there, scores, final).holds is None  # nobody can be asked
    assert whole_call(port, Recorded(), scores, final, there).holds is None  # --layer, in a chain
    assert whole_call(port, Graph(outputs=2), scores, final, there) is None


def test_a_chain_that_broke_composes_nothing():
    found = whole_call(Called(), Recorded(), None, end(None, False))
    assert (found.bitwise_equal, found.holds) == (False, None)


@pytest.mark.parametrize("scores", [SCORES[:, :1], SCORES.astype(np.float64), SCORES.tolist()])
def test_what_gives_no_scores_does_not_hold(scores):
    found = judged(Called(scores))
    assert found.holds is False and "no scores to judge" in found.message


class Fast(Called):
    """A port whose runtime fuses its first layers."""

    def __init__(self, last=SCORES, **more):
        super().__init__()
        self.left = {network_order(Recorded())[-1]: last, **more}

    def fast(self, x):
        if self.left is None:
            raise CannotRun("it cannot be fused")
        return self.left


def fused(port, allowed, **layers):
    final = end(allowed, True)
    there = [Layer(name, chained=Chained(rounding_rms=rms)) for name, rms in layers.items()]
    return as_fused(port, Recorded(), there, final, judged(port, allowed))


@pytest.mark.parametrize(("by", "allowed", "holds", "whole"), [
    (0, 1e-3, True, True), (1e-4, 1e-3, True, True), (1e-2, 1e-3, False, False),
    (np.nan, 1e-3, False, False), (1e-2, None, None, True),
])  # fmt: skip
def test_a_fused_network_is_judged_at_its_end(by, allowed, holds, whole):
    found = fused(Fast(SCORES + np.float32(by)), allowed)
    assert (found.fused.holds, found.holds, len(found.fused.layers)) == (holds, whole, 1)
    assert f"1 of {found.fused.declared} layers are left" in found.message


@pytest.mark.parametrize(("by", "holds"), [(0, True), (1e-4, True), (1e-2, False), (np.nan, False)])
def test_a_layer_that_is_left_is_held_to_what_rounding_allows_there(by, holds):
    found = fused(Fast(add=Recorded().read("add") + np.float32(by)), 1e-3, add=1e-3)
    assert (found.fused.holds, found.holds) == (holds, holds)
    assert ("farther from the original than rounding allows: add" in found.message) is not holds
    assert found.fused.layers[0].allowed_rms == 1e-3


def test_a_network_that_cannot_be_fused_does_not_hold():
    port = Fast()
    assert fused(Called(), 1e-3).fused is None  # where nothing is fused nothing is claimed
    port.left = None
    found = fused(port, 1e-3)
    assert not found.holds and "it cannot be fused" in found.message
    port.left = {network_order(Recorded())[-1]: SCORES[:, :1]}
    assert not fused(port, 1e-3).holds
    port.left = {}
    assert not fused(port, 1e-3).holds and "it gives no scores" in fused(port, 1e-3).message
