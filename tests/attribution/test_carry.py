"""A carried deviation is what the float64 oracle makes of the tensor it stands for."""

import numpy as np
import pytest
from small_net import KERAS, ROWS, parameters, recorded, sound, steps

from parity.attribution.propagate import Carrier
from parity.kinds import value

PARAMS = parameters()
NET = recorded(sound(), steps(PARAMS))
NAMES = [row[0] for row in ROWS]
SIZES = (1e-7, 1e-3, 1.0, 30.0)


def carrier(name, keras=KERAS, **settings):
    layer = NET.layers[name]
    layer = layer._replace(config={**layer.config, **settings})
    given = NET.read(layer.inbound[0])
    expected = value(layer, PARAMS[name], given, keras).astype(np.float32)
    return Carrier(layer, PARAMS[name], keras, given, expected).run()


def agrees(made, deviation):
    """Carried against the oracle on the float64 sum, to 1e-5 of what the deviation does at most."""
    wanted = (
        value(
            made.layer, made.case.params, made.given + deviation.astype(np.float64), made.case.keras
        )
        - made.expected
    )
    error = 0 if made.error is None else np.abs(made.error).max()
    got = made.carry(deviation.copy())
    assert got.shape == wanted.shape and got.dtype == np.float32
    np.testing.assert_allclose(
        got, wanted, rtol=0, atol=1e-5 * (np.abs(wanted).max() + error) + 1e-13
    )


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", NAMES)
def test_every_kind_agrees_with_the_oracle_on_the_sum(name, size):
    made = carrier(name)
    agrees(
        made, (size * np.random.default_rng(1).standard_normal(made.given.shape)).astype(np.float32)
    )


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("bn1", {"mode": 0}),
        ("bn1", {"epsilon": 1e-3}),
        ("bn2", {"mode": 2}),
        ("bn_0", {"mode": 2}),
        ("elu_1", {"alpha": 0.3}),
        ("pool1", {"pool_size": [3, 2], "strides": [1, 2]}),
        ("pool1", {"pool_size": [2, 3], "strides": None}),
        ("conv2", {"border_mode": "valid"}),
        ("conv2", {"subsample": [2, 1]}),
        ("gru1", {"return_sequences": False, "go_backwards": True}),
        ("output", {"activation": "linear"}),
    ],
)
@pytest.mark.parametrize("keras", ["1.0.6", "1.0.7", "1.1.0"])
def test_every_setting_agrees_with_the_oracle_on_the_sum(name, settings, keras):
    made = carrier(name, keras, **settings)
    agrees(
        made, (1e-4 * np.random.default_rng(2).standard_normal(made.given.shape)).astype(np.float32)
    )


def test_no_deviation_carries_the_originals_own_error():
    made = carrier("conv2")
    wanted = value(made.layer, made.case.params, made.given, KERAS) - made.expected
    np.testing.assert_allclose(made.carry(None), wanted, rtol=1e-6)
    assert made.carry(None) is not made.error, "whoever is given it may write to it"
    assert carrier("pool1").carry(None) is None


def test_an_elu_deviation_that_crosses_zero_is_carried_exactly():
    made = carrier("elu_1")
    deviation = (-made.given * np.random.default_rng(3).uniform(0, 2, made.given.shape)).astype(
        np.float32
    )
    assert np.count_nonzero(np.sign(made.given) != np.sign(made.given + deviation)) > 100
    agrees(made, deviation)


def test_an_elu_deviation_beyond_what_float32_exponentiates_is_carried():
    layer, rng = NET.layers["elu_1"], np.random.default_rng(4)
    given = (rng.standard_normal(NET.read("bn1").shape) * 300).astype(np.float32)
    made = Carrier(layer, {}, KERAS, given, value(layer, {}, given, KERAS).astype(np.float32)).run()
    agrees(made, (rng.standard_normal(given.shape) * 1000).astype(np.float32))


def test_the_error_alone_is_what_a_whole_run_finds():
    for name in NAMES:
        whole = carrier(name)
        alone = Carrier(whole.layer, whole.case.params, KERAS, whole.given, whole.expected).errors()
        assert alone.sigma is None
        np.testing.assert_array_equal(alone.carry(None), whole.carry(None))


def test_a_deviation_far_below_float32_spacing_still_counts():
    made = carrier("pool1")
    deviation = np.full(made.given.shape, 1e-12, np.float32)
    np.testing.assert_allclose(made.carry(deviation), 1e-12, rtol=1e-6)


def test_a_pool_that_the_original_got_wrong_is_an_error_of_the_original():
    made = carrier("pool1")
    wrong = made.expected.copy()
    wrong[0, 0, 0, 0] += 1
    made = Carrier(made.layer, made.case.params, KERAS, made.given, wrong).run()
    assert made.error[0, 0, 0, 0] == -1 and np.count_nonzero(made.error) == 1
