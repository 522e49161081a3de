"""Gain, offset and batch statistics, read off the outputs channel by channel."""

import numpy as np
import pytest

from parity.kinds import layer_case
from parity.kinds.normalization import channels
from parity.numerics.rounding import U
from tests.kinds.recorded_layers import F, Inside, layer

CHANNELS = 6


@pytest.fixture
def setting():
    rng = np.random.default_rng(11)
    x = (
        rng.standard_normal((2, CHANNELS, 20, 30)) * 3 + rng.standard_normal((CHANNELS, 1, 1))
    ).astype(F)
    params = {
        "gamma": rng.uniform(0.5, 2, CHANNELS).astype(F),
        "beta": rng.standard_normal(CHANNELS).astype(F),
        "running_mean": rng.standard_normal(CHANNELS).astype(F),
        "running_std": rng.uniform(0.5, 3, CHANNELS).astype(F),
    }
    return x, params


def run(x, params, mean, variance):
    scale = (params["gamma"] / np.sqrt(variance + F(1e-5))).astype(F)
    return (x - mean.astype(F)[:, None, None]) * scale[:, None, None] + params["beta"][
        :, None, None
    ]


def look(x, params, expected, actual, mode=0, statistics=None):
    described = layer("BatchNormalization", mode=mode, axis=1, epsilon=1e-5)
    port = Inside({}, {"it": statistics})
    return channels.examine(layer_case(described, params, x, "1.1.0"), expected, actual, port)


def test_a_gain_and_an_offset_are_read_off_at_their_channels(setting):
    x, params = setting
    expected = run(x, params, params["running_mean"], params["running_std"])
    actual = expected.copy()
    about = params["beta"][3]
    actual[:, 3] = (actual[:, 3] - about) * F(1 + 2**-16) + about
    actual[:, 5] += F(1e-3)
    found = look(x, params, expected, actual)
    worst = found.worst
    assert (worst["gain_channel"], worst["offset_channel"]) == (3, 5)
    assert worst["gain_u"] == pytest.approx(2**-16 / U, rel=0.01)
    assert worst["offset"] == pytest.approx(1e-3, rel=0.01)
    for kind, channel in (("gain_u", 3), ("offset", 5)):
        port, original, drift = vars(getattr(found, kind)).values()
        assert drift[channel] == pytest.approx(port[channel] - original[channel], rel=1e-2)
        assert abs(drift[channel]) == pytest.approx(worst[kind], rel=1e-3)
        assert np.argmax(np.abs(drift)) == channel


def test_a_clean_side_stays_within_the_limit_and_a_constant_channel_has_no_gain(setting):
    x, params = setting
    x[:, 2] = 4
    expected = run(x, params, params["running_mean"], params["running_std"])
    found = look(
        x,
        params,
        expected,
        run(x.astype(np.float64), params, params["running_mean"], params["running_std"]).astype(F),
    )
    assert found.worst["gain_u"] < channels.GAIN_LIMIT_U
    assert found.gain_u.drift[2] is None and found.gain_u.drift[1] is not None
    assert found.batch is None


def test_the_batchs_statistics_of_both_sides_are_inferred_and_the_ports_own_measured(setting):
    x, params = setting
    mean, variance = (
        x.mean(axis=(0, 2, 3), dtype=np.float64),
        x.var(axis=(0, 2, 3), dtype=np.float64),
    )
    magnitude = np.abs(x[:, 1]).mean(dtype=np.float64)
    off = mean + np.eye(CHANNELS)[1] * 1e-3 * magnitude
    wide = variance * (1 + np.eye(CHANNELS)[4] * 1e-3)
    found = look(
        x,
        params,
        run(x, params, mean, variance),
        run(x, params, off, wide),
        2,
        lambda given: {"mean": off.astype(F), "variance": wide.astype(F)},
    ).batch
    for side in (found.inferred["port"], found.measured["port"]):
        assert side["mean_u"] == pytest.approx(1e-3 / U, rel=0.01)
        assert side["variance_u"] == pytest.approx(1e-3 / U, rel=0.01)
    assert (
        found.inferred["original"]["mean_u"] < 8 and found.inferred["original"]["variance_u"] < 12
    )
