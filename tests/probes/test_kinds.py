"""Every kind's probes: the formula passes them, what differs by a little does not."""

import numpy as np
import pytest

from parity.kinds import KINDS
from parity.probes.asking import RIGHT
from parity.results import NOT_PROBED
from tests.kinds.layers import LAYERS
from tests.probes.formula_ports import blank, computed, probed

ASKED = [one for one in LAYERS if KINDS[one.kind].probes]
EVERY = pytest.mark.parametrize("one", ASKED, ids=[one.name for one in ASKED])
BIT_FOR_BIT = ("Convolution1D", "Convolution2D", "Dense")
RECTIFIED = {"W"}  # a bias below 0 never gets through by itself


def bit_for_bit(one):
    """The parameters that a layer's probes read back as the file has them."""
    activation = one.arguments.get("activation", "linear")
    if one.kind not in BIT_FOR_BIT or (one.kind == "Dense" and one.x.ndim > 2):
        return set()
    if one.kind == "Dense" or activation == "linear":
        return {"W", "b"}
    return RECTIFIED if activation == "relu" else set()


def test_every_kind_that_can_be_asked_is_among_them():
    asked = {name for name, kind in KINDS.items() if kind.probes}
    assert asked - {"Dropout"} == {one.kind for one in ASKED}


@EVERY
def test_the_formula_itself_passes(one):
    case = blank(one)
    found = probed(case, logits=True).record
    assert found.verdict in RIGHT and found.message is None
    assert sum(each.answers for each in found.asked) > 0 and len(found.batches) > 1
    assert all(each.within == each.read for each in found.read)
    for name in bit_for_bit(one) & case.params.keys():
        read = next(each for each in found.read if each.name == name)
        assert read.equal == read.read > 0.99 * read.count and read.sha256


def _gain(y, x):
    return y * np.float32(1 + 2**-10)


def _last_place(y, x):
    y.reshape(-1)[-1] += np.float32(0.5)
    return y


def _other_in_batches(y, x):
    return y * np.float32(1.5) if len(x) > 1 else y


@EVERY
@pytest.mark.parametrize("wrong", [_gain, _last_place, _other_in_batches])
def test_a_wrong_one_does_not(one, wrong):
    case = blank(one)
    found = probed(case, lambda x, *more: wrong(computed(case, x, *more), x)).record
    assert found.verdict not in {*RIGHT, NOT_PROBED} and found.message
