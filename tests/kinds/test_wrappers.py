"""Layers around others: what is inside is known, or said by name."""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.kinds import layer_case
from parity.results import NOT_PROBED
from tests.kinds.layers import SEQUENCE
from tests.kinds.recorded_layers import layer
from tests.probes.formula_ports import case_of, probed


def around(kind, inner, **settings):
    nested = {"class_name": inner, "config": {"name": "in_it", **settings}}
    merged = {"merge_mode": "sum"} if kind == "Bidirectional" else {}
    return layer_case(layer(kind, layer=nested, **merged), {}, SEQUENCE, "1.2.2")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        (around("TimeDistributed", "Highway"), "layer it .* no formula for Highway; known are "),
        (around("TimeDistributed", "Dense", activation="selu"), "layer in_it .* activation='selu'"),
        (around("TimeDistributed", "Dense"), "layer in_it .* the weights hold no .*_W"),
        (around("Bidirectional", "Dense"), "layer it .* does not compute it of Dense; it knows "),
        (around("Bidirectional", "GRU", activation="selu"), "layer in_it .* activation='selu'"),
    ],
)
def test_what_it_cannot_compute_inside_stops_the_run(case, said):
    with pytest.raises(CannotRun, match=said):
        case.value()


def test_what_cannot_be_asked_is_not_probed_and_the_reason_said():
    within = around("TimeDistributed", "InputLayer")
    within = within.but(x=np.zeros((1, 2, 3, 4), np.float32))
    found = probed(within).record
    assert (found.verdict, found.message) == (
        NOT_PROBED,
        "no probes are known for InputLayer, which is inside",
    )
    dense = case_of("Dense").but(x=np.zeros((1, 2, 3, 40), np.float32))
    assert probed(dense).record.message == "it reads 4 axes, and is asked of 2 or 3"


@pytest.mark.parametrize("kind", ["TimeDistributed", "Bidirectional"])
def test_a_state_that_is_kept_is_said_of_what_is_inside(kind):
    def said(**settings):
        one = around(kind, "GRU", **settings)
        return one.kind.caveat(one.config)

    assert said(stateful=True).startswith("keeps its state from call to call")
    assert said() is said(stateful=False) is None
