"""Every link that is made of what Keras says of a layer computes that layer's formula."""

import numpy as np
import pytest

from parity.compare.tally import Tally
from parity.compare.verdict import Q_MOST, RHO_MOST
from parity.kinds import layer_case
from parity.port.links.keras import MAKERS, unknown
from parity.port.proof import in_test_phase
from tests.kinds.layers import LAYERS
from tests.kinds.recorded_layers import layer
from tests.probes.formula_ports import settings

MADE = [
    one
    for one in LAYERS
    if {one.kind, one.arguments.get("layer", {}).get("class_name", one.kind)} <= set(MAKERS)
]
RELEASES = ("1.0.6", "1.1.0", "1.2.2")


@pytest.mark.parametrize("one", MADE, ids=[one.name for one in MADE])
def test_a_link_stays_within_the_bound_of_its_kind(one):
    config = settings(one)
    for keras in RELEASES:
        link = MAKERS[one.kind](config, one.weights, keras)
        case = layer_case(layer(one.kind, **config), one.weights, one.x, keras, one.more)
        tally = Tally(case.witness, in_test_phase(link)(one.x, *one.more))
        for where in case.witness.blocks():
            tally.add(case.witness.block(where))
        assert tally.finite and tally.rho <= RHO_MOST and tally.q <= Q_MOST, (
            keras,
            tally.rho,
            tally.q,
        )


def test_every_link_is_held_against_its_kind():
    assert set(MAKERS) - {one.kind for one in MADE} == {"Dropout"}


INSIDE = [
    {"class_name": "Dense", "config": {"name": "a", "activation": "relu", "bias": True}},
    {"class_name": "Dense", "config": {"name": "a_b", "activation": "tanh", "bias": True}},
]
X = np.random.default_rng(3).normal(size=(2, 4, 5)).astype(np.float32)
OF = {"a_W": (5, 3), "a_b": (3,), "a_b_W": (3, 6), "a_b_b": (6,)}
HELD = {
    name: np.random.default_rng(at).normal(size=shape).astype(np.float32)
    for at, (name, shape) in enumerate(OF.items())
}


def test_a_model_at_every_step_is_its_layers_at_every_step():
    within = MAKERS["TimeDistributed"]({"layer": within_model()}, HELD, "1.1.0")
    expected = X
    for each, held in zip(INSIDE, ("a", "a_b"), strict=True):
        own = {name: HELD[name] for name in (f"{held}_W", f"{held}_b")}
        expected = in_test_phase(MAKERS["TimeDistributed"]({"layer": each}, own, "1.1.0"))(expected)
    assert np.array_equal(in_test_phase(within)(X), expected)


def test_what_is_unknown_inside_a_model_is_said():
    inner = {"class_name": "Highway", "config": {"name": "h"}}
    assert unknown("TimeDistributed", {"layer": within_model([*INSIDE, inner])}) == "Highway"
    assert unknown("TimeDistributed", {"layer": within_model()}) is None


def within_model(layers=INSIDE):
    first = {**layers[0], "config": {**layers[0]["config"], "batch_input_shape": [None, 5]}}
    return {"class_name": "Sequential", "config": [first, *layers[1:]]}
