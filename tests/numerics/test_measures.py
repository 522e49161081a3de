"""Clean reorderings stay ROUNDING, every known fault does not, and the figures say where and how
much.
"""

from dataclasses import replace

import float32_layers as f32
import numpy as np
import pytest

from parity.compare.measure import compare_layer, measure
from parity.compare.tally import Tally
from parity.compare.verdict import judge
from parity.kinds import layer_case, witness
from parity.numerics.rounding import U

F = np.float32
CONV = f32.layer("Convolution2D", **f32.CONV)
NORM = f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1)
GRU = f32.layer("GRU", return_sequences=True, activation="tanh", inner_activation="hard_sigmoid")
DENSE = f32.layer("Dense", activation="sigmoid")
POOL = f32.layer(
    "MaxPooling2D", pool_size=[2, 2], strides=[2, 2], border_mode="valid", dim_ordering="th"
)
BROKEN = {"FORMULA(unnamed)", "GROSS"}


@pytest.fixture(scope="module")
def rng():
    return np.random.default_rng(3)


@pytest.fixture(scope="module")
def given(rng):
    """x (2, 8, 24, 40), convolution and normalisation parameters."""
    return (
        (rng.standard_normal((2, 8, 24, 40)) * 3 + 1).astype(F),
        f32.conv_params(rng),
        f32.norm_params(rng, 8),
    )


def compare(layer, params, x, actual, expected, keras=f32.KERAS):
    found = compare_layer(layer_case(layer, params, x, keras), expected, actual).isolated
    return found, judge(found)


@pytest.mark.parametrize("order", [*f32.ORDERS])
@pytest.mark.parametrize("original", ["forward", "blocked"])
def test_any_order_of_summation_is_rounding(given, order, original):
    x, params, _ = given
    found, verdict = compare(
        CONV, params, x, f32.conv(x, params, order), f32.conv(x, params, original)
    )
    assert verdict == ("EXACT" if order == original else "ROUNDING")
    assert 0.05 <= found.q_port <= 1.2 and found.rho_det <= 1 and found.effective_bits > 20
    assert found.beyond == 0 and found.support is None


def with_changed(params, name, edit):
    changed = {**params, name: params[name].copy()}
    edit(changed[name])
    return changed


def scale_tap(w):
    w[7, 5, 1, 1] *= F(1.01)


def swap_filters(w):
    w[[2, 9]] = w[[9, 2]]


@pytest.mark.parametrize(
    ("port", "verdicts", "channels"),
    [
        (lambda x, p: f32.conv(x, p, flip=False), {"GROSS"}, 12),
        (lambda x, p: f32.conv(x, {**p, "W": p["W"].transpose(0, 1, 3, 2)}), {"GROSS"}, 12),
        (lambda x, p: f32.conv(x, with_changed(p, "W", swap_filters)), BROKEN, 2),
        (lambda x, p: f32.conv(x, with_changed(p, "W", scale_tap)), {"FORMULA(unnamed)"}, 1),
        (lambda x, p: f32.conv(x, {**p, "b": np.zeros_like(p["b"])}), BROKEN, 12),
        (
            lambda x, p: f32.conv(x, {**p, "W": p["W"].astype("f2").astype(F)}),
            BROKEN | {"EXCESS ROUNDING"},
            12,
        ),
        (lambda x, p: f32.conv(x, p, mode="edge"), BROKEN, 12),
    ],
    ids=[
        "not flipped",
        "transposed",
        "filters swapped",
        "one tap 1 % off",
        "bias dropped",
        "float16 weights",
        "edge padding",
    ],
)
def test_a_faulty_convolution_is_no_rounding(given, port, verdicts, channels):
    x, params, _ = given
    found, verdict = compare(CONV, params, x, port(x, params), f32.conv(x, params))
    assert verdict in verdicts
    assert found.rho_port > 1 and found.rho_det > 0 and found.rho_det_exact
    assert found.support.touched[1] == channels


def test_where_the_fault_is(given):
    x, params, _ = given
    expected = f32.conv(x, params)
    tap, _ = compare(CONV, params, x, f32.conv(x, with_changed(params, "W", scale_tap)), expected)
    assert tap.support.text == "1 of 12 channels (7)" and tap.support.indices[1] == [7]
    assert tap.worst_index[1] == 7
    edges, _ = compare(CONV, params, x, f32.conv(x, params, mode="edge"), expected)
    assert edges.support.edges_only and edges.support.text == "12 of 12 channels, edges only"


