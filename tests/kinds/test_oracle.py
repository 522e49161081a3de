"""The float64 witness computes Keras's formulas and refuses to guess."""

import math

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.kinds import layer_case, value, witness
from parity.kinds.dense import sums
from tests.numerics import float32_layers as f32


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def brute_conv(x, kernels, bias, pad, stride, image):
    """A flipped-kernel convolution, one exactly summed output after the other."""
    padded = np.pad(x.astype(float), ((0, 0), (0, 0), (pad[0],) * 2, (pad[1],) * 2))
    out, size = np.empty((len(x), len(kernels), *image)), kernels.shape[2:]
    for b, k, i, j in np.ndindex(out.shape):
        window = padded[
            b, :, i * stride[0] : i * stride[0] + size[0], j * stride[1] : j * stride[1] + size[1]
        ]
        terms = kernels[k, :, ::-1, ::-1].astype(float) * window
        out[b, k, i, j] = math.fsum([*terms.ravel(), float(bias[k])])
    return out


@pytest.mark.parametrize(
    ("size", "mode", "stride", "pad", "image"),
    [
        ((3, 3), "same", (1, 1), (1, 1), (5, 7)),
        ((3, 3), "valid", (1, 1), (0, 0), (3, 5)),
        ((3, 5), "same", (2, 2), (1, 2), (3, 4)),
        ((2, 4), "same", (1, 1), (1, 2), (5, 7)),
        ((3, 3), "valid", (2, 3), (0, 0), (2, 2)),
        ((1, 1), "same", (1, 1), (0, 0), (5, 7)),
    ],
)
def test_convolution_agrees_with_exact_sums(rng, size, mode, stride, pad, image):
    params, x = f32.conv_params(rng, 3, 2, size), rng.standard_normal((2, 2, 5, 7)).astype("f4")
    layer = f32.layer(
        "Convolution2D", **f32.CONV | {"border_mode": mode, "subsample": list(stride)}
    )
    exact = brute_conv(x, params["W"], params["b"], pad, stride, image)
    assert np.abs(value(layer, params, x, f32.KERAS) - exact).max() <= 1e-14 * np.abs(exact).max()
    judge = witness(layer, params, x, f32.KERAS)
    assert judge.shape == exact.shape
    for where in judge.blocks():
        assert (
            np.abs(judge.value(where) - exact.reshape(judge.view)[where]).max()
            <= 1e-14 * np.abs(exact).max()
        )


def test_convolution_in_pieces_of_rows_is_the_same(rng, monkeypatch):
    params, x = f32.conv_params(rng), rng.standard_normal((2, 8, 9, 31)).astype("f4")
    layer = f32.layer("Convolution2D", **f32.CONV)
    whole = value(layer, params, x, f32.KERAS)
    monkeypatch.setattr("parity.kinds.convolution.arithmetic.BLOCK", 50)
    assert np.array_equal(value(layer, params, x, f32.KERAS).round(12), whole.round(12))


STD, ROOT, SUM = (lambda s, e: s + e), (lambda s, e: np.sqrt(s) + e), (lambda s, e: np.sqrt(s + e))


@pytest.mark.parametrize(
    ("keras", "stored", "batch"),
    [
        ("1.0.4", STD, lambda v, e: np.sqrt(v + e) + e),
        ("1.0.5", STD, lambda v, e: np.sqrt(v + e) + e),
        ("1.0.6", STD, lambda v, e: np.sqrt(v + e) + e),
        ("1.0.7", ROOT, ROOT),
        ("1.0.8", SUM, SUM),
        ("1.1.0", SUM, SUM),
        ("1.1.2", SUM, SUM),
        ("1.2.2", SUM, SUM),
    ],
)
@pytest.mark.parametrize("axis", [1, 3, -1])
def test_batch_normalization_speaks_each_dialect(rng, keras, stored, batch, axis):
    x = rng.standard_normal((2, 4, 3, 4)).astype("f4") * 3 + 1
    p, eps, others = f32.norm_params(rng, 4), 0.01, tuple({0, 1, 2, 3} - {axis % 4})
    wide = {
        k: v.astype(float).reshape([4 if a == axis % 4 else 1 for a in range(4)])
        for k, v in p.items()
    }
    mean, variance = (
        getattr(x.astype(float), moment)(others, keepdims=True) for moment in ("mean", "var")
    )
    formulas = {
        0: (wide["running_mean"], stored(wide["running_std"], eps)),
        2: (mean, batch(variance, eps)),
    }
    for mode, (middle, spread) in formulas.items():
        layer = f32.layer("BatchNormalization", epsilon=eps, mode=mode, axis=axis, momentum=0.9)
        expected = (x - middle) * wide["gamma"] / spread + wide["beta"]
        assert np.abs(value(layer, p, x, keras) - expected).max() < 1e-13


@pytest.mark.parametrize("keras", ["1.0.3", "1.2.3", "2.0.0", "latest", ""])
def test_an_unknown_keras_is_refused(rng, keras):
    layer = f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1)
    with pytest.raises(CannotRun, match="Keras"):
        value(layer, f32.norm_params(rng, 4), np.zeros((1, 4, 2, 2), "f4"), keras)


