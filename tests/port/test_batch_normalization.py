"""Batch normalisation against each release's formula, written out in float64 from Keras's
sources.
"""

import chainer
import chainer.functions as F
import numpy as np
import pytest
from chainer import serializers
from numerical_gradients import assert_gradients

from parity.port.links.batch_normalization import BatchNormalization, moments

# release -> (eps, momentum, divisor of the test phase, divisor from a batch, what running_std
# follows)
FORMULAS = {
    "1.0.4": (
        1e-6,
        0.9,
        lambda s, e: s + e,
        lambda v, e: np.sqrt(v + e) + e,
        lambda v, e: np.sqrt(v + e),
    ),
    "1.0.5": (
        1e-6,
        0.9,
        lambda s, e: s + e,
        lambda v, e: np.sqrt(v + e) + e,
        lambda v, e: np.sqrt(v + e),
    ),
    "1.0.6": (
        1e-6,
        0.9,
        lambda s, e: s + e,
        lambda v, e: np.sqrt(v + e) + e,
        lambda v, e: np.sqrt(v + e),
    ),
    "1.0.7": (1e-6, 0.99, lambda s, e: np.sqrt(s) + e, lambda v, e: np.sqrt(v) + e, lambda v, e: v),
    "1.0.8": (1e-5, 0.99, lambda s, e: np.sqrt(s + e), lambda v, e: np.sqrt(v + e), lambda v, e: v),
    "1.1.0": (1e-5, 0.99, lambda s, e: np.sqrt(s + e), lambda v, e: np.sqrt(v + e), lambda v, e: v),
    "1.1.2": (1e-5, 0.99, lambda s, e: np.sqrt(s + e), lambda v, e: np.sqrt(v + e), lambda v, e: v),
    "1.2.0": (
        1e-3,
        0.99,
        lambda s, e: np.sqrt(s + e),
        lambda v, e: np.sqrt(v + e),
        lambda v, e: v + e,
    ),
    "1.2.2": (
        1e-3,
        0.99,
        lambda s, e: np.sqrt(s + e),
        lambda v, e: np.sqrt(v + e),
        lambda v, e: v + e,
    ),
}
SHAPE = (3, 4, 5, 6)
every_release = pytest.mark.parametrize("keras", FORMULAS)
both_axes = pytest.mark.parametrize("axis", [1, 3, -1])
TINY = 1e-6  # standard deviation of the data: small enough for eps, and where it goes, to show


def a_link(keras, axis, mode, rng):
    # float64, with running statistics as small as eps
    link = BatchNormalization(SHAPE[axis], axis=axis, mode=mode, keras=keras)
    for name in ("gamma", "beta"):
        getattr(link, name).array = rng.normal(0, 1, SHAPE[axis])
    link.running_mean, link.running_std = (
        rng.normal(0, TINY, SHAPE[axis]),
        rng.uniform(TINY, 3 * TINY, SHAPE[axis]),
    )
    return link


def spread(vector, axis):
    shape = [1] * len(SHAPE)
    shape[axis] = -1
    return np.reshape(vector, shape)


def expected_from(link, x, mean, divisor):
    centred = x - spread(mean, link.axis)
    return centred / spread(divisor, link.axis) * spread(link.gamma.array, link.axis) + spread(
        link.beta.array, link.axis
    )


def batch_moments(x, axis):
    others = tuple(other for other in range(x.ndim) if other != axis % x.ndim)
    return x.mean(axis=others), x.var(axis=others)


@every_release
@both_axes
def test_mode_0_in_the_test_phase(rng, keras, axis):
    link, x = a_link(keras, axis, 0, rng), rng.normal(0, TINY, SHAPE)
    eps, _, test_divisor, _, _ = FORMULAS[keras]
    expected = expected_from(link, x, link.running_mean, test_divisor(link.running_std, eps))
    with chainer.using_config("train", False):
        np.testing.assert_allclose(link(x).array, expected, rtol=1e-12, atol=1e-14)


@every_release
@both_axes
@pytest.mark.parametrize("train, mode", [(True, 0), (True, 2), (False, 2)])
def test_batch_statistics(rng, keras, axis, train, mode):
    link, x = a_link(keras, axis, mode, rng), rng.normal(0.5 * TINY, TINY, SHAPE)
    eps, _, _, batch_divisor, _ = FORMULAS[keras]
    mean, var = batch_moments(x, axis)
    with chainer.using_config("train", train):
        np.testing.assert_allclose(
            link(x).array,
            expected_from(link, x, mean, batch_divisor(var, eps)),
            rtol=1e-9,
            atol=1e-12,
        )


