"""The oracle of every layer kind against real Keras on Theano, in float64 and in float32."""

import numpy as np
import pytest

from parity.kinds import KINDS, layer_case
from parity.probes.asking import RIGHT
from tests.kinds.judging import AGREEMENT, gap, holds, used
from tests.kinds.layers import LAYERS
from tests.probes.formula_ports import probed

pytestmark = pytest.mark.slow


def cases(originals, floatx):
    release, found = originals
    for one, lanes in found:
        layer, output = lanes[floatx]
        yield one, layer_case(layer, one.weights, one.x, release, one.more), output


def test_every_kind_is_held_against_keras():
    assert {one.kind for one in LAYERS} | {"InputLayer", "Dropout"} == set(KINDS)


def test_in_float64_the_oracle_is_what_keras_computes(originals):
    for one, case, expected in cases(originals, "float64"):
        off = gap(case, expected)
        assert off <= AGREEMENT, (one.name, off)


def test_in_float32_keras_stays_within_the_bound(originals):
    for one, case, output in cases(originals, "float32"):
        rho, q = used(case, output)
        assert holds(rho, q), (one.name, rho, q)


def test_the_formula_passes_its_probes_with_the_settings_that_keras_gives(originals):
    for one, case, _ in cases(originals, "float32"):
        if case.kind.probes is None or any(each.dtype != bool for each in one.more):
            continue
        masks = tuple(each[:1] | True for each in one.more)
        found = probed(case.but(x=np.zeros_like(one.x[:1]), more=masks), logits=True).record
        assert found.verdict in RIGHT, (one.name, found.message)
