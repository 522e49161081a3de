"""Harmless reorderings compute the same but for rounding; a convolution on another core type runs
elsewhere or says why not.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from parity.faults import reorderings
from parity.faults.plant import stock
from parity.port.functions.convolution import same_convolution_2d
from parity.port.models import Tagger


@pytest.fixture
def setting():
    rng = np.random.default_rng(6)
    W, b = (
        rng.standard_normal((16, 24, 3, 3)).astype(np.float32),
        rng.standard_normal(16).astype(np.float32),
    )
    link = SimpleNamespace(W=SimpleNamespace(array=W), b=SimpleNamespace(array=b))
    return link, rng.standard_normal((2, 24, 12, 40)).astype(np.float32)


STEPS = {
    **{
        order: (lambda link, x, order=order: reorderings.convolution(link, x, order=order))
        for order in reorderings.ORDERS
    },
    "direct": reorderings.direct_convolution,
    "older core": lambda link, x: reorderings.on_core(link, x, kind="Nehalem"),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_reordering_differs_by_rounding_only(name, setting):
    link, x = setting
    ours = same_convolution_2d(x, link.W.array, link.b.array).array
    theirs = STEPS[name](link, x)
    assert theirs.shape == ours.shape and theirs.dtype == np.float32
    np.testing.assert_allclose(theirs, ours, rtol=0, atol=2e-4)


def test_another_core_that_cannot_compute_says_why(setting):
    link, x = setting
    with pytest.raises(
        RuntimeError, match=r"the convolution of another core type failed: .*5 != 24"
    ):
        reorderings.on_core(link, x[:, :5], kind="Nehalem")


def test_chainers_link_is_planted_only_where_the_port_has_its_own():
    with pytest.raises(TypeError, match="bn1 is no GRU, which Chainer's GRU replaces"):
        stock("Chainer's GRU")(Tagger("CRNN"), "bn1")
    assert list(stock("Chainer's BatchNormalization")(Tagger("CRNN"), "bn1")) == ["bn1"]