def test_the_worst_element_is_the_one_that_is_worst(given):
    x, params, _ = given
    expected = f32.conv(x, params)
    actual = expected.copy()
    actual[1, 3, 20, 11] += F(0.5)
    found, verdict = compare(CONV, params, x, actual, expected)
    assert verdict in BROKEN
    assert (
        found.worst_index == [1, 3, 20, 11]
        and found.beyond == 1
        and found.beyond_share == 1 / expected.size
    )
    assert (
        found.worst_actual == actual[1, 3, 20, 11]
        and found.worst_expected == expected[1, 3, 20, 11]
    )
    assert found.rho_port == pytest.approx(
        abs(found.worst_actual - found.worst_oracle) / found.worst_allowed
    )
    assert found.max_abs == abs(float(actual[1, 3, 20, 11]) - float(expected[1, 3, 20, 11]))
    assert found.rms == pytest.approx(found.max_abs / np.sqrt(expected.size))
    assert found.bitwise_share == 1 - 1 / expected.size


def test_structure_finds_a_gain_and_an_offset_under_the_bound(given):
    x, params, _ = given
    exact = np.concatenate([part for part in blocks_of(witness(CONV, params, x, f32.KERAS))])
    expected = f32.conv(x, params, "blocked")
    gained, verdict = compare(CONV, params, x, expected * F(1 + 6 * 2.0**-24 * 2), expected)
    assert (
        gained.rho_port < 1
        and verdict == "FORMULA(unnamed)"
        and len(gained.structure.gain_channels) == 12
    )
    shifted = expected.copy()
    shifted[:, 4] += F(1e-5) * np.abs(exact).mean() / 2
    offset, verdict = compare(CONV, params, x, shifted, expected)
    assert verdict in BROKEN and offset.structure.offset_channels == [4]
    assert not compare(CONV, params, x, f32.conv(x, params, "pairwise"), expected)[0].structured


def test_silence_repeats_one_error_and_is_no_structure():
    """Five sixths of the image are one patch: its rounding error is a whole channel's, and yet
    rounding.
    """
    assert (
        sum(
            compare_silence(seed, order)
            for seed in range(3)
            for order in ("forward", "pairwise", "blocked")
        )
        >= 6
    )


def compare_silence(seed, order):
    """Whether the plain regression would have found something."""
    rng = np.random.default_rng(seed)
    params = f32.conv_params(rng, 32, 8)
    x = (rng.standard_normal((2, 8, 24, 60)) * 3 + 1).astype(F)
    x[:, :, :, 10:] = rng.standard_normal((1, 8, 1, 1)) * 3
    expected = f32.conv(x, params, "reversed")
    found, verdict = compare(CONV, params, x, f32.conv(x, params, order), expected)
    assert verdict == "ROUNDING"
    assert compare(CONV, params, x, expected * F(1 + 2.0**-20), expected)[1] == "FORMULA(unnamed)"
    s = found.structure
    return abs(s.offset) > s.offset_limit and abs(s.offset_t) > 15


def test_terms_that_repeat_are_rounded_alike_and_are_no_structure():
    """Two thirds of the input are an ELU's -1: a channel's gain passes 2 u with a t of 31, of
    rounding alone; 32 u are seen.
    """
    rng = np.random.default_rng(1)
    params = f32.conv_params(rng, 24, 16)
    x = rng.standard_normal((2, 16, 24, 85))
    level = 2 * np.cumsum(rng.standard_normal((2, 1, 24, 85)), axis=3)
    sounding = x + level * rng.uniform(-1, 1, (1, 16, 1, 1)) > 0
    x = f32.elu(np.where(sounding, 20 * x + 10 * level, -30).astype(F))
    actual = f32.conv(x, params)
    found, verdict = compare(CONV, params, x, actual, f32.conv(x, params, "pairwise"))
    plain = found.structure
    assert verdict == "ROUNDING" and abs(plain.gain) > 2 * U and abs(plain.gain_t) > 15
    found, verdict = compare(CONV, params, x, (actual * (1 + 32 * U)).astype(F), actual)
    assert verdict == "FORMULA(unnamed)" and len(found.structure.gain_channels) > 12


