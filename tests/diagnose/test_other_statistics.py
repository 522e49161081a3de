"""Statistics that a batch normalisation takes from elsewhere, or adds up so that digits are lost;
under any formula and eps.
"""

import numpy as np
import pytest

from parity.diagnose.formulas import registered
from parity.kinds import layer_case
from tests.diagnose.planting import SUBJECTS
from tests.diagnose.test_named import explain
from tests.numerics.float32_layers import F

IN_A_ROW = "statistics summed one by one in float32"


@pytest.fixture
def rng():
    return np.random.default_rng(43)


def long(rng, kind, size=1.0, offset=30.0):
    """A layer whose channels hold 131072 values each, mostly of one sign."""
    there = SUBJECTS[kind](rng)
    x = size * (rng.standard_normal((2, 8, 64, 1024)) + offset * rng.uniform(0.5, 1, (8, 1, 1)))
    return layer_case(there.layer, there.params, x.astype(F), there.keras)


def _channel_last(x):
    return np.ascontiguousarray(np.moveaxis(x, 1, -1)).transpose(0, 3, 1, 2)


def _chainer(subject, x, eps=2e-5, train=True):
    """Chainer's own batch normalisation, its moving averages being what the file holds."""
    import chainer
    import chainer.functions as functions

    params = subject.params
    with chainer.using_config("train", train):
        if train:
            return functions.batch_normalization(x, params["gamma"], params["beta"], eps=eps).array
        return functions.fixed_batch_normalization(
            x,
            params["gamma"],
            params["beta"],
            params["running_mean"],
            params["running_std"],
            eps=eps,
        ).array


def test_a_channel_added_up_value_by_value_is_named(rng):
    subject = long(rng, "BatchNormalization batch 1.1.0")
    found = explain(subject, _chainer(subject, _channel_last(subject.x), eps=1e-5))
    assert found.hypothesis == IN_A_ROW
    assert "statistics of each clip alone" not in [each.name for each in found.survivors]


def test_it_is_chainers_formula_as_well_where_that_shows(rng):
    subject = long(rng, "BatchNormalization batch 1.0.6", size=0.02)
    found = explain(subject, _chainer(subject, _channel_last(subject.x)))
    assert found.hypothesis == f"{IN_A_ROW}, Chainer's 1/sqrt(s + eps), eps 2e-05"


def test_blocked_sums_of_it_are_not_called_so(rng):
    subject = long(rng, "BatchNormalization batch 1.1.0")
    assert explain(subject, _chainer(subject, subject.x, eps=1e-5)).survivors == []


@pytest.mark.parametrize(
    ("kind", "train", "name"),
    [
        ("stored", True, "batch statistics instead of the stored"),
        ("batch", False, "stored statistics instead of the batch's"),
    ],
)
def test_chainers_phases_are_named_with_its_eps(kind, train, name, rng):
    there = SUBJECTS[f"BatchNormalization {kind} 1.0.6"](rng)
    params = {**there.params, "running_std": there.params["running_std"] * F(1e-2)}
    subject = layer_case(there.layer, params, there.x * F(1e-2), there.keras)
    found = explain(subject, _chainer(subject, subject.x, train=train))
    assert found.hypothesis == f"{name}, Chainer's 1/sqrt(s + eps), eps 2e-05"


@pytest.mark.parametrize("by", [0.0, 5e-4])
def test_a_clip_alone_is_held_to_its_own_sums_error(by, rng):
    """4 sqrt(N) u of |x| + |mean| would have hidden a gain of 5e-4."""
    subject = long(rng, "BatchNormalization batch 1.1.0")
    judge = registered(subject)["statistics of each clip alone"].witness(subject)
    worst = 0.0
    for where in judge.blocks():
        block = judge.block(where)
        worst = max(worst, float((np.square(block.o * by) / block.bound2).max()))
    assert (worst > 1) == bool(by)
