"""What a port gets wrong in an activation, a dense layer, an average or a leaky ReLU is named."""

import numpy as np
import pytest

from parity.diagnose import cause
from parity.diagnose.search import explains
from parity.kinds import layer_case
from tests.kinds.layers import ACTIVATIONS, FLAT, IMAGE, LAYERS
from tests.numerics.float32_layers import F, elu, layer

F32 = {
    "linear": lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "tanh": np.tanh,
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "hard_sigmoid": lambda x: np.clip(F(0.2) * x + F(0.5), 0, 1),
    "softmax": lambda x: (
        np.exp(x - x.max(-1, keepdims=True))
        / np.exp(x - x.max(-1, keepdims=True)).sum(-1, keepdims=True)
    ),
    "softplus": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "softsign": lambda x: x / (1 + np.abs(x)),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
}
DENSE = next(one.weights for one in LAYERS if one.kind == "Dense")


def named(own, other):
    told, ours = other.replace("_", " "), own.replace("_", " ")
    if own == "linear":
        return f"{told} applied"
    return f"no {ours}" if other == "linear" else f"{told} instead of {ours}"


def found(kind, params, x, expected, actual, **config):
    return cause(layer_case(layer(kind, **config), params, x, "1.1.0"), expected, actual)


@pytest.mark.parametrize("own", ACTIVATIONS)
@pytest.mark.parametrize("other", ACTIVATIONS)
@pytest.mark.parametrize("kind", ["Activation", "Dense"])
def test_another_activation_is_named(kind, own, other):
    params = DENSE if kind == "Dense" else {}
    sums = FLAT @ DENSE["W"] + DENSE["b"] if kind == "Dense" else FLAT
    expected, actual = F32[own](sums), F32[other](sums)
    said = found(kind, params, FLAT, expected, actual, activation=own).hypothesis
    assert said == (None if own == other else named(own, other))


@pytest.mark.parametrize("own", [name for name in ACTIVATIONS if name not in ("linear", "relu")])
def test_an_activation_applied_twice_is_named(own):
    once = F32[own](FLAT)
    said = found("Activation", {}, FLAT, once, F32[own](once), activation=own).hypothesis
    assert said == f"{own.replace('_', ' ')} applied twice"


def test_a_hard_sigmoid_of_another_library_is_named():
    actual = np.clip(FLAT / F(6) + F(0.5), 0, 1)
    expected = F32["hard_sigmoid"](FLAT)
    said = found("Activation", {}, FLAT, expected, actual, activation="hard_sigmoid")
    assert said.hypothesis == "hard sigmoid with slope 1/6"


def _tiles(x):
    return x[:, :, :8, :9].reshape(3, 4, 4, 2, 3, 3)


@pytest.mark.parametrize(
    ("name", "pooled"),
    [
        ("maximum instead of average", lambda x: _tiles(x).max(axis=(3, 5))),
        ("sum instead of average", lambda x: _tiles(x).sum(axis=(3, 5))),
        ("windows start one row late", lambda x: _tiles(x[:, :, 1:]).mean(axis=(3, 5))),
        (None, lambda x: _tiles(x).mean(axis=(3, 5))),
        (None, lambda x: _tiles(x).mean(axis=5).mean(axis=3)),
    ],
)
def test_what_an_average_is_not_is_named(name, pooled):
    config = {"pool_size": [2, 3], "strides": [2, 3], "border_mode": "valid"}
    x = IMAGE[:, :, :, :9]
    expected = _tiles(x).mean(axis=(3, 5))
    said = found("AveragePooling2D", {}, x, expected, pooled(x), **config).hypothesis
    assert said == name


def test_a_deviation_is_carried_through_an_average():
    config = {"pool_size": [2, 3], "strides": None, "border_mode": "valid"}
    case = layer_case(layer("AveragePooling2D", **config), {}, IMAGE, "1.1.0")
    d = np.random.default_rng(2).normal(0, 1e-3, IMAGE.shape).astype(F)
    near = case.but(x=IMAGE.astype(np.float64) + d).value() - case.value()
    assert case.kind.carry(case, d.copy()) == pytest.approx(near, rel=1e-5, abs=1e-8)


