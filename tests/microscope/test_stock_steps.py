"""The stock steps do what Chainer does, and no more is changed than the step."""

from functools import partial

import numpy as np
import pytest

from parity.fixtures import seeded
from parity.port import proof, stock


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return {
        model: seeded.weights(model, tmp_path_factory.mktemp(model))
        for model in ("CRNN", "CNN", "CNN0")
    }


def both(weights, model, drift, layer, keras=None):
    """(the port's step, the stock one, the port's link's arrays)."""
    from parity.port.weights import load

    return (
        partial(proof.steps(model, weights[model], keras).run, layer),
        stock.replacements(model, weights[model], keras)[drift][layer],
        load(model, weights[model], keras)[layer],
    )


def test_every_layer_of_a_kind_has_its_stock_step(weights):
    found = {model: stock.replacements(model, weights[model]) for model in ("CRNN", "CNN0")}
    assert [list(steps) for steps in found["CRNN"].values()] == [
        ["conv1", "conv2", "conv3", "conv4"],
        *[["bn_0_freq", "bn1", "bn2", "bn3", "bn4"]] * 2,
        *[["gru1", "gru2"]] * 2,
    ]
    assert not found["CNN0"]["Chainer's GRU"]


def test_the_unflipped_kernel_is_the_ports_on_an_input_turned_round(weights):
    ours, theirs, _ = both(weights, "CNN", "unflipped kernel", "conv1")
    x = np.random.default_rng(1).standard_normal((2, 1, 9, 11)).astype(np.float32)
    turned = ours(np.ascontiguousarray(x[..., ::-1, ::-1]))[..., ::-1, ::-1]
    np.testing.assert_allclose(theirs(x), turned, rtol=1e-5, atol=1e-5)
    assert not np.allclose(theirs(x), ours(x), atol=1e-2)


def test_chainers_normalization_takes_the_stored_deviation_for_a_variance(weights):
    x = np.random.default_rng(2).standard_normal((2, 32, 4, 5)).astype(np.float32)
    for drift, power in (("Chainer's BatchNormalization", 1), ("published BatchNormalization", 2)):
        _, theirs, link = both(weights, "CNN", drift, "bn1")
        mean, spread, gamma, beta = (
            a[:, None, None].astype(float)
            for a in (link.running_mean, link.running_std, link.gamma.array, link.beta.array)
        )
        expected = (x - mean) / np.sqrt(spread**power + 2e-5) * gamma + beta
        np.testing.assert_allclose(theirs(x), expected, rtol=1e-4, atol=1e-4, err_msg=drift)


def test_keras_110_holds_a_variance_and_then_the_published_form_squares_nothing(weights):
    x = np.random.default_rng(2).standard_normal((2, 64, 4, 5)).astype(np.float32)
    both_forms = [
        both(weights, "CRNN", drift, "bn1")[1](x)
        for drift in ("Chainer's BatchNormalization", "published BatchNormalization")
    ]
    assert np.array_equal(*both_forms)


def test_mode_2_is_lost_in_chainers_test_phase_and_kept_by_its_batch_statistics(weights):
    x = (np.random.default_rng(2).standard_normal((2, 32, 4, 5)) * 3 + 1).astype(np.float32)
    ours, test_phase, link = both(weights, "CNN0", "Chainer's BatchNormalization", "bn1")
    stored = [link.running_mean.copy(), link.running_std.copy()]
    batch = both(weights, "CNN0", "published BatchNormalization", "bn1")[1]
    np.testing.assert_allclose(batch(x), ours(x), rtol=1e-5, atol=1e-4)
    assert not np.allclose(test_phase(x), ours(x), atol=0.1)
    assert all(
        np.array_equal(*pair)
        for pair in zip(stored, [link.running_mean, link.running_std], strict=True)
    )


def test_chainers_gru_has_a_true_sigmoid_and_z_the_other_way_round(weights):
    x = np.random.default_rng(3).standard_normal((2, 4, 128)).astype(np.float32)
    _, theirs, link = both(weights, "CRNN", "Chainer's GRU", "gru1")
    _, negated, _ = both(weights, "CRNN", "Chainer's GRU, z negated", "gru1")
    (W_z, W_r, W_h), (U_z, U_r, U_h), (b_z, b_r, b_h) = (
        np.split(p.array.astype(float), 3) for p in (link.W, link.U, link.b)
    )

    def expected(z_is_kept):
        h, states = np.zeros((2, 32)), []
        for now in x.swapaxes(0, 1).astype(float):
            z, r = (
                1 / (1 + np.exp(-(now @ W.T + h @ U.T + b)))
                for W, U, b in ((W_z, U_z, b_z), (W_r, U_r, b_r))
            )
            c = np.tanh(now @ W_h.T + (r * h) @ U_h.T + b_h)
            h = z * h + (1 - z) * c if z_is_kept else (1 - z) * h + z * c
            states.append(h)
        return np.stack(states, axis=1)

    np.testing.assert_allclose(theirs(x), expected(False), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(negated(x), expected(True), rtol=1e-5, atol=1e-5)
    assert both(weights, "CRNN", "Chainer's GRU", "gru2")[1](x[..., :32]).shape == (2, 32)


def test_chainers_batch_statistics_lose_digits_over_its_convolutions_memory_order(weights):
    x = (np.random.default_rng(4).standard_normal((2, 32, 48, 341)) + 3).astype(np.float32)
    ours, theirs, link = both(weights, "CNN0", "published BatchNormalization", "bn1")
    mean, variance = (
        getattr(x, moment)(axis=(0, 2, 3), dtype=np.float64)[:, None, None]
        for moment in ("mean", "var")
    )
    gamma, beta = (
        parameter.array[:, None, None].astype(float) for parameter in (link.gamma, link.beta)
    )
    errors = [
        np.sqrt(np.mean(np.square(step(x) - ((x - mean) / np.sqrt(variance + eps) * gamma + beta))))
        for step, eps in ((ours, 2e-6), (theirs, 2e-5))
    ]
    assert errors[1] > 10 * errors[0]