def test_an_offset_read_far_from_the_values_may_be_what_their_gain_may_make_there(given):
    x, params, _ = given
    judge = witness(CONV, params, x, f32.KERAS)
    tally = Tally(judge, f32.conv(x, params), structure=True)
    for where in judge.blocks():
        tally.add(judge.block(where))
    near, gain = (tally.regression.channels()[what][1] for what in ("offset", "gain"))
    tally.regression.limits = replace(judge.limits, centre=judge.limits.centre - 1e4)
    assert tally.regression.channels()["offset"][1] == pytest.approx(
        near + (gain - 2 * U) * 1e4, rel=1e-3
    )


def test_a_large_channel_is_fitted_from_a_part_of_it(monkeypatch, given):
    x, params, _ = given
    expected = f32.conv(x, params, "blocked")
    actual = expected * F(1 + 2.0**-20)
    monkeypatch.setattr("parity.numerics.structure.POSITIONS_ENOUGH", 300)
    part, verdict = compare(CONV, params, x, actual, expected)
    assert verdict == "FORMULA(unnamed)" and len(part.structure.gain_channels) == 12
    assert part.structure.gain == pytest.approx(2.0**-20, rel=0.2)


def blocks_of(judged):
    return [judged.block(where).o.ravel().copy() for where in judged.blocks()]


@pytest.mark.parametrize("fused", [False, True])
def test_normalisation_in_any_order_is_rounding(given, fused):
    x, _, params = given
    found, verdict = compare(
        NORM, params, x, f32.norm(x, params, fused=fused), f32.norm(x, params, fused=not fused)
    )
    assert verdict == "ROUNDING" and 0.05 <= found.q_port <= 1.2


@pytest.mark.parametrize(
    ("port", "verdicts"),
    [
        (lambda x, p: f32.norm(x, p, eps=2e-5), {"FORMULA(unnamed)"}),
        (lambda x, p: f32.norm(x, p, eps=1e-3), {"FORMULA(unnamed)"}),
        (lambda x, p: f32.norm(x, {**p, "running_std": p["running_std"] ** 2}), BROKEN),
        (lambda x, p: f32.norm(x, {**p, "running_mean": 0 * p["running_mean"]}), BROKEN),
        (lambda x, p: f32.norm(x, {**p, "gamma": np.roll(p["gamma"], 1)}), BROKEN),
    ],
    ids=[
        "eps twice as large",
        "eps 1e-3",
        "std for variance",
        "mean dropped",
        "gamma of the neighbour",
    ],
)
def test_a_faulty_normalisation_is_no_rounding(given, port, verdicts):
    x, _, params = given
    assert compare(NORM, params, x, port(x, params), f32.norm(x, params))[1] in verdicts


def test_batch_statistics(given):
    x, _, params = given
    layer = f32.layer("BatchNormalization", epsilon=1e-6, mode=2, axis=1)

    def port(x, mean=None):
        mean = x.mean((0, 2, 3), keepdims=True) if mean is None else mean
        spread = np.sqrt(((x - mean) ** 2).mean((0, 2, 3), keepdims=True) + F(1e-6)) + F(1e-6)
        return (x - mean) * (params["gamma"][:, None, None] / spread) + params["beta"][
            :, None, None
        ]

    reference = port(x, x.mean((0, 2, 3), keepdims=True, dtype="f8").astype(F))
    assert compare(layer, params, x, port(x), reference, "1.0.6")[1] in {"EXACT", "ROUNDING"}
    alone = np.concatenate([port(x[:1]), port(x[1:])])
    assert compare(layer, params, x, alone, reference, "1.0.6")[1] in BROKEN


@pytest.mark.parametrize("exp", [lambda x: np.exp(x) - F(1), np.expm1], ids=["exp - 1", "expm1"])
def test_both_exponentials_are_rounding(given, exp):
    x = given[0]
    other = f32.elu(x, exp=lambda v: np.expm1(v.astype("f8")).astype(F))
    assert compare(f32.layer("ELU", alpha=1.0), {}, x, f32.elu(x, exp=exp), other)[1] in {
        "EXACT",
        "ROUNDING",
    }


def test_faulty_elus(given):
    x, layer = given[0], f32.layer("ELU", alpha=1.0)
    expected = f32.elu(x)
    scaled, verdict = compare(layer, {}, x, f32.elu(x, alpha=0.999), expected)
    assert verdict == "FORMULA(unnamed)" and scaled.support.side == "x <= 0"
    nudged, verdict = compare(
        layer, {}, x, np.where(x > 0, np.nextafter(expected, F(9)), expected), expected
    )
    assert verdict in BROKEN and nudged.rho_port == float("inf") and nudged.support.side == "x > 0"
    assert nudged.worst_allowed == 0


