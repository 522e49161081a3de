"""One weight of a convolution off by less than any output shows: found, in place and size; and
nothing where there is none.
"""

import numpy as np
import pytest

from parity.compare import verdict
from parity.compare.measure import measure
from parity.kinds import layer_case, value, witness, witness_beside
from parity.kinds.convolution import locate_tap
from parity.kinds.convolution.taps import _slopes
from tests.diagnose.planting import SUBJECTS, output
from tests.diagnose.test_named import explain
from tests.numerics import float32_layers as layers
from tests.numerics.float32_layers import CONV, F, conv_params, layer

AT = (6, 1, 2, 0)


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def _off(params, by, at=AT):
    kernels = params["W"].copy()
    kernels[at] *= F(1) + F(by)
    return {**params, "W": kernels}


def _subject(rng, x=None):
    subject = SUBJECTS["Convolution2D"](rng)
    subject.params["W"][AT] = F(0.3)
    return subject if x is None else layer_case(subject.layer, subject.params, x, subject.keras)


def _exact(subject):
    return value(subject.layer, subject.params, subject.x, subject.keras)


def _judged(subject, actual):
    measures = measure(actual, output(subject.witness), subject.witness)
    return verdict.judge(measures), measures


@pytest.mark.parametrize("by", [2e-6, -2e-6])
def test_a_tap_under_the_bound_is_no_rounding(by, rng):
    subject = _subject(rng)
    said, measures = _judged(subject, layers.conv(subject.x, _off(subject.params, by)))
    assert measures.rho_port < 1 and said == verdict.FORMULA
    found = measures.structure.tap
    assert found.at == list(AT) and found.relative == pytest.approx(by, rel=0.1)
    assert not measures.structure.gain_channels and not measures.structure.offset_channels


def test_it_is_named_with_its_size(rng):
    subject = _subject(rng)
    found = explain(subject, layers.conv(subject.x, _off(subject.params, 2e-6)))
    assert (
        found.hypothesis == "one tap off: filter 6, channel 1, row 2, column 0"
        and len(found.survivors) == 1
    )
    assert found.estimate.relative == pytest.approx(2e-6, rel=0.1)
    assert abs(found.estimate.value - 0.3 * 2e-6) < 4 * found.estimate.se


@pytest.mark.parametrize("order", layers.ORDERS)
def test_no_order_of_summation_has_one(order, rng):
    subject = _subject(rng)
    said, measures = _judged(subject, layers.conv(subject.x, subject.params, order))
    assert verdict.holds(said) and measures.structure.tap is None


def _silent(x):
    x[..., 6:] = F(0.37)


def _saturated(x):
    np.maximum(x, F(-0.2), out=x)


def _held(x):
    x[:] = x[..., :1]


def _dead_channel(x):
    x[:, 3] = F(-0.37)


@pytest.mark.parametrize("alike", [_silent, _saturated, _held, _dead_channel])
def test_errors_that_repeat_are_none(alike, rng):
    """Where the input repeats, so does its rounding error: t-values grow in every tap, without a
    fault.
    """
    x = rng.standard_normal((2, 8, 12, 40)).astype(F)
    alike(x)
    subject = _subject(rng, x)
    for order in layers.ORDERS:
        actual = layers.conv(x, subject.params, order)
        assert verdict.holds(_judged(subject, actual)[0]) and locate_tap(subject, actual) is None, (
            order
        )


def test_errors_as_slow_as_the_input_are_none(rng):
    """Notes that are held: errors and inputs are alike for fifty frames, so every t is some seven
    times too large.
    """

    def held(shape):
        return np.repeat(rng.standard_normal(shape), 50, axis=-1)

    subject = _subject(
        rng, (held((2, 8, 12, 20)) + 1e-3 * rng.standard_normal((2, 8, 12, 1000))).astype(F)
    )
    clean = _exact(subject)
    assert locate_tap(subject, clean + 1e-5 * held((2, 8, 12, 20))) is None
    off = _exact(subject.but(params=_off(subject.params, 1e-3)))
    assert locate_tap(subject, off + 1e-5 * held((2, 8, 12, 20))).at == list(AT)


def test_one_value_that_repeats_is_none(rng):
    """Silence in half of the input: one filter rounds it by as much again and again."""
    x = rng.standard_normal((1, 8, 12, 400)).astype(F)
    x[..., 150:] = 2
    subject = _subject(rng, x)
    actual = _exact(subject)
    actual += 1e-8 * rng.standard_normal(actual.shape)
    actual[:, 3, 1:-1, 151:-1] += 2e-6
    assert locate_tap(subject, actual) is None


def test_it_is_found_where_its_size_allows(rng):
    subject = _subject(rng)
    found = [
        locate_tap(subject, layers.conv(subject.x, _off(subject.params, by)))
        for by in (1e-8, 1e-7, 1e-6, 1e-5)
    ]
    assert [each is not None for each in found] == [False, False, True, True]
    assert 15 < found[2].t < found[3].t


def test_a_change_within_a_weights_own_rounding_is_none(rng):
    """However many positions: float32 weights are no more exact than that."""
    x = rng.standard_normal((1, 1, 60, 2000)).astype(F)
    subject = layer_case(layer("Convolution2D", **CONV), conv_params(rng, 4, 1), x, "1.1.0")
    kernels = subject.params["W"].copy()
    kernels[2, 0, 1, 1] = np.nextafter(kernels[2, 0, 1, 1], F(9))
    assert locate_tap(subject, layers.conv(x, {**subject.params, "W": kernels})) is None
    assert locate_tap(subject, layers.conv(x, _off(subject.params, 1e-5, (2, 0, 1, 1)))).at == [
        2,
        0,
        1,
        1,
    ]


def test_a_tap_that_meets_one_value_has_no_slope():
    """What is left of its spread is the rounding of its own sums."""
    seen, count = np.full(1000, 0.37), 1000
    sums = seen @ seen * (1 + 1e-7)  # as float32 has it
    assert _slopes(1e-3, seen.sum(), sums, 0.0, 1e-9, count) == (0, 0)
    assert _slopes(1e-3, seen.sum(), sums * 1.1, 0.0, 1e-9, count)[0] > 0


def test_too_few_positions_find_nothing(rng):
    subject = _subject(rng, rng.standard_normal((2, 8, 4, 4)).astype(F))
    assert locate_tap(subject, layers.conv(subject.x, _off(subject.params, 2e-5))) is None


def test_values_that_are_none_find_nothing(rng):
    subject = _subject(rng)
    assert locate_tap(subject, np.full(subject.witness.shape, np.nan, F)) is None


def test_another_stride_and_an_even_kernel_are_told_in_the_files_order(rng):
    there = layer("Convolution2D", **{**CONV, "border_mode": "valid", "subsample": [2, 1]})
    subject = layer_case(
        there,
        conv_params(rng, 5, 3, (2, 4)),
        rng.standard_normal((2, 3, 40, 40)).astype(F),
        "1.1.0",
    )
    at = (4, 2, 0, 3)
    actual = output(subject.but(params={"W": _off(subject.params, 1e-3, at)["W"]}).witness)
    assert locate_tap(subject, actual).at == list(at)


def test_beside_another_input_no_second_search_is_made(rng):
    subject = _subject(rng)
    near = witness_beside(
        subject.witness, subject.layer, subject.params, subject.x + F(1e-6), subject.keras
    )
    assert subject.witness.taps() and not near.taps()
    assert not witness(layer("ELU", alpha=1.0), {}, subject.x, "1.1.0").taps()
