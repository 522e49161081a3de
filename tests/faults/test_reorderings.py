"""Harmless reorderings compute the same but for rounding; a convolution on another core type runs
elsewhere or says why not.
"""

import os
from types import SimpleNamespace

import numpy as np
import pytest

from parity.faults import reorderings
from parity.faults.plant import stock
from parity.port.links.convolution_2d import same_convolution_2d
from parity.port.network import Network


@pytest.fixture
def setting():
    rng = np.random.default_rng(6)
    W, b = (
        rng.standard_normal((16, 24, 3, 3)).astype(np.float32),
        rng.standard_normal(16).astype(np.float32),
    )
    link = SimpleNamespace(W=SimpleNamespace(array=W), b=SimpleNamespace(array=b))
    return link, rng.standard_normal((2, 24, 12, 40)).astype(np.float32)


PLANTS = {
    **{order: reorderings.convolution(order=order) for order in reorderings.ORDERS},
    "direct": reorderings.direct_convolution(),
    "older core": reorderings.on_core(kind="Nehalem"),
}


def step(plant, link):
    return plant({"it": link}, "it")["it"]


@pytest.mark.parametrize("name", PLANTS)
def test_a_reordering_differs_by_rounding_only(name, setting):
    link, x = setting
    ours = same_convolution_2d(x, link.W.array, link.b.array).array
    theirs = step(PLANTS[name], link)(x)
    assert theirs.shape == ours.shape and theirs.dtype == np.float32
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=2e-4)


@pytest.mark.slow
def test_another_core_runs_other_kernels(setting):
    link, x = setting
    theirs = step(PLANTS["older core"], link)(x)
    ours = same_convolution_2d(x, link.W.array, link.b.array).array
    assert not np.array_equal(theirs, ours) and "OPENBLAS_CORETYPE" not in os.environ


@pytest.mark.slow
def test_another_core_that_cannot_compute_says_why(setting):
    link, x = setting
    with pytest.raises(Exception, match="5 != 24"):
        step(PLANTS["older core"], link)(x[:, :5])


def test_chainers_link_is_planted_only_where_the_port_has_its_own():
    with pytest.raises(TypeError, match="bn1 is no GRU, which Chainer's GRU replaces"):
        stock("Chainer's GRU")(Network("CRNN"), "bn1")
    assert list(stock("Chainer's BatchNormalization")(Network("CRNN"), "bn1")) == ["bn1"]
