"""Sequences and images with their channels last are seen as images with their channels first."""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.kinds import layer_case
from parity.kinds.convolution.bound import Sums
from parity.kinds.layouts import ChannelsLast
from parity.numerics.witness import Moves, Viewed
from tests.kinds.layers import IMAGE, LAYERS
from tests.kinds.recorded_layers import layer
from tests.probes.formula_ports import settings


def turned():
    """A convolution of images with their channels last: (its case, its witness)."""
    one = next(
        one
        for one in LAYERS
        if one.kind == "Convolution2D"
        and one.arguments.get("subsample") == [2, 1]
        and one.arguments.get("dim_ordering") == "tf"
    )
    case = layer_case(layer(one.kind, **settings(one)), one.weights, one.x, "1.1.0")
    return case, case.witness


def test_any_part_of_it_is_the_same_part_of_the_image():
    case, witness = turned()
    assert isinstance(witness, ChannelsLast) and isinstance(witness.base, Sums)
    whole = case.value().reshape(witness.view)
    bounds = np.sqrt(witness.block((slice(0, witness.view[0]), slice(None), slice(0, 1))).bound2)
    for start, stop in ((0, 1), (3, 40), (7, 9), (30, 100), (0, witness.view[0])):
        where = slice(start, stop), slice(None), slice(0, 1)
        block = witness.block(where)
        assert block.o == pytest.approx(whole[where], rel=1e-12, abs=1e-12)
        assert np.sqrt(block.bound2) == pytest.approx(bounds[where], rel=1e-3)
        certain2, operands2 = witness.certain(block)
        assert (certain2 >= block.bound2 * 0.1).all() and operands2.shape == certain2.shape


def test_a_hypothesis_is_seen_around_the_layers_own_axis():
    moved = Moves(IMAGE)
    seen = Viewed(moved, 3)
    for where in seen.blocks():
        block = seen.block(where)
        assert block.bound2 is None
        assert np.array_equal(block.o, IMAGE.reshape(seen.view)[where])


def test_a_merge_of_one_input_is_refused():
    case = layer_case(layer("Merge", mode="sum"), {}, IMAGE, "1.1.0")
    with pytest.raises(CannotRun, match="it has one input"):
        case.value()


def test_a_cosine_of_nothing_is_divided_by_the_least_length():
    x = np.zeros((2, 5), np.float32)
    case = layer_case(layer("Merge", mode="cos", dot_axes=[1, 1]), {}, x, "1.1.0", (x + 1,))
    assert case.value().shape == (2, 1, 1) and not case.value().any()
    assert np.isfinite(case.witness.bound2).all() and np.isfinite(case.witness.sigma2).all()


def test_a_deviation_goes_through_a_global_maximum_where_the_maximum_is():
    x = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    d = np.full_like(x, 2.0**-8)
    d[:, -1] = -(2.0**-10)
    case = layer_case(layer("GlobalMaxPooling1D"), {}, x, "1.2.2")
    assert np.array_equal(case.kind.propagate(case, d), np.full((2, 4), -(2.0**-10)))
