"""The bounds are the formulas they are said to be: neither narrower nor, which no clean run would
show, wider.
"""

import numpy as np
import pytest

from parity.compare.measure import measure
from parity.kinds import layer_case, value, witness
from parity.kinds.dense import sums
from tests.numerics import float32_layers as f32

F, U = np.float32, 2.0**-24


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def whole(judge, part="bound2"):
    """bound2 or sigma2 of every element, in the output's shape."""
    out = np.empty(judge.view)
    for where in judge.blocks():
        out[where] = getattr(judge.block(where), part)
    return out.reshape(judge.shape)


def lam(elements):
    return np.sqrt(2 * np.log(2e6 * elements))


def test_convolution(rng):
    params, x = f32.conv_params(rng), rng.standard_normal((2, 8, 6, 9)).astype(F)
    judge = witness(f32.layer("Convolution2D", **f32.CONV), params, x, f32.KERAS)
    exact = {k: v.astype("f8") for k, v in params.items()}
    sums, squared = (
        f32.conv(x.astype("f8"), exact),
        f32.conv(np.square(x, dtype="f8"), {k: v**2 for k, v in exact.items()}),
    )
    n = 8 * 9 + 1
    variance = n * sums**2 / 3 + n * squared / 6 + squared + sums**2
    assert np.sqrt(whole(judge)) == pytest.approx(lam(sums.size) * U * np.sqrt(variance), rel=1e-5)
    assert judge.sigma_share == pytest.approx(0.425 / lam(sums.size))
    magnitudes = f32.conv(np.abs(x).astype("f8"), {k: np.abs(v) for k, v in exact.items()}).reshape(
        judge.view
    )
    for where in judge.blocks():
        block = judge.block(where)
        certain, operands = judge.certain(block)
        assert np.sqrt(certain) == pytest.approx(n * U * magnitudes[where], rel=1e-5)
        assert (np.sqrt(certain) >= n * U * magnitudes[where]).all(), (
            "what is certain may be more, never less"
        )
        assert operands == pytest.approx(
            2 * 0.425**2 * squared.reshape(judge.view)[where], rel=1e-5
        )
        assert (block.bound2 <= certain * judge.certain_share**2 * (1 + 1e-9)).all()


def test_normalisation(rng):
    p, x = f32.norm_params(rng, 8), rng.standard_normal((2, 8, 6, 9)).astype(F)
    judge = witness(f32.layer("BatchNormalization", epsilon=1e-5, mode=0, axis=1), p, x, f32.KERAS)
    g, b, m, v = (
        p[k].astype("f8")[:, None, None] for k in ("gamma", "beta", "running_mean", "running_std")
    )
    s = np.abs(g / np.sqrt(v + 1e-5))
    y = (x - m) * g / np.sqrt(v + 1e-5) + b
    assert np.sqrt(whole(judge)) == pytest.approx(
        U * (4 * s * (np.abs(x) + np.abs(m)) + 2 * np.abs(b) + np.abs(y)), rel=1e-6
    )
    sigma2 = (0.425 * U) ** 2 * (
        5 * (s * (x - m)) ** 2 + (s * x) ** 2 + 3 * (s * m) ** 2 + 2 * b**2 + y**2
    )
    # y - beta stands for s(x - mu); y holds t = beta - s mu
    assert whole(judge, "sigma2") == pytest.approx(sigma2, rel=1e-6)


