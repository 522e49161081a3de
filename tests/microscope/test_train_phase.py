"""The moving averages of the train phase: Keras's rules, the port and stock Chainer; and one real
Keras.
"""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.port import stock
from parity.recording import recorder as recorders
from parity.studies.microscope import training

# written once more, in float32, from keras/layers/normalization.py and backend/theano_backend.py of
# each release
RULES = {
    "1.0.6": (
        0.9,
        lambda x: np.sqrt(x.var(axis=(0, 2, 3)) + np.float32(1e-6)),
        lambda std: std + np.float32(1e-6),
    ),
    "1.1.0": (
        0.99,
        lambda x: x.var(axis=(0, 2, 3)),
        lambda variance: np.sqrt(variance + np.float32(1e-5)),
    ),
}


def emulated(keras, given):
    momentum, statistic, divisor = RULES[keras]
    mean, spread, found = np.zeros(8, np.float32), np.ones(8, np.float32), []
    for batch in given:
        mean = mean * np.float32(momentum) + batch.mean(axis=(0, 2, 3)) * np.float32(1 - momentum)
        spread = spread * np.float32(momentum) + statistic(batch) * np.float32(1 - momentum)
        found.append((mean, spread))
    output = (given[-1] - mean[:, None, None]) / divisor(spread)[:, None, None]
    return {
        **dict(zip(training.AVERAGES, map(np.stack, zip(*found, strict=True)), strict=True)),
        "test_output": output,
    }


def examined(keras, given, original):
    sides = {
        "port": stock.moving_averages(given, keras),
        "stock": stock.moving_averages(given),
        "stock, decay as Keras": stock.moving_averages(given, decay=training.momentum(keras)),
    }
    return training.examine(keras, given, original, sides)


@pytest.mark.parametrize("keras", RULES)
def test_the_port_follows_the_releases_rule_and_stock_chainer_does_not(keras):
    given = training.batches()
    found = examined(keras, given, emulated(keras, given))
    assert found.sides["port"]["rho"] <= 1
    assert found.sides["port"]["divisor_max_u"] < 16
    assert found.sides["port"]["output_max_abs"] < 1e-5
    assert found.sides["stock"]["output_max_abs"] > 1e-3
    for name in ("stock", "stock, decay as Keras"):
        assert found.sides[name]["rho"] > 1e3, name
        assert found.sides[name]["divisor_max_u"] > 1e4, name
    assert len(found.updates) == training.UPDATES
    assert all(
        row.sides["port"]["running_std"] < row.sides["stock"]["running_std"]
        for row in found.updates
    )


def test_chainers_unbiased_variance_is_what_is_left_when_its_decay_is_keras_s():
    given = training.batches()
    large = slice(
        4, None
    )  # channels of a variance above 1; the others hardly move the 1 they start from
    left = stock.moving_averages(given, decay=0.99)["running_std"].astype(float)[:, large]
    biased = emulated("1.1.0", given)["running_std"].astype(float)[:, large]
    kept = 0.99 ** np.arange(1, 21)[:, None]
    samples = training.SHAPE[0] * training.SHAPE[2] * training.SHAPE[3]
    np.testing.assert_allclose((left - kept) / (biased - kept), samples / (samples - 1), rtol=1e-3)


def test_a_release_at_another_releases_rule_is_seen():
    given = training.batches()
    assert examined("1.0.6", given, emulated("1.1.0", given)).rho_original > 1e3


@pytest.mark.slow
def test_keras_106_itself_is_asked_once_and_then_recalled(tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    given = training.batches()[:3]
    original = training.original("keras106", given)
    monkeypatch.setattr(recorders, "Recorder", None)  # a second run would fail
    again = training.original("keras106", given)
    assert all(np.array_equal(again[name], original[name]) for name in training.AVERAGES)
    assert original["test_output"].shape == given.shape[1:]
    found = examined("1.0.6", given, original)
    assert found.sides["port"]["output_max_abs"] < 1e-5, "the test phase after training"
    assert found.rho_original <= 1 and found.sides["port"]["rho"] <= 1
    assert found.sides["stock"]["rho"] > 1e3
    (kept,) = tmp_path.rglob("training/*.h5")
    kept.write_bytes(kept.read_bytes()[:100])
    with pytest.raises(CannotRun, match="remove that file"):
        training.original("keras106", given)