def leaky(x, alpha=0.3):
    return np.where(x > 0, x, F(alpha) * x)


def theano_leaky(x, alpha=0.3):
    return F(0.5) * (1 + F(alpha)) * x + F(0.5) * (1 - F(alpha)) * np.abs(x)


@pytest.mark.parametrize("x", [IMAGE, FLAT])
@pytest.mark.parametrize(
    ("name", "ported"),
    [
        *(
            (f"leaky ReLU with slope {slope:.4g}", lambda x, slope=slope: leaky(x, slope))
            for slope in (0.01, 0.1, 0.2, 0.25, 1 / 3)
        ),
        ("leaky ReLU with slope 0.2", lambda x: theano_leaky(x, 0.2)),
        ("relu instead of leaky ReLU", lambda x: np.maximum(x, F(0))),
        ("elu instead of leaky ReLU", elu),
        ("elu with the slope for its alpha", lambda x: elu(x, 0.3)),
        ("slope above 0 instead of below", lambda x: np.minimum(x, F(0.3) * x)),
        ("slope negated", lambda x: leaky(x, -0.3)),
        ("divided by alpha", lambda x: np.where(x > 0, x, x / F(0.3))),
        ("leaky ReLU of the negated input", lambda x: leaky(-x)),
        ("leaky ReLU applied twice", lambda x: leaky(leaky(x))),
        (None, leaky),
        (None, lambda x: np.maximum(x, F(0.3) * x)),
        (None, lambda x: np.maximum(x, 0) - F(0.3) * np.maximum(-x, 0)),
        (None, theano_leaky),
    ],
)
def test_what_a_leaky_relu_is_not_is_named(name, ported, x):
    said = found("LeakyReLU", {}, x, theano_leaky(x), ported(x), alpha=0.3)
    assert said.hypothesis == name and bool(said.tested) == bool(name)


def test_the_usual_slope_is_named_where_another_is_asked():
    said = found("LeakyReLU", {}, IMAGE, theano_leaky(IMAGE, 0.1), leaky(IMAGE), alpha=0.1)
    assert said.hypothesis == "leaky ReLU with slope 0.3"


def test_a_slope_that_no_name_has_is_not_explained():
    said = found("LeakyReLU", {}, IMAGE, theano_leaky(IMAGE), leaky(IMAGE, 0.3 + 1e-6), alpha=0.3)
    assert said.hypothesis is None and said.tested > 10


@pytest.mark.parametrize("alpha", [0.3, 0.0, 2.7])
def test_a_slope_of_zero_may_not_round_and_others_round_within_the_bound(alpha):
    x = np.random.default_rng(6).normal(0, 4, (3, 4, 200, 50)).astype(F)
    judge = layer_case(layer("LeakyReLU", alpha=alpha), {}, x, "1.1.0").witness
    for ported in (leaky, theano_leaky):
        assert explains(judge, ported(x, alpha))
    off = leaky(x, alpha)
    at = np.unravel_index(np.argmax(x), x.shape)
    off[at] = off[at] * F(1 + 1e-6) if alpha else np.nextafter(off[at], F(100))
    assert explains(judge, off) is None


@pytest.mark.parametrize("alpha", [0.3, 0.2, 0.0])
def test_no_variant_is_the_leaky_relu_itself(alpha):
    expected = theano_leaky(IMAGE, alpha)
    assert found("LeakyReLU", {}, IMAGE, expected, expected, alpha=alpha).undecidable == []


@pytest.mark.parametrize("alpha", [0.3, 0.0, 2.7])
def test_a_deviation_is_carried_through_a_leaky_relu(alpha):
    case = layer_case(layer("LeakyReLU", alpha=alpha), {}, IMAGE, "1.1.0")
    d = np.random.default_rng(2).normal(0, 1, IMAGE.shape).astype(F)
    near = case.but(x=IMAGE.astype(np.float64) + d).value() - case.value()
    assert np.any((IMAGE > 0) != (IMAGE + d > 0))
    carried = case.kind.carry(case, d.copy())
    assert carried.dtype == F and carried == pytest.approx(near, rel=1e-5, abs=1e-6)
