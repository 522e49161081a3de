"""What is found out from the output: an eps, a gain, an offset, an alpha, an order of
channels.
"""

import numpy as np
import pytest

from parity.kinds import layer_case
from parity.kinds.elu import lattice_share
from tests.diagnose.planting import SUBJECTS, output
from tests.diagnose.test_named import explain, hidden
from tests.numerics import float32_layers as layers
from tests.numerics.float32_layers import F


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def _near(estimate, value, rel=0.01):
    assert estimate.value == pytest.approx(value, rel=rel)
    assert 0 <= estimate.se < 0.1 * abs(value)


@pytest.mark.parametrize("eps", [1.3e-5, 4e-5, 2e-4])
def test_an_eps_nobody_registered_is_fitted(eps, rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    subject.params["running_std"] *= F(0.01)
    found = explain(subject, layers.norm(subject.x, subject.params, eps=eps))
    assert found.hypothesis.startswith("eps ") and found.r2 > 0.9
    _near(found.estimate, eps)


def test_a_registered_eps_comes_with_its_estimate(rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    subject.params["running_std"] *= F(0.01)
    found = explain(subject, layers.norm(subject.x, subject.params, eps=2e-5))
    assert found.hypothesis == "eps 2e-05 instead of 1e-05"
    _near(found.estimate, 2e-5)


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ([0, 1, 6, 3, 4, 5, 2, 7], "channels 2 and 6 swapped"),
        ([0, 1, 2, 3, 4, 5, 6, 1], "channel 7 is a copy of channel 1"),
        (np.roll(np.arange(8), 1), "channels one off"),
        ([1, 0, 3, 2, 5, 4, 7, 6], "channels in another order"),
    ],
)
def test_an_order_of_filters_is_found_out(source, name, rng):
    subject = SUBJECTS["Convolution2D"](rng)
    assert explain(subject, layers.conv(subject.x, subject.params)[:, source]).hypothesis == name


