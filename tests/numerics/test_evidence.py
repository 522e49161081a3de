"""What a card shows: every element is counted once, what was planted can be seen, and looking
changes no figure.
"""

import json
from dataclasses import asdict

import float32_layers as f32
import numpy as np
import pytest

from parity.compare import evidence
from parity.compare.measure import compare_layer
from parity.kinds import layer_case
from parity.port_api import Answer

F = np.float32
CONV = f32.layer("Convolution2D", **f32.CONV)
NORM = f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1)
ELU = f32.layer("ELU", alpha=1.0)
POOL = f32.layer(
    "MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"
)


@pytest.fixture(scope="module")
def given():
    """x (2, 8, 48, 200), convolution and normalisation parameters."""
    rng = np.random.default_rng(7)
    return (
        (rng.standard_normal((2, 8, 48, 200)) * 3 + 1).astype(F),
        f32.conv_params(rng),
        f32.norm_params(rng, 8),
    )


def compare(layer, params, x, actual, expected, chained=None):
    """(evidence, measures) of a layer; chained: the port's own input and output."""
    case = layer_case(layer, params, x, f32.KERAS)
    found = compare_layer(case, expected, actual, chained, evidence=True)
    return found.evidence and asdict(found.evidence), found._replace(evidence=None)


def counts(side):
    return [int(count) for count in side["inside"].split()]


def total(side):
    return sum(counts(side)) + side["below"] + side["above"] + side["certain"]


@pytest.mark.parametrize("kind", ["convolution", "normalisation", "elu"])
def test_every_element_is_counted_once_on_both_sides(given, kind):
    x, conv, norm = given
    layer, params, sides = {
        "convolution": (CONV, conv, [f32.conv(x, conv, order) for order in ("blocked", "forward")]),
        "normalisation": (NORM, norm, [f32.norm(x, norm, fused=fused) for fused in (True, False)]),
        "elu": (ELU, {}, [f32.elu(x, exp=exp) for exp in (np.expm1, lambda v: np.exp(v) - F(1))]),
    }[kind]
    found, _ = compare(layer, params, x, *sides)
    for side in found["residuals"].values():
        assert (
            total(side) == sides[0].size
            and side["every"] == 1
            and len(counts(side)) == evidence.BINS
        )
        assert side["certain"] == (np.count_nonzero(x > 0) if kind == "elu" else 0)
        assert side["below"] + side["above"] < 1e-3 * sides[0].size, (
            "hardly any clean rounding is beyond five sigma"
        )


def test_the_spread_is_that_of_the_residuals(given):
    x, conv, _ = given
    found, (measures, *_) = compare(CONV, conv, x, f32.conv(x, conv, "reversed"), f32.conv(x, conv))
    centres = np.linspace(-evidence.REACH, evidence.REACH, 2 * evidence.BINS + 1)[1::2]
    share = np.array(counts(found["residuals"]["port"])) / x[:, :1].size / len(conv["b"])
    assert np.sqrt(np.sum(share * centres**2)) == pytest.approx(measures.q_port, rel=0.01)


def test_what_is_too_small_is_on_the_left(given):
    x, conv, _ = given
    expected = f32.conv(x, conv)
    side = compare(CONV, conv, x, expected - np.abs(expected) * F(2.0**-18), expected)[0][
        "residuals"
    ]["port"]
    middle = evidence.BINS // 2
    assert side["below"] + sum(counts(side)[:middle]) > 0.95 * total(side) and side["above"] < 10


def test_blocks_that_alternate_give_every_window_in_turn():
    judge = type("Judge", (), {"view": (1, 1, 4 * evidence.ELEMENTS_ENOUGH)})
    residuals = evidence.Residuals(judge)
    starts = [residuals._next(100).start for _ in range(16)]
    assert all(sorted(starts[first::4]) == [0, 25, 50, 75] for first in range(4)), (
        "each fourth block, though there are four windows"
    )