def test_elu_pooling_and_sigmoid_by_hand():
    x = np.array([[-1.0, 0.0, 2.0, -50.0]])
    np.testing.assert_allclose(
        value(f32.layer("ELU", alpha=0.5), {}, x, "1.0.6"),
        [[0.5 * math.expm1(-1), 0, 2, -0.5]],
        rtol=1e-15,
    )
    image = np.arange(30.0).reshape(1, 1, 5, 6)
    pool = f32.layer(
        "MaxPooling2D", pool_size=[2, 4], strides=[2, 4], border_mode="valid", dim_ordering="th"
    )
    assert np.array_equal(value(pool, {}, image, "1.0.6"), [[[[9], [21]]]])
    overlapping = f32.layer(
        "MaxPooling2D", pool_size=[3, 3], strides=[1, 2], border_mode="valid", dim_ordering="th"
    )
    assert np.array_equal(
        value(overlapping, {}, image, "1.0.6"), [[[[14, 16], [20, 22], [26, 28]]]]
    )
    dense = f32.layer("Dense", activation="sigmoid", bias=False)
    y = value(dense, {"W": np.eye(4)}, np.array([[0.0, 19.5, 18.5, -800.0]]), "1.0.6")
    assert y[0, 0] == 0.5 and y[0, 1] == 1 and y[0, 2] < 1 and y[0, 3] == 0
    case = layer_case(dense, {"W": np.eye(4)}, x.astype("f4"), "1.0.6")
    assert np.array_equal(sums(case).out.ravel(), x.ravel())


def test_moving_kinds():
    x = np.arange(24.0, dtype="f4").reshape(2, 3, 2, 2)
    assert np.array_equal(
        value(f32.layer("Permute", dims=[3, 1, 2]), {}, x, "1.1.0"), x.transpose(0, 3, 1, 2)
    )
    assert np.array_equal(
        value(f32.layer("Reshape", target_shape=[-1, 4]), {}, x, "1.1.0"), x.reshape(2, 3, 4)
    )
    assert np.array_equal(value(f32.layer("Flatten"), {}, x, "1.1.0"), x.reshape(2, 12))
    assert np.array_equal(value(f32.layer("Dropout", p=0.5), {}, x, "1.1.0"), x)
    padded = value(f32.layer("ZeroPadding2D", padding=[0, 3]), {}, x, "1.1.0")
    assert (
        padded.shape == (2, 3, 2, 8)
        and np.array_equal(padded[..., 3:5], x)
        and padded.sum() == x.sum()
    )


def test_gru_backwards_and_last_state(rng):
    p, x = f32.gru_params(rng), rng.standard_normal((2, 5, 10)).astype("f4")
    config = {
        "return_sequences": True,
        "go_backwards": False,
        "activation": "tanh",
        "inner_activation": "hard_sigmoid",
    }
    states = value(f32.layer("GRU", **config), p, x, "1.1.0")
    np.testing.assert_allclose(states, f32.gru(x, p), rtol=1e-5, atol=1e-6)
    assert np.array_equal(
        value(f32.layer("GRU", **config | {"return_sequences": False}), p, x, "1.1.0"),
        states[:, -1],
    )
    back = value(f32.layer("GRU", **config | {"go_backwards": True}), p, x, "1.1.0")
    assert np.array_equal(back, value(f32.layer("GRU", **config), p, x[:, ::-1], "1.1.0"))


@pytest.mark.parametrize(
    ("kind", "setting", "given"),
    [
        ("Convolution2D", "activation", "selu"),
        ("Convolution2D", "dim_ordering", "nchw"),
        ("Convolution2D", "border_mode", "half"),
        ("Convolution2D", "atrous_rate", [2, 2]),
        ("BatchNormalization", "mode", 3),
        ("MaxPooling2D", "border_mode", "full"),
        ("Dense", "activation", "selu"),
        ("GRU", "inner_activation", "softmax"),
        ("ELU", "beta", 1),
    ],
)
def test_a_setting_it_does_not_compute_stops_the_run(kind, setting, given):
    with pytest.raises(CannotRun, match=rf"layer it \({kind}\).*{setting}="):
        value(f32.layer(kind, **{setting: given}), {}, np.zeros((1, 1, 4, 4), "f4"), "1.1.0")
    with pytest.raises(CannotRun, match=setting):
        witness(f32.layer(kind, **{setting: given}), {}, np.zeros((1, 1, 4, 4), "f4"), "1.1.0")


def test_an_unknown_kind_and_unfitting_parameters_stop_the_run(rng):
    x = np.zeros((1, 5, 4, 4), "f4")
    with pytest.raises(CannotRun, match="no formula for Highway"):
        value(f32.layer("Highway"), {}, x, "1.1.0")
    with pytest.raises(CannotRun, match="hold no it_W"):
        value(f32.layer("Convolution2D", **f32.CONV), {}, x, "1.1.0")
    with pytest.raises(CannotRun, match="do not fit an input of shape"):
        witness(f32.layer("Convolution2D", **f32.CONV), f32.conv_params(rng), x, "1.1.0")
    with pytest.raises(CannotRun, match="gamma of shape"):
        witness(
            f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1),
            f32.norm_params(rng, 4),
            x,
            "1.1.0",
        )
    with pytest.raises(CannotRun, match="do not fit"):
        value(f32.layer("Reshape", target_shape=[7]), {}, x, "1.1.0")
