"""Every registered hypothesis is named where a port has it, and nothing is named where a port is
clean.
"""

import json

import numpy as np
import pytest

from parity.diagnose import cause, search, undecidable
from parity.diagnose.formulas import combined, registered
from parity.document import to_json
from parity.kinds import Formula, layer_case
from parity.numerics.precision import to_fraction_bits
from tests.diagnose.planting import SUBJECTS, output
from tests.numerics import float32_layers as layers
from tests.numerics.float32_layers import F


def explain(subject, actual, **more):
    return cause(subject, output(subject.witness), actual, **more)


def hidden(subject):
    return {each.name: each.D for each in undecidable(subject, output(subject.witness))}


def made_once(monkeypatch, subject):
    """Compute the formulas of `subject` once, and not again for each output that is explained."""

    def kept(formulas):
        made = {name: formula.witness(subject) for name, formula in formulas.items()}
        found = {name: Formula(name, lambda case, own=own: own) for name, own in made.items()}
        return lambda case, *after: found

    for find in (registered, combined):
        monkeypatch.setattr(search, find.__name__, kept(find(subject)))


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(name, marks=pytest.mark.slow if name.startswith("Convolution") else ())
        for name in SUBJECTS
    ],
)
def test_every_registered_hypothesis_is_among_the_survivors_or_undecidable(kind, rng, monkeypatch):
    subject = SUBJECTS[kind](rng)
    made_once(monkeypatch, subject)
    cannot_show, missed = hidden(subject), []
    for name, formula in registered(subject).items():
        judge = formula.witness(subject)
        if judge is not None and name not in cannot_show:
            found = explain(subject, output(judge))
            named = [each.name for each in found.survivors]
            if (
                name not in named
                or found.hypothesis != named[0]
                or not (found.r2 is None or found.r2 > 0.9)
            ):
                missed.append((name, found.hypothesis, found.r2))
    assert missed == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "kind",
    [
        "Convolution2D",
        "BatchNormalization batch 1.0.6, quiet",
        "BatchNormalization stored 1.0.6",
        "GRU last",
    ],
)
def test_what_two_faults_make_together_is_named_or_a_simpler_name_explains_it(
    kind, rng, monkeypatch
):
    subject, own, missed = SUBJECTS[kind](rng), 0, []
    made_once(monkeypatch, subject)
    for name, formula in combined(subject).items():
        judge = formula.witness(subject)
        actual = judge and output(judge)
        if judge is None or search.explains(subject.witness, actual):
            continue
        named = [each.name for each in explain(subject, actual).survivors]
        own += name in named
        missed += [] if name in named or set(named) & set(registered(subject)) else [(name, named)]
    assert missed == [] and own > 5


@pytest.mark.parametrize("kind", SUBJECTS)
def test_the_layers_own_formula_names_nothing(kind, rng):
    subject = SUBJECTS[kind](rng)
    found = explain(subject, output(subject.witness), u_in=2.0**-11)
    assert found.hypothesis is None and found.survivors == []


@pytest.mark.parametrize("order", layers.ORDERS)
def test_another_order_of_summation_names_nothing(order, rng):
    subject = SUBJECTS["Convolution2D"](rng)
    assert explain(subject, layers.conv(subject.x, subject.params, order)).survivors == []


