"""A port that is given another spectrogram: each way is named at the layer that reads it, and not
mistaken for its relatives.
"""

import numpy as np
import pytest

from parity.kinds import layer_case, spectrogram
from parity.kinds.fitting import Seen
from tests.diagnose.planting import SUBJECTS
from tests.diagnose.test_named import explain, hidden
from tests.numerics import float32_layers as layers
from tests.numerics.float32_layers import F

# What a port makes of a spectrogram, in float32 of its own: (change, the name it must get).
GIVEN = {
    "band off": (lambda x: np.roll(x, 1, axis=2), "one mel band off"),
    "band off the other way": (lambda x: np.roll(x, -1, axis=2), "one mel band off, the other way"),
    "upside down": (lambda x: x[:, :, ::-1], "mel bands reversed"),
    "frame late": (
        lambda x: np.concatenate([0 * x[..., :1], x[..., :-1]], axis=-1),
        "one time frame late",
    ),
    "float16": (lambda x: x.astype(np.float16).astype(F), "input stored as float16"),
    "power": (lambda x: F(10) ** (x / F(10)), "logarithm left out (power for decibel)"),
    "peak": (lambda x: x - x.max(axis=(1, 2, 3), keepdims=True), "decibels below each clip's peak"),
    "standardised": (
        lambda x: (
            (x - x.mean(axis=(1, 2, 3), keepdims=True)) / x.std(axis=(1, 2, 3), keepdims=True)
        ),
        "each clip standardised",
    ),
    "tenth": (lambda x: x * F(0.1), "input scaled by 0.1"),
    "twice": (lambda x: x + x, "input scaled by 2"),
    "3 dB": (lambda x: x + F(3), "input shifted by 3"),
    "quieter": (lambda x: x - F(0.25), "input shifted by -0.25"),
}


@pytest.fixture
def rng():
    return np.random.default_rng(23)


def _framewise(subject, x):
    params = {key: value[None, None, None] for key, value in subject.params.items()}
    scale = params["gamma"] / np.sqrt(params["running_std"] + F(1e-5))
    return (x - params["running_mean"]) * scale + params["beta"]


READERS = {
    "ZeroPadding2D": lambda subject, x: np.pad(x, ((0, 0), (0, 0), (0, 0), (3, 3))),
    "BatchNormalization of frames": _framewise,
}


@pytest.mark.parametrize("kind", READERS)
@pytest.mark.parametrize("case", GIVEN)
def test_another_spectrogram_is_named_and_no_relative_beside_it(kind, case, rng):
    subject, (change, name) = SUBJECTS[kind](rng), GIVEN[case]
    found = explain(subject, READERS[kind](subject, change(subject.x).astype(F)))
    assert found.hypothesis == name
    others = {each.name for each in found.survivors} - {name}
    assert all(other.startswith("input scaled and shifted") for other in others)


@pytest.mark.parametrize("kind", READERS)
def test_factor_and_offset_are_found_out_together(kind, rng):
    subject = SUBJECTS[kind](rng)
    found = explain(subject, READERS[kind](subject, subject.x * F(0.05) + F(1.5)))
    assert (
        found.hypothesis.startswith("input scaled and shifted, by 0.05 and 1.5")
        and len(found.survivors) == 1
    )
    assert (
        found.estimate.value == pytest.approx(float(F(0.05)), abs=4 * found.estimate.se)
        and found.estimate.se < 1e-6
    )


@pytest.mark.parametrize("kind", READERS)
def test_its_own_spectrogram_names_nothing(kind, rng):
    subject = SUBJECTS[kind](rng)
    assert explain(subject, READERS[kind](subject, subject.x)).survivors == []


@pytest.mark.parametrize("kind", READERS)
def test_one_value_elsewhere_refutes_a_line(kind, rng):
    subject = SUBJECTS[kind](rng)
    changed = subject.x * F(0.1)
    changed[1, 0, 5, 17] += F(0.01)
    assert explain(subject, READERS[kind](subject, changed)).hypothesis is None


def test_a_transposed_spectrogram_is_told_by_its_shape(rng):
    subject = SUBJECTS["ZeroPadding2D"](rng)
    found = explain(subject, READERS["ZeroPadding2D"](subject, subject.x.swapaxes(2, 3)))
    assert found.hypothesis == "input transposed"


def test_silence_cannot_show_what_was_stored(rng):
    first = SUBJECTS["ZeroPadding2D"](rng)
    subject = layer_case(first.layer, {}, np.zeros_like(first.x), first.keras)
    assert {"input stored as float16", "one mel band off"} <= hidden(subject).keys()
    assert "logarithm left out (power for decibel)" not in hidden(subject)


def test_no_layer_further_on_is_asked_about_its_spectrogram(rng):
    several, batch = (
        SUBJECTS["BatchNormalization stored 1.1.0"](rng),
        SUBJECTS["BatchNormalization of frames"](rng),
    )
    assert spectrogram.reads_one(batch) and not spectrogram.reads_one(several)
    assert not spectrogram.reads_one(batch.but(config={"mode": 2}))
    assert list(spectrogram.fitted(Seen(several, layers.norm(several.x, several.params)))) == []