def test_a_single_filter_that_was_not_flipped_is_named(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    actual = layers.conv(subject.x, subject.params)
    actual[:, 5] = layers.conv(subject.x, subject.params, flip=False)[:, 5]
    assert explain(subject, actual).hypothesis == "kernels not flipped (of filter 5 only)"


def test_a_filter_left_out_is_named(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    actual = layers.conv(subject.x, subject.params)
    actual[:, 2] = 0
    assert explain(subject, actual).hypothesis == "left out (of filter 2 only)"


@pytest.mark.parametrize("kind", ["Convolution2D", "BatchNormalization stored 1.1.0"])
def test_one_channels_gain_or_offset_is_named(kind, rng):
    subject = SUBJECTS[kind](rng)
    clean = output(subject.witness)
    constant = "b" if kind == "Convolution2D" else "beta"
    of_gain, of_offset = clean.copy(), clean.copy()
    beta = subject.params[constant][4]
    of_gain[:, 4] = (of_gain[:, 4] - beta) * F(1.002) + beta
    of_offset[:, 4] += F(0.01)
    found = explain(subject, of_gain)
    assert found.hypothesis == "gain of channel 4"
    _near(found.estimate, 1.002, rel=1e-4)
    found = explain(subject, of_offset)
    assert found.hypothesis == "offset of channel 4"
    _near(found.estimate, 0.01)


def test_a_gain_of_every_channel_is_named(rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    params = {**subject.params, "gamma": subject.params["gamma"] * F(1.001)}
    found = explain(subject, layers.norm(subject.x, params))
    assert found.hypothesis == "gain of all channels"
    _near(found.estimate, 1.001, rel=1e-5)


def test_another_alpha_and_another_slope_are_fitted(rng):
    subject = SUBJECTS["ELU"](rng)
    found = explain(subject, layers.elu(subject.x, 0.999))
    assert found.hypothesis == "alpha 0.999 instead of 1"
    _near(found.estimate, 0.999, rel=1e-5)
    found = explain(subject, np.where(subject.x > 0, subject.x, F(0.07) * subject.x))
    assert found.hypothesis == "leaky ReLU with slope 0.07"


def test_the_lattice_tells_which_exponential_was_taken(rng):
    x = rng.uniform(-2, 2, 4000).astype(F)
    assert lattice_share(x, layers.elu(x)) == 1
    assert lattice_share(x, layers.elu(x, exp=np.expm1)) < 0.7
    assert lattice_share(np.abs(x), np.abs(x)) is None
    subject = SUBJECTS["ELU"](rng)
    assert explain(subject, layers.elu(subject.x)).form.formula == "exp(x) - 1"
    assert explain(subject, layers.elu(subject.x, exp=np.expm1)).form.formula == "expm1(x)"


def test_an_output_of_no_elu_shows_no_form_of_it(rng):
    """ReLU's zeros lie on the grid, and so do values rounded to it."""
    subject = SUBJECTS["ELU"](rng)
    assert explain(subject, np.maximum(subject.x, 0)).form is None
    assert explain(subject, np.full_like(subject.x, np.nan)).form is None


def test_several_channels_have_an_estimate_each(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    moved = output(subject.witness)
    moved[:, 2] += F(0.01)
    moved[:, 5] += F(0.02)
    found = explain(subject, moved)
    assert found.hypothesis == "offset of channels 2, 5"
    assert [each.what for each in found.estimate.each] == [
        "offset of channel 2",
        "offset of channel 5",
    ]
    assert [each.value for each in found.estimate.each] == pytest.approx([0.01, 0.02], rel=0.01)


def test_dropout_left_on_is_named(rng):
    subject = SUBJECTS["Dropout"](rng)
    mask = rng.random(subject.x.shape) < 0.75
    found = explain(subject, np.where(mask, subject.x / F(0.75), F(0)))
    assert found.hypothesis == "dropout left on"
    _near(found.estimate, 0.25, rel=0.1)


def test_a_flip_cannot_be_seen_on_symmetric_kernels(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    subject.params["W"] = subject.params["W"] + subject.params["W"][:, :, ::-1, ::-1]
    assert hidden(subject)["kernels not flipped"] < 1
    assert "kernels not flipped along their rows" not in hidden(subject)


def test_an_eps_cannot_be_seen_beside_a_large_variance(rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    assert "eps 2e-05 instead of 1e-05" not in hidden(subject)
    subject = subject.but(params={"running_std": subject.params["running_std"] * F(2000)})
    distance = hidden(subject)["eps 2e-05 instead of 1e-05"]
    assert 0 < distance < 1
    assert explain(subject, layers.norm(subject.x, subject.params, eps=2e-5)).hypothesis is None


def test_the_bound_on_a_distance_holds(rng):
    """Certified from the parameters alone, it is never below the distance itself."""
    from parity.diagnose.formulas import registered

    for kind in (kind for kind in SUBJECTS if kind.startswith("Batch")):
        subject = SUBJECTS[kind](rng)
        original = subject.witness
        for name, formula in registered(subject).items():
            judge = formula.witness(subject)
            most = judge and original.most_distance(judge)
            if most is not None:
                blocks = (
                    (original.block(where), judge.block(where)) for where in original.blocks()
                )
                worst = max(float((np.abs(a.o - b.o) / np.sqrt(a.bound2)).max()) for a, b in blocks)
                assert worst <= most * (1 + 1e-9), (kind, name)


@pytest.mark.parametrize("eps", [1.2e-6, 2.7e-6, 9e-6, 1e-4])
def test_the_error_of_an_eps_covers_its_rounding(eps, rng):
    """Beside a spread near 1 an eps of 1e-6 is rounded by up to 3 %, in all channels alike: no
    spread of theirs shows it.
    """
    from parity.kinds.fitting import Seen
    from parity.kinds.normalization.eps import fitted_eps

    errors, there = [], SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    for _ in range(8):
        params = {
            **layers.norm_params(rng, 400),
            "running_std": rng.uniform(0.55, 0.95, 400).astype(F),
        }
        x = params["running_mean"][:, None, None] + rng.standard_normal((2, 400, 4, 25))
        subject = layer_case(there.layer, params, x.astype(F), "1.1.0")
        value, error = fitted_eps(Seen(subject, layers.norm(subject.x, subject.params, eps=eps)))[
            "1/sqrt(s + eps)"
        ]
        errors.append((value - eps) / error)
    assert np.sqrt(np.mean(np.square(errors))) < 2 and max(map(abs, errors)) < 3.5


def test_one_channel_that_settles_an_eps_leaves_its_error_open(rng):
    """It fits its own rounding error: what is left over would say there was none."""
    from parity.kinds.fitting import Seen
    from parity.kinds.normalization.eps import fitted_eps

    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    subject.params["running_std"][:] = 5000
    subject.params["running_std"][2] = 1e-3
    value, error = fitted_eps(Seen(subject, layers.norm(subject.x, subject.params, eps=2e-5)))[
        "1/sqrt(s + eps)"
    ]
    assert abs(value - 2e-5) < 3 * error and 0.6 < error / (1e-3 * 2 * 3**0.5 * 0.425 * 2**-24) < 5