def test_pooling_must_be_bit_for_bit(given):
    x = given[0]
    expected = x.reshape(2, 8, 12, 2, 20, 2).max((3, 5))
    assert compare(POOL, {}, x, expected.copy(), expected)[1] == "EXACT"
    nudged, verdict = compare(POOL, {}, x, np.nextafter(expected, F(99)), expected)
    assert verdict in BROKEN and nudged.rho_port == nudged.rho_det == float("inf")
    covering = np.pad(expected, ((0, 0), (0, 0), (0, 0), (0, 1)))
    found, verdict = compare(POOL, {}, x, covering, expected)
    assert (
        verdict == "INCOMPARABLE"
        and found.fault == "shape (2, 8, 12, 21) instead of (2, 8, 12, 20)"
    )


def test_minus_zero_is_zero_and_is_counted():
    x = np.zeros((1, 1, 4, 4), F)
    expected = np.zeros((1, 1, 2, 2), F)
    found, verdict = compare(POOL, {}, x, -expected, expected)
    assert verdict == "EXACT" and found.bitwise_equal and found.signed_zeros == 4


@pytest.mark.parametrize("kind", ["Permute", "Dropout"])
def test_what_moves_values_may_not_change_them(given, kind):
    x = given[0]
    layer, move = {
        "Permute": (f32.layer("Permute", dims=[3, 1, 2]), lambda x: x.transpose(0, 3, 1, 2)),
        "Dropout": (f32.layer("Dropout", p=0.5), lambda x: x),
    }[kind]
    assert compare(layer, {}, x, move(x).copy(), move(x))[1] == "EXACT"
    assert compare(layer, {}, x, move(x) * F(0.5), move(x))[1] == "GROSS"


def test_sigmoids(rng):
    params, x = f32.dense_params(rng), rng.standard_normal((6, 64)).astype(F)
    params["b"][:2] = 18, -19
    sums = x @ params["W"] + params["b"]
    expected = f32.theano_sigmoid(sums)
    assert (expected == 1).any(), "the case must reach Theano's clip"
    tanh_form = np.tanh(sums / 2) / 2 + F(0.5)
    for actual in (expected, tanh_form, (1 / (1 + np.exp(-sums.astype("f8")))).astype(F)):
        assert compare(DENSE, params, x, actual.astype(F), expected)[1] in {"EXACT", "ROUNDING"}
    for actual in (
        f32.hard_sigmoid(sums),
        f32.theano_sigmoid(sums - params["b"]),
        f32.theano_sigmoid(sums * F(1.0001)),
    ):
        assert compare(DENSE, params, x, actual, expected)[1] in BROKEN


def test_grus(rng):
    p, x = f32.gru_params(rng), rng.standard_normal((2, 15, 10)).astype(F)
    expected = f32.gru(x, p)
    clean = f32.gru(x, {k: v.astype("f8") for k, v in p.items()}).astype(F)
    assert compare(GRU, p, x, clean, expected)[1] == "ROUNDING"
    last = f32.layer("GRU", return_sequences=False)
    assert compare(last, p, x, clean[:, -1], expected[:, -1])[1] == "ROUNDING"
    true_sigmoid = {"gate": lambda v: (1 / (1 + np.exp(-v))).astype(F)}
    for fault in (
        {"reset_after": True},
        {"swap": True},
        true_sigmoid,
        {"gate": lambda v: f32.hard_sigmoid(v, 1 / 6)},
    ):
        found, verdict = compare(GRU, p, x, f32.gru(x, p, **fault), expected)
        assert verdict in BROKEN, fault
        steps = found.support.indices[1]
        assert (0 not in steps) == ("reset_after" in fault), (
            "before the second step there is no state to reset"
        )


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda y: np.where(y > 3, F(np.nan), y), "the port's values are NaN"),
        (lambda y: np.where(y > 3, F(np.inf), y), "the port's values are NaN or infinite"),
        (lambda y: y[:1], "shape"),
        (lambda y: y.astype("f8"), "dtype float64 instead of float32"),
        (lambda y: y.reshape(2, 8, -1), "shape"),
    ],
)
@pytest.mark.parametrize("kind", ["ELU", "Dropout", "BatchNormalization"])
def test_what_cannot_be_compared_is_never_green(given, damage, says, kind):
    x, _, norm = given
    layer, params, y = {
        "ELU": (f32.layer("ELU", alpha=1.0), {}, f32.elu(x)),
        "Dropout": (f32.layer("Dropout", p=0.1), {}, x),
        "BatchNormalization": (NORM, norm, f32.norm(x, norm)),
    }[kind]
    found, verdict = compare(layer, params, x, damage(y), y)
    assert verdict == "INCOMPARABLE" and says in found.fault


