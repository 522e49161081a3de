"""Probes of recurrent layers: one weight that is off does not pass, whichever it is."""

import numpy as np
import pytest

from parity.probes.asking import RIGHT
from parity.results import NOT_PROBED
from tests.kinds.layers import LAYERS
from tests.probes.formula_ports import blank, computed, probed, without

RECURRENT = [
    one
    for one in LAYERS
    if one.kind == "Bidirectional"
    or (one.kind in ("SimpleRNN", "LSTM") and one.arguments["activation"] == "tanh")
]


def _one_off(at):
    def change(values):
        values.reshape(-1)[at % values.size] *= np.float32(1 + 2**-6)

    return change


@pytest.mark.parametrize("one", RECURRENT, ids=[one.name for one in RECURRENT])
def test_a_weight_that_is_off_by_a_64th_is_seen(one):
    case = blank(one)
    for at, name in enumerate(case.params):
        wrong = without(case, name, _one_off(7 * at))
        found = probed(case, lambda x, *more, wrong=wrong: computed(wrong, x, *more)).record
        assert found.verdict not in {*RIGHT, NOT_PROBED}, name
