"""Every link that is made of what Keras says of a layer computes that layer's formula."""

import pytest

from parity.compare.tally import Tally
from parity.compare.verdict import Q_MOST, RHO_MOST
from parity.kinds import layer_case
from parity.port.links.keras import MAKERS
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