@pytest.mark.parametrize("fused", [False, True])
def test_a_fused_batch_normalisation_names_nothing(fused, rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    assert explain(subject, layers.norm(subject.x, subject.params, fused=fused)).hypothesis is None


def _operands(subject, bits):
    """A convolution on operands of that many fraction bits, summed in float32 as tensor cores
    do.
    """
    return layers.conv(
        to_fraction_bits(subject.x, bits),
        {**subject.params, "W": to_fraction_bits(subject.params["W"], bits)},
    )


def _shifted(subject, down, right):
    """A convolution padded by 1 all round but for one row and one column that lie on the other
    side.
    """
    sides = [(1 - by, 1 + by) for by in (down, right)]
    wide = np.pad(subject.x, ((0, 0), (0, 0), *sides))
    return layers.conv(wide, subject.params)[:, :, 1:-1, 1:-1]


# What ports really compute, in float32 of their own: (subject, port, the name it must get).
PORTS = {
    "unflipped": (
        "Convolution2D",
        lambda s: layers.conv(s.x, s.params, flip=False),
        "kernels not flipped",
    ),
    "unflipped, no bias": (
        "Convolution2D",
        lambda s: layers.conv(s.x, {**s.params, "b": 0 * s.params["b"]}, flip=False),
        "kernels not flipped, bias left out",
    ),
    "biases off": (
        "Convolution2D",
        lambda s: layers.conv(s.x, {**s.params, "b": np.roll(s.params["b"], 1)}),
        "biases one off",
    ),
    "padding off": (
        "Convolution2D",
        lambda s: _shifted(s, 1, -1),
        "padding one row too low and one column too early",
    ),
    "padding off, both back": (
        "Convolution2D",
        lambda s: _shifted(s, -1, -1),
        "padding one row too high and one column too early",
    ),
    "kernels swapped": (
        "Convolution2D",
        lambda s: layers.conv(s.x, {**s.params, "W": s.params["W"][[0, 1, 6, 3, 4, 5, 2, 7]]}),
        "kernels 2 and 6 swapped, not their biases",
    ),
    "kernels off": (
        "Convolution2D",
        lambda s: layers.conv(s.x, {**s.params, "W": np.roll(s.params["W"], 1, axis=0)}),
        "kernels one off, not their biases",
    ),
    "edges": (
        "Convolution2D",
        lambda s: layers.conv(s.x, s.params, mode="edge"),
        "padded with the edge's values",
    ),
    "bfloat16": ("Convolution2D", lambda s: _operands(s, 7), "operands rounded to bfloat16"),
    "eps": (
        "BatchNormalization stored 1.1.0",
        lambda s: layers.norm(s.x, s.params, eps=2e-5),
        "eps 2e-05 instead of 1e-05",
    ),
    "std for variance": (
        "BatchNormalization stored 1.0.6",
        lambda s: layers.norm(s.x, s.params, eps=1e-5),
        "standard deviation taken for a variance (Keras 1.0.8 and later), eps 1e-05",
    ),
    "published port": (
        "BatchNormalization stored 1.0.6",
        lambda s: layers.norm(
            s.x, {**s.params, "running_std": s.params["running_std"] ** 2}, eps=2e-5
        ),
        "eps under the root: the published Chainer port's sqrt(std^2 + eps), eps 2e-05",
    ),
    "leaky": ("ELU", lambda s: np.where(s.x > 0, s.x, F(0.2) * s.x), "leaky ReLU with slope 0.2"),
    "z swapped": (
        "GRU sequences",
        lambda s: layers.gru(s.x, s.params, swap=True),
        "z and 1 - z swapped",
    ),
    "reset after": (
        "GRU last",
        lambda s: layers.gru(s.x, s.params, sequences=False, reset_after=True),
        "reset after the product",
    ),
    "slope": (
        "GRU sequences",
        lambda s: layers.gru(s.x, s.params, gate=lambda a: np.clip(a / F(6) + F(0.5), F(0), F(1))),
        "hard sigmoid of slope 1/6",
    ),
    "Chainer's": (
        "GRU sequences",
        lambda s: layers.gru(
            s.x, s.params, gate=lambda a: np.tanh(a / F(2)) / F(2) + F(0.5), swap=True
        ),
        "Chainer's own GRU (true sigmoid, z and 1 - z swapped)",
    ),
    "cuDNN's": (
        "GRU last",
        lambda s: layers.gru(
            s.x, s.params, sequences=False, gate=layers.theano_sigmoid, reset_after=True
        ),
        "cuDNN's GRU, PyTorch's and Keras 2's reset_after (true sigmoid, reset after the product)",
    ),
    "no sequence": (
        "GRU sequences",
        lambda s: layers.gru(s.x, s.params, sequences=False),
        "the last state only, without the sequence",
    ),
    "no sigmoid": ("Dense", lambda s: s.x @ s.params["W"] + s.params["b"], "no sigmoid"),
    "transposed": (
        "Dense",
        lambda s: layers.theano_sigmoid(s.x @ s.params["W"].T + s.params["b"]),
        "matrix transposed",
    ),
}


@pytest.mark.parametrize("port", PORTS)
def test_a_real_ports_formula_is_named(port, rng):
    kind, compute, name = PORTS[port]
    subject = SUBJECTS[kind](rng)
    found = explain(subject, compute(subject).astype(F))
    assert found.hypothesis == name


def test_formulas_that_nothing_tells_apart_stay_in_the_order_of_the_tables(rng):
    """Beside a spread of 50 to 300 sqrt(s^2 + 1e-6) is s + 1e-6 to the last bit, and Keras's own
    formulas come first.
    """
    subject = SUBJECTS["BatchNormalization of as many frames as bands"](rng)
    params = {key: value[None, None, None] for key, value in subject.params.items()}
    found = explain(
        subject,
        (subject.x - params["running_mean"]) * (params["gamma"] / params["running_std"])
        + params["beta"],
    )
    names = [each.name for each in found.survivors]
    assert found.hypothesis == "variance taken for a standard deviation (Keras 1.0.6), eps 1e-06"
    assert (
        "variance squared: stored standard deviations expected, eps 1e-06" in names
        and found.survivors[-1].distance < 1
    )


def test_survivors_say_how_far_they_are_from_the_best(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    near, far = (explain(subject, _operands(subject, bits)).survivors for bits in (10, 7))
    assert [each.distance for each in (near[0], far[0])] == [0, 0]
    assert {each.name: each.distance for each in near}["operands rounded to float16"] < 0.01, (
        "no number here is that small"
    )
    unflipped = registered(subject)["kernels not flipped"].witness(subject)
    assert search._distance(unflipped, subject.witness) > 1e4
    pooled = SUBJECTS["MaxPooling2D"](rng)
    judges = [
        registered(pooled)[name].witness(pooled)
        for name in ("minimum instead of maximum", "minimum instead of maximum")
    ]
    assert search._distance(*judges) == 0
    assert search._distance(judges[0], pooled.witness) == np.inf


def test_tf32_operands_are_named_beside_float16(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    found = [each.name for each in explain(subject, _operands(subject, 10)).survivors]
    assert "operands rounded to TF32" in found and not [
        name for name in found if "operands" not in name
    ]


@pytest.mark.parametrize(
    ("ties", "name"),
    [("even", "TF32"), ("away", "TF32, ties away from zero"), ("cut", "TF32, cut off")],
)
def test_ties_tell_how_tf32_was_rounded(rng, ties, name):
    first = SUBJECTS["Convolution2D"](rng)
    x, w = (to_fraction_bits(array, 11) for array in (first.x, first.params["W"]))  # half are ties
    subject = layer_case(first.layer, {**first.params, "W": w}, x, first.keras)
    x, w = (to_fraction_bits(array, 10, ties) for array in (x, w))
    found = explain(subject, layers.conv(x, {**subject.params, "W": w}))
    assert found.hypothesis == f"operands rounded to {name}"
    assert not {each.name for each in found.survivors} & {
        f"operands rounded to {other}"
        for other in ("TF32", "TF32, ties away from zero", "TF32, cut off")
        if other != name
    }


def test_white_noise_above_rounding_has_no_name(rng):
    for kind in (
        "Convolution2D",
        "BatchNormalization stored 1.1.0",
        "ELU",
        "GRU last",
        "Dense",
        "MaxPooling2D",
    ):
        subject = SUBJECTS[kind](rng)
        clean = output(subject.witness)
        found = explain(subject, clean + F(1e-3) * rng.standard_normal(clean.shape).astype(F))
        assert found.hypothesis is None and found.tested > 5, kind


def test_one_element_anywhere_refutes(rng):
    """Also where the few rows that are tried first do not lie: in a clip between."""
    first = SUBJECTS["Convolution2D"](rng)
    subject = layer_case(
        first.layer, first.params, np.concatenate([first.x, first.x[:1]]), first.keras
    )
    actual = layers.conv(subject.x, subject.params, flip=False)
    assert explain(subject, actual).hypothesis == "kernels not flipped"
    actual[1, 3, 4, 20] += F(
        1e-5
    )  # a few bounds, which one element among thousands hardly adds to q
    assert explain(subject, actual).hypothesis is None


def test_one_element_anywhere_decides(rng):
    first = SUBJECTS["MaxPooling2D"](rng)
    x = np.ones((3, 8, 12, 40), F)
    assert "average instead of maximum" in hidden(layer_case(first.layer, {}, x, first.keras))
    x[1, 6, 3, 20] = 2
    assert "average instead of maximum" not in hidden(layer_case(first.layer, {}, x, first.keras))


@pytest.mark.parametrize(
    "actual",
    [np.full((2, 8, 12, 40), np.nan, F), np.zeros((2, 8, 5, 5), F), np.zeros(0, F)],
    ids=["NaN", "shape", "empty"],
)
def test_what_cannot_be_compared_has_no_name(actual, rng):
    found = explain(SUBJECTS["Convolution2D"](rng), actual)
    assert found.hypothesis is None and found.survivors == []


def test_precision_known_from_its_noise_alone_is_named_after_it(rng):
    subject = SUBJECTS["Convolution2D"](rng)
    noisy = output(subject.witness) * (1 + F(1e-3) * rng.standard_normal((2, 8, 12, 40)).astype(F))
    found = explain(subject, noisy, u_in=2.0**-11)
    assert (
        found.hypothesis == "rounded as if by operands of 11 bits (TF32 or float16)"
        and found.survivors == []
    )
    assert (
        explain(subject, noisy, u_in=2.0**-8.5).hypothesis
        == "rounded as if by operands of 8 bits (bfloat16)"
    )
    assert explain(subject, noisy, u_in=2.0**-5).hypothesis is None


def test_a_cause_can_be_written_to_the_document(rng):
    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    found = json.loads(to_json(explain(subject, layers.norm(subject.x, subject.params, eps=2e-5))))
    assert {"hypothesis", "survivors", "undecidable", "estimate", "r2"} <= set(found)
    assert found["theta"]["value"] == pytest.approx(1, abs=0.05)


def test_a_subject_without_channels_to_spare_is_asked_whole(rng):
    subject = SUBJECTS["ELU"](rng)
    one = layer_case(subject.layer, {}, subject.x[:, :1], subject.keras)
    assert hidden(one) == {}
