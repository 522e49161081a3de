"""ELU, sigmoid, pooling, convolution and the layers without parameters, each against an
independent formula.
"""

import chainer
import numpy as np
import pytest
from chainer import functions as F
from numerical_gradients import assert_gradients
from scipy.signal import convolve2d

from parity.port.links.convolution_2d import Convolution2D, same_convolution_2d
from parity.port.links.dense import sigmoid
from parity.port.links.elu import elu
from parity.port.links.max_pooling_2d import max_pooling_2d
from parity.port.links.shapes import flatten, permute, reshape, zero_padding_2d


def test_elu_returns_positive_values_bit_for_bit(rng):
    x = np.abs(rng.normal(0, 10.0 ** rng.integers(-30, 30, 100000))).astype(np.float32)
    for keras in ("1.0.6", "1.2.2"):
        assert elu(x, keras=keras).array.tobytes() == x.tobytes()


def test_elu_up_to_1_1_0_subtracts_one_from_exp(rng):
    x = -np.abs(rng.normal(0, 1, 1000)).astype(np.float32)
    for keras in ("1.0.6", "1.1.0"):
        np.testing.assert_array_equal(elu(x, keras=keras).array, np.exp(x) - np.float32(1))


def test_elu_from_1_1_1_is_expm1():
    x = np.array([-1e-9, -1e-3, -1.0, -100.0], np.float32)
    np.testing.assert_allclose(
        elu(x, keras="1.1.1").array, np.expm1(x.astype(np.float64)), rtol=5e-7
    )
    assert elu(x, keras="1.1.0").array[0] == 0, (
        "exp(x) - 1 loses a small x; the two forms must stay apart"
    )


def test_elu_scales_the_negative_side():
    np.testing.assert_allclose(
        elu(np.array([-1.0, 2.0]), keras="1.0.6", alpha=0.5).array, [0.5 * np.expm1(-1), 2]
    )


@pytest.mark.parametrize("shape", [(), (1,), (2, 3, 5, 7), (3, 100001)])
def test_elu_of_any_shape_and_memory_order(rng, shape):
    x = rng.normal(0, 1, shape).astype(np.float32)
    expected = np.where(x > 0, x, np.exp(x) - np.float32(1))
    for given in (x, np.asfortranarray(x)):
        np.testing.assert_allclose(elu(given, keras="1.0.6").array, expected, rtol=1e-6, atol=1e-7)


def test_elu_keeps_nan_and_goes_to_minus_one():
    y = elu(np.array([np.nan, -np.inf, np.inf], np.float32), keras="1.0.6").array
    assert np.isnan(y[0]) and y[1] == -1 and y[2] == np.inf


def test_sigmoid_is_accurate_relative_to_its_value():
    x = np.linspace(-87, 30, 20001).astype(np.float32)
    exact = 1 / (1 + np.exp(-x.astype(np.float64)))
    relative = np.abs(sigmoid(x).array - exact) / exact
    assert relative.max() < 8 * 2.0**-24
    assert np.abs(F.sigmoid(x).array - exact).max() / exact.min() > 1, (
        "Chainer's own would do, and this form be needless"
    )


def test_sigmoid_far_out_is_0_and_1_without_warnings():
    with np.errstate(all="raise", under="ignore"):
        np.testing.assert_array_equal(sigmoid(np.array([-200, 200], np.float32)).array, [0, 1])


@pytest.mark.parametrize(
    "function",
    [
        lambda x: elu(x, keras="1.0.6"),
        lambda x: elu(x, keras="1.2.2", alpha=0.7),
        sigmoid,
        lambda x: max_pooling_2d(x, pool_size=(2, 3)),
        lambda x: zero_padding_2d(x, padding=(0, 2)),
    ],
    ids=["elu", "elu expm1", "sigmoid", "pooling", "padding"],
)
def test_gradients(rng, function):
    assert_gradients(function, rng.normal(0, 1, (2, 3, 5, 7)))


def test_gradients_of_the_convolution(rng):
    assert_gradients(
        same_convolution_2d,
        *(rng.normal(0, 1, shape) for shape in [(2, 3, 5, 7), (4, 3, 3, 3), (4,)]),
    )


@pytest.mark.parametrize("pool_size", [(2, 2), (2, 4), (3, 5), (4, 4)])
@pytest.mark.parametrize("bands, frames", [(12, 21), (4, 5), (13, 20)])
def test_pooling_drops_the_remainder(rng, pool_size, bands, frames):
    x = rng.normal(0, 1, (2, 3, bands, frames)).astype(np.float32)
    (height, width), rows, columns = pool_size, bands // pool_size[0], frames // pool_size[1]
    windows = x[:, :, : rows * height, : columns * width].reshape(
        2, 3, rows, height, columns, width
    )
    np.testing.assert_array_equal(
        max_pooling_2d(x, pool_size=pool_size).array, windows.max(axis=(3, 5))
    )


def test_pooling_matches_stock_chainer_forward_and_backward(rng):
    x = rng.normal(0, 1, (2, 3, 12, 21)).astype(np.float32)
    gradients = []
    for pool in (
        lambda v: max_pooling_2d(v, pool_size=(3, 5)),
        lambda v: F.max_pooling_2d(v, (3, 5), cover_all=False),
    ):
        variable = chainer.Variable(x)
        y = pool(variable)
        F.sum(y * y).backward()
        gradients.append((y.array, variable.grad))
    np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
    np.testing.assert_array_equal(gradients[0][1], gradients[1][1])


@pytest.mark.parametrize("bands, frames", [(5, 7), (1, 4), (1, 1)])
def test_convolution_with_a_flipped_kernel_is_theanos(rng, bands, frames):
    link = Convolution2D(3, 4)
    keras_W, x = rng.normal(0, 1, (4, 3, 3, 3)), rng.normal(0, 1, (2, 3, bands, frames))
    link.W.array, link.b.array = (
        np.ascontiguousarray(keras_W[:, :, ::-1, ::-1]),
        rng.normal(0, 1, 4),
    )
    convolved = [
        [sum(convolve2d(clip[c], keras_W[o, c], mode="same") for c in range(3)) for o in range(4)]
        for clip in x
    ]
    expected = np.array(convolved) + link.b.array[:, None, None]
    np.testing.assert_allclose(link(x).array, expected, rtol=1e-11, atol=1e-12)
    assert link(x).array.flags.c_contiguous


def test_layers_without_parameters(rng):
    x = rng.normal(0, 1, (2, 3, 4, 5)).astype(np.float32)
    padded = zero_padding_2d(x, padding=(1, 2)).array
    assert padded.shape == (2, 3, 6, 9) and padded.sum(dtype=np.float64) == x.sum(dtype=np.float64)
    np.testing.assert_array_equal(padded[:, :, 1:-1, 2:-2], x)
    np.testing.assert_array_equal(permute(x, dims=(3, 1, 2)).array, np.moveaxis(x, 3, 1))
    np.testing.assert_array_equal(reshape(x, target_shape=(12, 5)).array, x.reshape(2, 12, 5))
    np.testing.assert_array_equal(flatten(x).array, x.reshape(2, 60))