def test_a_large_tensor_is_counted_in_part(monkeypatch, given):
    x, conv, _ = given
    monkeypatch.setattr(evidence, "ELEMENTS_ENOUGH", 2 * 12 * 48 * 200 // 3)
    expected = f32.conv(x, conv)
    found, _ = compare(CONV, conv, x, f32.conv(x, conv, "blocked"), expected)
    assert found["residuals"]["port"]["every"] == 3
    assert total(found["residuals"]["port"]) == pytest.approx(expected.size / 3, rel=0.02)


def test_what_may_not_round_and_does_is_in_the_tails(given):
    x = given[0]
    expected = f32.elu(x)
    actual = np.where(x > 5, np.nextafter(expected, F(99)), expected)
    side = compare(ELU, {}, x, actual, expected)[0]["residuals"]["port"]
    assert (
        side["above"] == np.count_nonzero(x > 5)
        and total(side) == x.size
        and min(counts(side)) >= 0
    )


def test_a_hot_spot_stays_visible_in_the_map(given):
    x, conv, _ = given
    expected = f32.conv(x, conv)
    actual = f32.conv(x, conv, "blocked")
    actual[1, 5, 33, 121] += F(0.5)
    found = compare(CONV, conv, x, actual, expected)[0]["map"]
    rows = found["rows"]
    assert (
        found["shape"] == [48, 200]
        and found["block"] == [2, 4]
        and len(rows) == 24
        and {len(row) for row in rows} == {50}
    )
    hottest = [(i, j) for i, row in enumerate(rows) for j, level in enumerate(row) if level == "f"]
    assert hottest == [(33 // 2, 121 // 4)] and found["largest"] == pytest.approx(0.5, rel=1e-2)
    assert (
        max(
            level
            for i, row in enumerate(rows)
            for j, level in enumerate(row)
            if (i, j) != hottest[0]
        )
        < "5"
    )


def test_a_map_of_a_layer_normalised_over_time_has_the_same_axes(given):
    x = given[0]
    params = f32.norm_params(np.random.default_rng(1), x.shape[3])
    layer = f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=3)
    expected = x * params["gamma"] / np.sqrt(params["running_std"] + F(1e-5))
    expected += params["beta"] - params["running_mean"] * params["gamma"] / np.sqrt(
        params["running_std"] + F(1e-5)
    )
    actual = expected.copy()
    actual[0, 3, 40, 10] += F(1)
    found, _ = compare(layer, params, x, actual, expected)
    assert [(i, row.index("f")) for i, row in enumerate(found["map"]["rows"]) if "f" in row] == [
        (20, 2)
    ]
    assert found["channels"]["count"] == 200 and found["channels"]["axis"] == "time frame"


def test_channels_show_the_one_that_was_scaled(given):
    x, conv, _ = given
    expected = f32.conv(x, conv)
    actual = f32.conv(x, conv, "blocked")
    actual[:, 4] *= F(1 + 2.0**-20)
    found = compare(CONV, conv, x, actual, expected)[0]["channels"]
    gains, limits = (
        [float(value) for value in found[key].split()] for key in ("gain_u", "gain_limit_u")
    )
    assert gains[4] == pytest.approx(16, rel=0.1) and max(map(abs, gains[:4] + gains[5:])) < min(
        limits
    )
    assert min(limits) > 2 and max(limits) < 4
    assert (
        len(found["offset_limit"].split()) == len(found["offset"].split()) == found["count"] == 12
    )


def test_of_many_channels_the_one_nearest_its_limit_is_kept(monkeypatch, given):
    x, conv, _ = given
    monkeypatch.setattr(evidence, "CHANNELS_MOST", 4)
    actual = f32.conv(x, conv, "blocked")
    actual[:, 7] *= F(1 - 2.0**-20)
    found = compare(CONV, conv, x, actual, f32.conv(x, conv))[0]["channels"]
    assert (
        found["every"] == 3 and [round(float(gain)) for gain in found["gain_u"].split()][2] == -16
    )


def test_an_exact_layer_shows_the_original_alone_and_its_chain(given):
    x, conv, _ = given
    expected, own = f32.conv(x, conv), (x * (1 + F(2.0**-22))).astype(F)
    found, _ = compare(
        CONV,
        conv,
        x,
        expected.copy(),
        expected,
        Answer((own,), f32.conv(own, conv)),
    )
    assert (
        found["residuals"]["port"] is None
        and total(found["residuals"]["original"]) == expected.size
    )
    assert found["channels"] is None and found["map"]["mode"] == "chained"
    alone, _ = compare(CONV, conv, x, expected.copy(), expected)
    assert alone["map"] is None


def test_nothing_is_shown_of_what_cannot_be_compared_or_only_moves(given):
    x, conv, _ = given
    expected = f32.conv(x, conv)
    broken = expected.copy()
    broken[0, 0, 0, 0] = np.nan
    pooled = np.ascontiguousarray(x.reshape(2, 8, 24, 2, 100, 2).max(axis=(3, 5)))
    assert compare(CONV, conv, x, broken, expected)[0] is None
    assert compare(CONV, conv, x, expected[:, :5], expected)[0] is None
    assert compare(POOL, {}, x, pooled.copy(), pooled)[0] is None


def test_a_vector_has_no_map(given):
    rng = np.random.default_rng(2)
    x, params = (
        rng.standard_normal((2, 9)).astype(F),
        {"W": rng.standard_normal((9, 5)).astype(F), "b": np.zeros(5, F)},
    )
    expected = x @ params["W"]
    actual = np.nextafter(expected, F(9))
    found, _ = compare(f32.layer("Dense", activation="linear"), params, x, actual, expected)
    assert found["map"] is None and total(found["residuals"]["port"]) == 10


def test_looking_changes_no_figure(given):
    x, conv, _ = given
    actual, expected = f32.conv(x, conv, "blocked"), f32.conv(x, conv)
    chain = Answer(((x * (1 + F(2.0**-22))).astype(F),), actual)
    looked, found = compare(CONV, conv, x, actual, expected, chain)
    unseen = compare_layer(layer_case(CONV, conv, x, f32.KERAS), expected, actual, chain)
    assert repr(unseen) == repr(found) and len(json.dumps(looked)) < 4000


@pytest.mark.parametrize(
    ("plane", "expected"),
    [
        ([[0, 1], [1, 0]], ["0f", "f0"]),
        ([[0, 1e-9], [1e-2, 1e-9]], ["01", "f1"]),
        ([[1, 2**7], [2**14, 2**14]], ["18", "ff"]),
    ],
)
def test_levels_are_equal_ratios_and_zero_is_a_level_of_its_own(plane, expected):
    plane = np.array(plane, float)
    levels = evidence.levels(plane, plane[plane > 0].min(), plane.max())
    assert ["".join(evidence.LEVELS[level] for level in row) for row in levels] == expected


def test_block_maximum_keeps_the_last_uneven_block():
    plane = np.zeros((33, 129))
    plane[32, 128] = 1
    reduced, block = evidence.block_maximum(plane)
    assert (
        block == [2, 3]
        and reduced.shape == (17, 43)
        and reduced[16, 42] == 1
        and reduced.sum() == 1
    )