def test_batch_statistics_widen_it_by_what_float32_sums_may_do(rng):
    p, x = f32.norm_params(rng, 8), (rng.standard_normal((2, 8, 60, 90)) + 2).astype(F)
    p |= {"running_mean": x.mean((0, 2, 3)), "running_std": x.var((0, 2, 3))}
    judge, plain = (
        witness(f32.layer("BatchNormalization", epsilon=1e-6, mode=mode, axis=1), p, x, f32.KERAS)
        for mode in (2, 0)
    )
    count, scale = x[:, 0].size, np.abs(judge.scale[:, 0])
    reduced, mean, variance = (
        lam(x.size) * np.sqrt(2 * np.sqrt(count)),
        x.mean((0, 2, 3)),
        x.var((0, 2, 3)),
    )
    of_mean = U * (reduced * np.abs(x).mean((0, 2, 3)) + np.abs(mean))
    of_spread = (U * variance * (reduced + 3) + of_mean**2) / (2 * (variance + 1e-6))
    y = value(f32.layer("BatchNormalization", epsilon=1e-6, mode=2, axis=1), p, x, f32.KERAS)
    wide = lambda a: a[:, None, None]  # noqa: E731
    added = wide(scale * of_mean) + wide(of_spread) * (np.abs(y) + np.abs(wide(p["beta"])))
    assert np.sqrt(whole(judge)) == pytest.approx(np.sqrt(whole(plain)) + added, rel=1e-4)


def test_elu(rng):
    x = rng.standard_normal((1, 3, 8, 8)).astype(F) * 4
    judge = witness(f32.layer("ELU", alpha=0.5), {}, x, f32.KERAS)
    bound = 0.5 * U * (6 * np.exp(x.astype("f8")) - 8 * np.expm1(x.astype("f8")))
    assert np.sqrt(whole(judge))[x <= 0] == pytest.approx(bound[x <= 0], rel=1e-9)
    assert (whole(judge)[x > 0] < 2.0**-900).all()


def test_dense_and_its_logits(rng):
    p, x = f32.dense_params(rng), rng.standard_normal((4, 64)).astype(F)
    dense = f32.layer("Dense", activation="sigmoid")
    before = sums(layer_case(dense, p, x, f32.KERAS))
    s, n = before.out.reshape(4, 10), 65
    squared = np.square(x, dtype="f8") @ np.square(p["W"], dtype="f8") + np.square(
        p["b"], dtype="f8"
    )
    bound = lam(40) * U * np.sqrt(n * s**2 / 3 + n * squared / 6 + squared + s**2)
    assert np.sqrt(whole(before)) == pytest.approx(bound)
    y = 1 / (1 + np.exp(-s))
    own = U * np.maximum(y * (2 + 6 * (1 - y)), 2 * np.abs(2 * y - 1) + y)
    assert np.sqrt(whole(witness(dense, p, x, f32.KERAS))) == pytest.approx(
        y * (1 - y) * bound + own, rel=1e-4
    )


def test_gru_errors_lie_within_the_bound_and_are_not_lost_in_it(rng):
    shares = {True: [], False: []}  # all states, the last one
    for _ in range(20):
        p, x = f32.gru_params(rng), rng.standard_normal((2, 15, 10)).astype(F)
        for sequences, found in shares.items():
            y = f32.gru(x, p, sequences)
            judge = witness(f32.layer("GRU", return_sequences=sequences), p, x, f32.KERAS)
            found.append(measure(y, y, judge).rho_reference)
    assert max(shares[True] + shares[False]) < 0.5
    assert min(shares[True] + shares[False]) > 0.02


def test_beyond_counts_from_the_bound_on(rng):
    x = -np.abs(rng.standard_normal((1, 2, 8, 8))).astype(F)
    judge = witness(f32.layer("ELU", alpha=1.0), {}, x, f32.KERAS)
    y = f32.elu(x)
    for share, beyond in ((0.9, 0), (1.1, 1)):
        port = y.copy()
        port[0, 1, 3, 3] = np.expm1(x[0, 1, 3, 3].astype("f8")) + share * np.sqrt(
            whole(judge)[0, 1, 3, 3]
        )
        found = measure(port, y, judge)
        assert found.beyond == beyond and found.rho_port == pytest.approx(share, abs=0.1)
        assert not (found.support and found.support.edges_only)
    inner = y.copy()
    inner[:, :, 1, 1:-1] += F(1)
    assert not measure(inner, y, judge).support.edges_only, "the second row is no edge"
