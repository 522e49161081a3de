"""The chain: what a layer was handed is told from what it added."""

import float32_layers as f32
import numpy as np
import pytest

from parity.compare.measure import compare_layer
from parity.compare.verdict import judge
from parity.kinds import layer_case, value, witness, witness_beside
from parity.port_api import Answer

F = np.float32
CONV = f32.layer("Convolution2D", **f32.CONV)
NORM = f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1)


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(11)


@pytest.fixture(scope="module")
def given(rng):
    """The original's input, the port's (off by rounding), convolution and normalisation
    parameters.
    """
    x = (rng.standard_normal((2, 8, 12, 40)) * 3).astype(F)
    return (
        x,
        (x * (1 + rng.uniform(-4, 4, x.shape) * 2.0**-24)).astype(F),
        f32.conv_params(rng),
        f32.norm_params(rng, 8),
    )


def compare(layer, params, x, own, expected, chained):
    case = layer_case(layer, params, x, f32.KERAS)
    return compare_layer(case, expected, expected.copy(), Answer((own,), chained))


def norm(array):
    return np.sqrt(np.sum(np.square(array, dtype="f8")))


@pytest.mark.parametrize("kind", ["conv", "norm"])
def test_inherited_and_local_parts_are_what_they_say(given, kind):
    x, own, conv, bn = given
    layer, params, port = (CONV, conv, f32.conv) if kind == "conv" else (NORM, bn, f32.norm)
    expected, chained = (
        port(x, params),
        port(own, params, "pairwise") if kind == "conv" else port(own, params),
    )
    _, found, *_ = compare(layer, params, x, own, expected, chained)
    oracle, oracle_own = value(layer, params, x, f32.KERAS), value(layer, params, own, f32.KERAS)
    assert found.inherited == pytest.approx(norm(oracle_own - oracle), rel=1e-6)
    assert found.local == pytest.approx(
        norm((chained - oracle_own) - (expected - oracle)), rel=1e-6
    )
    assert found.input_drift == pytest.approx(norm(own.astype("f8") - x), rel=1e-6)
    assert found.amplification == pytest.approx(found.inherited / found.input_drift)
    assert found.max_abs == pytest.approx(np.abs(chained.astype("f8") - expected).max())
    assert judge(found) == "ROUNDING" and found.rho_port <= 1


@pytest.mark.parametrize("change", [0, 2.0**-24, 1e-6, 1e-3, 1.0])
def test_a_convolution_beside_another_is_never_kinder_than_one_alone(given, rng, change):
    x, _, params, _ = given
    own = (x * (1 + change * rng.uniform(-1, 1, x.shape))).astype(F)
    first = witness(CONV, params, x, f32.KERAS)
    beside, alone = (
        witness_beside(first, CONV, params, own, f32.KERAS),
        witness(CONV, params, own, f32.KERAS),
    )
    for where in first.blocks():
        near, exact = beside.beside(where, first.block(where)), alone.block(where)
        assert (np.abs(near.o - exact.o) <= beside.SLACK * np.sqrt(exact.bound2)).all()
        assert (near.bound2 <= exact.bound2 * (1 + 1e-5)).all() and (
            near.bound2 >= 0.9 * exact.bound2
        ).all()


def test_a_fault_upstream_is_inherited_not_blamed(given):
    x, _, conv, _ = given
    own = (x * F(1.5) + F(0.1)).astype(F)
    isolated, found, *_ = compare(
        CONV, conv, x, own, f32.conv(x, conv), f32.conv(own, conv, "reversed")
    )
    assert judge(isolated) == "EXACT"
    assert judge(found, upstream_holds=False) == "INHERITED"
    assert found.inherited > 1000 * found.local


def test_a_fault_of_its_own_is_blamed_in_the_chain(given):
    x, own, conv, _ = given
    _, found, *_ = compare(CONV, conv, x, own, f32.conv(x, conv), f32.conv(own, conv, flip=False))
    assert judge(found) == judge(found, upstream_holds=False) == "GROSS"


def test_a_moving_layer_is_exact_where_it_moves_its_own_input(given):
    x, own, *_ = given
    layer = f32.layer("Dropout", p=0.1)
    _, found, *_ = compare(layer, {}, x, own, x, own)
    assert judge(found) == "EXACT" and not found.bitwise_equal
    assert found.local == 0 and found.amplification == pytest.approx(1)
    _, found, *_ = compare(layer, {}, x, own, x, x)
    assert judge(found) == "EXACT", "it gave what the original gave"
    _, found, *_ = compare(layer, {}, x, own, x, np.nextafter(own, F(9)))
    assert judge(found) in {"FORMULA(unnamed)", "GROSS"}


@pytest.mark.parametrize(
    "spoil", [lambda own: np.where(own > 5, F(np.nan), own), lambda own: own[..., :-1]]
)
def test_an_unusable_input_is_inherited_once_the_break_is_known(given, spoil):
    x, own, conv, _ = given
    own = spoil(own)
    _, found, *_ = compare(CONV, conv, x, own, f32.conv(x, conv), f32.conv(own, conv))
    assert found.input_fault
    assert judge(found, upstream_holds=False) == "INHERITED"
    assert judge(found) == "INCOMPARABLE"


def test_the_same_input_gives_the_isolated_figures(given):
    x, _, _, bn = given
    expected, actual = f32.norm(x, bn), f32.norm(x, bn, fused=True)
    case = layer_case(NORM, bn, x, f32.KERAS)
    isolated, found, *_ = compare_layer(case, expected, actual, Answer((x.copy(),), actual))
    assert (
        found.rho_port == isolated.rho_port and found.inherited == 0 and found.amplification is None
    )


def test_the_isolated_output_again_is_no_answer_to_another_input(given):
    x, _, _, bn = given
    own = (x * F(2)).astype(F)
    expected, actual = f32.norm(x, bn), f32.norm(x, bn, fused=True)
    case = layer_case(NORM, bn, x, f32.KERAS)
    isolated, found, *_ = compare_layer(case, expected, actual, Answer((own,), actual))
    assert judge(isolated) == "ROUNDING" and judge(found, upstream_holds=False) == "GROSS"