@every_release
def test_running_statistics_follow_twenty_batches(rng, keras):
    link = BatchNormalization(4, axis=1, keras=keras)
    eps, momentum, _, _, follows = FORMULAS[keras]
    running_mean, running_std = np.zeros(4), np.ones(4)
    with chainer.using_config("train", True):
        for _ in range(20):
            x = rng.normal(3, 0.01, SHAPE)
            mean, var = batch_moments(x, 1)
            running_mean = momentum * running_mean + (1 - momentum) * mean
            running_std = momentum * running_std + (1 - momentum) * follows(var, eps)
            link(x.astype(np.float32))
    np.testing.assert_allclose(link.running_mean, running_mean, rtol=3e-6)
    np.testing.assert_allclose(link.running_std, running_std, rtol=3e-6)
    assert link.running_mean.dtype == link.running_std.dtype == np.float32


@pytest.mark.parametrize("train", [True, False])
def test_mode_2_moves_nothing(rng, train):
    link = BatchNormalization(4, mode=2)
    with chainer.using_config("train", train):
        link(rng.normal(3, 1, SHAPE).astype(np.float32))
    np.testing.assert_array_equal(link.running_mean, np.zeros(4))
    np.testing.assert_array_equal(link.running_std, np.ones(4))


@pytest.mark.parametrize("mode", [0, 2])
def test_the_test_phase_writes_into_nothing(rng, mode):
    link, x = BatchNormalization(4, mode=mode), rng.normal(3, 1, SHAPE).astype(np.float32)
    given = [x, link.gamma.array, link.beta.array, link.running_mean, link.running_std]
    before = [array.tobytes() for array in given]
    with chainer.using_config("train", False):
        link(x)
        link(chainer.Variable(x))
    assert [array.tobytes() for array in given] == before


def test_the_train_phase_leaves_arrays_it_was_given_alone(rng):
    link, given = BatchNormalization(4), np.full(4, 0.25, np.float32)
    link.running_mean = given
    link(rng.normal(3, 1, SHAPE).astype(np.float32))
    np.testing.assert_array_equal(given, 0.25)
    assert (link.running_mean != given).all()


@pytest.mark.parametrize("mean_over_std", [0, 100])
def test_statistics_of_a_large_batch_are_rounded_once(rng, mean_over_std):
    # A naive float32 sum over so many values is thousands of roundings off, and the square of the
    # ratio more.
    x = rng.normal(mean_over_std, 1, (2, 2, 96, 1366)).astype(np.float32)
    for actual, exact in zip(moments(x, 1), batch_moments(x.astype(np.float64), 1), strict=True):
        np.testing.assert_array_equal(actual.array, exact.astype(np.float32))


@pytest.mark.parametrize("keras", ["1.0.5", "1.0.6", "1.0.7", "1.0.8", "1.2.2"])
@pytest.mark.parametrize(
    "train, mode, axis", [(True, 0, 1), (True, 0, 3), (False, 0, 1), (False, 2, 1)]
)
def test_gradients(rng, keras, train, mode, axis):
    link = a_link(keras, axis, mode, rng)
    link.running_std = np.ones_like(link.running_std)
    with chainer.using_config("train", train):
        assert_gradients(link, rng.normal(0.3, 1, SHAPE), parameters=[link.gamma, link.beta])


def test_double_backward(rng):
    link = a_link("1.0.6", 1, 0, rng)

    def gradient(x):
        y = link(x)
        return chainer.grad([F.sum(y * y * y)], [x], enable_double_backprop=True)[0]

    assert_gradients(gradient, rng.normal(0.3, 1, SHAPE), rtol=1e-5)


def test_serialises_the_running_statistics(rng, tmp_path):
    written, read = BatchNormalization(4), BatchNormalization(4)
    written(rng.normal(3, 1, SHAPE).astype(np.float32))
    serializers.save_npz(tmp_path / "bn.npz", written)
    serializers.load_npz(tmp_path / "bn.npz", read)
    np.testing.assert_array_equal(read.running_mean, written.running_mean)
    np.testing.assert_array_equal(read.running_std, written.running_std)
    assert written.running_mean.any()


@pytest.mark.parametrize(
    "keras, stored",
    [("1.0.6", "std"), ("1.0.7", "variance"), ("1.1.0", "variance"), ("1.2.2", "variance")],
)
def test_the_link_says_what_running_std_holds(keras, stored):
    assert BatchNormalization(4, keras=keras).dialect.stored == stored


@pytest.mark.parametrize("keras", ["1.0.3", "1.2.3", "2.0.0"])
def test_an_unknown_release_is_refused(keras):
    with pytest.raises(ValueError, match=r"not known here; give a release from 1\.0\.4 to 1\.2\.2"):
        BatchNormalization(4, keras=keras)


@pytest.mark.parametrize("keras", ["new", "1.0.x", None])
def test_what_is_no_release_is_refused(keras):
    with pytest.raises(ValueError, match="is no release"):
        BatchNormalization(4, keras=keras)


def test_mode_1_is_refused():
    with pytest.raises(ValueError, match="mode 1 is not ported"):
        BatchNormalization(4, mode=1)
