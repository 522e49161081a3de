"""Corrections of the input: shape and dtype stay, no clip sees another, and each does what its row
says.
"""

import numpy as np
import pytest

from parity.fixtures import synthesis
from tagger.corrections import CORRECTIONS, correct, standardised


@pytest.fixture(scope="module")
def clips():
    return np.concatenate([synthesis.mel_spectrogram(number) for number in (1, 2)])


@pytest.mark.parametrize("name", CORRECTIONS)
def test_a_clip_alone_is_corrected_as_in_company(name, clips):
    together = correct(name, clips)
    assert together.shape == clips.shape
    assert together.dtype == np.float32
    assert np.array_equal(together[1:], correct(name, clips[1:]))
    assert np.isfinite(together).all()


@pytest.mark.parametrize("name", [name for name in CORRECTIONS if name != "none"])
def test_what_is_given_is_not_written_to(name, clips):
    given = clips.copy()
    assert not np.array_equal(correct(name, given), clips)
    assert np.array_equal(given, clips)


@pytest.mark.parametrize(
    ("name", "axes"), [("clip", (1, 2, 3)), ("band", (1, 3)), ("frame", (1, 2))]
)
def test_standardised_values_have_mean_0_and_deviation_1(name, axes, clips):
    values = correct(name, clips).astype(np.float64)
    varied = clips.std(axis=axes) > 0
    assert np.abs(values.mean(axis=axes)).max() < 1e-6
    assert np.abs(values.std(axis=axes)[varied] - 1).max() < 1e-6


def test_silence_becomes_zeros():
    silence = np.full((1, 1, 96, 1366), -100, np.float32)
    for name in ("clip", "band", "frame"):
        assert not correct(name, silence).any()


def test_two_constants_for_all_clips(clips):
    values = standardised(float(clips.mean()), float(clips.std()))(clips)
    assert values.dtype == np.float32
    assert abs(values.mean(dtype=np.float64)) < 1e-6
    assert abs(values.std(dtype=np.float64) - 1) < 1e-6


def test_logarithms_scales_and_references(clips):
    assert np.array_equal(correct("none", clips), clips)
    assert np.allclose(
        10 * np.log10(np.square(correct("power", clips), dtype=np.float64)), clips, atol=1e-3
    )
    assert np.allclose(40 * np.log10(correct("amplitude", clips)), clips, atol=1e-3)
    assert correct("loudest", clips).max(axis=(1, 2, 3)).tolist() == [0, 0]
    assert correct("top40", clips).ptp(axis=(1, 2, 3)).tolist() == [40, 40]
    assert correct("unit", clips).max() == 1
    assert np.array_equal(correct("half", clips) * 2, clips)


def test_an_unknown_name_is_answered_with_the_known_ones(clips):
    with pytest.raises(
        ValueError, match=r"no input correction is called 'standard'; did you mean band"
    ):
        correct("standard", clips)
