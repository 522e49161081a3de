"""Statistics of a batch that was made up otherwise, and a gain that no eps can be: in a layer that
normalises by its batch.
"""

import numpy as np
import pytest

from parity.diagnose.formulas import registered
from parity.kinds import layer_case
from parity.kinds.normalization.batches import ANOTHER_CLIP, OTHER
from tests.diagnose.planting import SUBJECTS
from tests.diagnose.test_named import explain
from tests.numerics.float32_layers import F

KIND = "BatchNormalization batch 1.1.0"


@pytest.fixture
def rng():
    return np.random.default_rng(41)


def _normalised(subject, clips, gain=1.0):
    """float32 batch normalisation by the statistics of these clips."""
    axes, params = (0, 2, 3), {key: value[:, None, None] for key, value in subject.params.items()}
    mean, variance = (
        clips.mean(axis=axes, dtype=np.float64).astype(F),
        clips.var(axis=axes, dtype=np.float64).astype(F),
    )
    scale = params["gamma"] * F(gain) / np.sqrt(variance + F(1e-5))[:, None, None]
    return (subject.x - mean[:, None, None]) * scale + params["beta"]


def _subject(rng):
    subject = SUBJECTS[KIND](rng)
    subject.x[1] += F(0.7)
    return subject


@pytest.mark.parametrize(
    ("chosen", "weights"),
    [([0, 1, 0], "0.667, 0.333"), ([0, 0, 0, 1], "0.75, 0.25"), ([1], "0, 1")],
)
def test_clips_counted_otherwise_are_weighed(chosen, weights, rng):
    subject = _subject(rng)
    found = explain(subject, _normalised(subject, subject.x[chosen]))
    assert found.hypothesis == f"clips weigh {weights} in the batch"
    assert found.survivors[-1].name == OTHER


def test_clips_from_elsewhere_are_told_from_a_batch_of_the_same(rng):
    subject = _subject(rng)
    other = (rng.standard_normal(subject.x[:1].shape) * 3).astype(F)
    found = explain(subject, _normalised(subject, np.concatenate([subject.x, other])))
    assert [each.name for each in found.survivors] == [ANOTHER_CLIP, OTHER]


@pytest.mark.parametrize("gains", [(0.5, 2), (1.2, 3)])
def test_gains_that_no_further_clip_can_make_are_no_clip(gains, rng):
    """A spread that is too narrow for the known clips would need one of negative variance."""
    subject = _subject(rng)
    found = explain(
        subject, _normalised(subject, subject.x, rng.uniform(*gains, 8).astype(F)[:, None, None])
    )
    assert [each.name for each in found.survivors] == [OTHER]


def test_channels_that_hardly_show_their_statistics_do_not_excuse_the_others(rng):
    """Tiny gammas leave a batch's statistics open in their channels: the other four still refute a
    further clip, and name nothing.
    """
    subject = _subject(rng)
    subject.params["gamma"][:4] *= F(1e-9)
    gain = np.array([1, 1, 1, 1, 2, 2, 3, 3], F)[:, None, None]
    assert ANOTHER_CLIP not in [
        each.name for each in explain(subject, _normalised(subject, subject.x, gain)).survivors
    ]
    spoiled = _normalised(subject, subject.x, gain)
    spoiled[0, 5, 3, 3] += F(0.1)
    assert explain(subject, spoiled).hypothesis is None


def test_other_gammas_and_betas_are_not_called_a_batch(rng):
    subject = _subject(rng)
    found = explain(
        subject, _normalised(subject, subject.x) + rng.standard_normal((8, 1, 1)).astype(F) * F(3)
    )
    assert [each.name for each in found.survivors] == [OTHER]


def test_its_own_batch_and_one_filters_gain_are_no_other_clips(rng):
    subject = _subject(rng)
    clean = _normalised(subject, subject.x)
    assert explain(subject, clean).survivors == []
    clean[:, 4] *= F(1.01)
    assert OTHER not in [each.name for each in explain(subject, clean).survivors]


def test_stored_statistics_have_no_batch(rng):
    first = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    found = explain(
        first, _normalised(layer_case(first.layer, first.params, first.x, first.keras), first.x[:1])
    )
    assert OTHER not in [each.name for each in found.survivors]


def test_a_gain_above_one_is_no_eps(rng):
    """It would take a negative one, which fits channels of one variance as well."""
    subject = _subject(rng)
    subject.x[...] = np.stack(
        [np.roll(subject.x[:, 0], channel, axis=-1) for channel in range(8)], axis=1
    )
    found = explain(subject, _normalised(subject, subject.x, gain=1.001))
    names = [each.name for each in found.survivors]
    assert names[0] == "gain of all channels" and not any("eps" in name for name in names)
    assert found.estimate.value == pytest.approx(1.001, rel=1e-5)


def test_a_carried_state_carries_its_error(rng):
    """Clip after clip from the last one's state is one long clip, and may be off by as much."""
    subject = SUBJECTS["GRU sequences"](rng)
    judge = registered(subject)["state carried over from clip to clip"].witness(subject)
    long = subject.but(x=subject.x.reshape(1, 12, 10)).witness
    (o, bound2), (o_long, bound2_long) = (
        (block.o.ravel(), block.bound2.ravel())
        for block in (each.block(np.s_[:, :, :]) for each in (judge, long))
    )
    assert np.allclose(o, o_long, rtol=0, atol=1e-14)
    assert np.allclose(bound2, bound2_long, rtol=1e-4)
