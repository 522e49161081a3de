"""The sweep finds an oracle, an original or a link that is wrong, and draws the same layers again."""

import numpy as np
import pytest

from parity.kinds import KINDS, layer_case
from parity.port.links.keras import MAKERS
from tests.kinds.draws import DRAWS, drawn
from tests.kinds.recorded_layers import layer
from tests.kinds.sweep import judged
from tests.probes.formula_ports import settings

RELEASE = "1.2.2"


def lanes_of(one):
    """What Keras would have computed in either float, by the oracle."""
    described = layer(one.kind, **settings(one))
    value = layer_case(described, one.weights, one.x, RELEASE, one.more).value()
    return {"float64": (described, value), "float32": (described, value.astype(np.float32))}


@pytest.fixture(scope="module")
def dense():
    return next(one for one in drawn(RELEASE, 80, 1) if one.kind == "Dense")


def test_what_is_right_is_right(dense):
    figures, wrong = judged(dense, lanes_of(dense), RELEASE)
    assert wrong == [] and figures["gap"] == 0 and figures["rho of the link"] < 1


@pytest.mark.parametrize(
    ("lane", "said"), [("float64", "the oracle is off"), ("float32", "Keras uses rho")]
)
def test_what_is_wrong_is_said(dense, lane, said):
    lanes = lanes_of(dense)
    described, output = lanes[lane]
    lanes[lane] = described, output * (1 + 1e-3)
    assert any(said in each for each in judged(dense, lanes, RELEASE)[1])
    lanes[lane] = described, output[:, :, None]
    assert any(said in each for each in judged(dense, lanes, RELEASE)[1])


def test_a_wrong_link_is_said(dense, monkeypatch):
    own = MAKERS["Dense"]

    def other(config, arrays, keras):
        return own(config, {**arrays, "W": arrays["W"] * np.float32(1.001)}, keras)

    monkeypatch.setitem(MAKERS, "Dense", other)
    assert any("the link uses" in each for each in judged(dense, lanes_of(dense), RELEASE)[1])


def test_a_layer_that_keras_refuses_is_said(dense):
    lanes = dict.fromkeys(("float64", "float32"), (None, "ValueError: no"))
    assert judged(dense, lanes, RELEASE) == (None, ["Keras refuses it: ValueError: no"])


@pytest.mark.parametrize("release", ["1.0.6", "1.1.0", "1.2.2"])
def test_a_seed_draws_the_same_again_and_another_seed_draws_others(release):
    first, again, other = (drawn(release, 130, seed) for seed in (5, 5, 6))
    assert [one.arguments for one in first] == [one.arguments for one in again]
    assert all(np.array_equal(a.x, b.x) for a, b in zip(first, again, strict=True))
    assert [one.arguments for one in first] != [one.arguments for one in other]
    assert {one.kind for one in first} == {
        kind for kind, (_, has, _) in DRAWS.items() if release in has
    }


def test_every_kind_is_drawn():
    assert set(DRAWS) | {"InputLayer"} == set(KINDS)