@pytest.mark.parametrize("spoilt", [np.nan, np.inf])
def test_nan_or_infinity_on_both_sides_is_not_green(given, spoilt):
    x = given[0].copy()
    x[0, 0, 0, 0] = spoilt
    found, verdict = compare(f32.layer("Dropout", p=0.1), {}, x, x.copy(), x)
    assert (
        verdict == "INCOMPARABLE"
        and "1 of the port's" in found.fault
        and "the original's" in found.fault
    )


def test_nothing_at_all_is_not_green():
    empty = np.zeros((0, 3, 2, 2), F)
    assert compare(f32.layer("Dropout", p=0.1), {}, empty, empty, empty)[1] == "INCOMPARABLE"


def test_an_original_that_its_oracle_does_not_explain_is_said_first(given):
    x, _, params = given
    other = f32.norm(x, params, eps=1e-2)
    found, verdict = compare(NORM, params, x, f32.norm(x, params), other)
    assert verdict == "ORACLE-SUSPECT" and found.rho_reference > 1 and found.rho_port <= 1
    unshaped, verdict = compare(POOL, {}, x, x + F(1), x)
    assert verdict == "ORACLE-SUSPECT" and unshaped.rho_reference == float("inf")


def test_measure_takes_a_witness(given):
    x, _, params = given
    found = measure(
        f32.norm(x, params, fused=True), f32.norm(x, params), witness(NORM, params, x, f32.KERAS)
    )
    assert judge(found) == "ROUNDING"


@pytest.mark.parametrize("size", [64, 1000])
@pytest.mark.parametrize("kind", ["Convolution2D", "BatchNormalization", "ELU"])
def test_blocks_and_the_whole_give_the_same_figures(given, monkeypatch, kind, size):
    x, conv, norm = given
    layer, params, actual, expected = {
        "Convolution2D": (CONV, conv, f32.conv(x, conv), f32.conv(x, conv, "blocked")),
        "BatchNormalization": (NORM, norm, f32.norm(x, norm, fused=True), f32.norm(x, norm)),
        "ELU": (f32.layer("ELU", alpha=0.7), {}, f32.elu(x, 0.7, np.expm1), f32.elu(x, 0.7)),
    }[kind]
    whole = compare_layer(layer_case(layer, params, x, f32.KERAS), expected, actual)
    for module in ("numerics.rounding", "kinds.convolution.arithmetic"):
        monkeypatch.setattr(f"parity.{module}.BLOCK", size)
    pieces = compare_layer(layer_case(layer, params, x, f32.KERAS), expected, actual)
    closer, again = whole.closeness, pieces.closeness
    assert [again.bits, *again.interval] == pytest.approx([closer.bits, *closer.interval], rel=1e-5)
    for key, figure in vars(whole.isolated).items():
        if isinstance(figure, float):
            assert getattr(pieces.isolated, key) == pytest.approx(figure, rel=1e-5), (
                key  # the squares are summed in float32
            )
        elif key != "structure":
            assert getattr(pieces.isolated, key) == figure, key


def test_what_probes_proved_is_not_regressed_but_for_the_reader(given):
    x, params, _ = given
    expected = f32.conv(x, params)
    actual = expected.copy()
    actual[:, 3] *= F(1 + 24 * U)  # below every element's bound
    case = layer_case(CONV, params, x, f32.KERAS)
    plain, proved, told = (
        compare_layer(case, expected, actual, evidence=evidence, proved=proved)
        for evidence, proved in ((False, False), (False, True), (True, True))
    )
    assert plain.isolated.structure.gain_channels == [3] and "FORMULA" in judge(plain.isolated)
    assert proved.isolated.structure is None and judge(proved.isolated) == "ROUNDING"
    assert told.isolated.structure is None and told.evidence.channels is not None
