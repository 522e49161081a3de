"""The list of what is tested: complete, by kind, and refused in a sentence where a name is not in
it.
"""

import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.diagnose import listing
from parity.diagnose.formulas import combined, registered
from parity.kinds import layer_case
from tests.diagnose.planting import SUBJECTS
from tests.diagnose.test_named import hidden
from tests.diagnose.test_other_statistics import long
from tests.kinds.layers import ACTIVATIONS, LAYERS
from tests.numerics.float32_layers import layer
from tests.probes.formula_ports import settings


def listed(*arguments):
    result = CliRunner().invoke(main, ["hypotheses", *arguments])
    return result.exit_code, result.output


@pytest.mark.parametrize("kind", SUBJECTS)
def test_every_hypothesis_that_is_asked_is_listed(kind):
    subject = SUBJECTS[kind](np.random.default_rng(1))
    known = set(listing.names(subject.layer.kind))
    asked = {
        name
        for name, formula in {**registered(subject), **combined(subject)}.items()
        if formula.witness(subject) is not None
    }
    assert asked - known == set() and len(asked) > 5


def single(one):
    made = layer(one.kind, **settings(one))
    return lambda rng: layer_case(made, one.weights, one.x, "1.1.0", one.more)


def activated(kind):
    """That convolution, with every activation that it may have."""
    one = next(one for one in LAYERS if one.kind == kind and one.until > "1.1.0")
    kept = {name: value for name, value in settings(one).items() if name != "activation"}
    return {
        f"{kind} {name}": single(one._replace(arguments={**kept, "activation": name}))
        for name in ACTIVATIONS
    }


MORE = {
    **activated("Convolution1D"),
    **activated("Convolution2D"),
    **activated("TimeDistributedDense"),
    "BatchNormalization of long channels": lambda rng: long(rng, "BatchNormalization batch 1.1.0"),
    **{one.name: single(one) for one in LAYERS},
}


def test_every_listed_hypothesis_decides_something_somewhere():
    """Names that no layer here could show would be names that nothing tests."""
    shown = {}
    for make in (SUBJECTS | MORE).values():
        subject = make(np.random.default_rng(1))
        cannot_show = hidden(subject)
        shown.setdefault(subject.layer.kind, set()).update(
            name
            for name, formula in {**registered(subject), **combined(subject)}.items()
            if name not in cannot_show and formula.witness(subject) is not None
        )
    # the list is of every Keras; two of its normalisations are not among the subjects
    asked = {
        kind: set(listing.names(kind)) for kind in listing.LISTED if kind != "BatchNormalization"
    }
    asked["BatchNormalization"] = {
        name
        for make in (SUBJECTS | MORE).values()
        for subject in (make(np.random.default_rng(1)),)
        if subject.layer.kind == "BatchNormalization"
        for name in {**registered(subject), **combined(subject)}
    }
    assert {
        kind: sorted(names - shown[kind]) for kind, names in asked.items() if names - shown[kind]
    } == {}


def test_the_list_holds_dialects_and_what_is_found_out():
    code, text = listed()
    lines = text.splitlines()
    assert code == 0 and {line.split("\t")[0] for line in lines} == set(listing.LISTED)
    for line in (
        "BatchNormalization\teps 2e-05 instead of 1e-05",
        "Convolution2D\tkernels not flipped",
        "BatchNormalization\tstandard deviation taken for a variance (Keras 1.0.7), eps 1e-06",
        "BatchNormalization\t[The eps, for each formula of 1/spread, that gives the gains seen]",
    ):
        assert line in lines
    assert {line.split("\t")[0] for line in listed("--layer-kind", "GRU")[1].splitlines()} == {
        "GRU"
    }


def test_a_name_says_where_it_is_asked():
    assert listed("bias left out") == (
        0,
        "".join(
            f"{kind}\tbias left out\n"
            for kind in (
                "Convolution2D Convolution1D SimpleRNN LSTM GRU Dense TimeDistributedDense"
            ).split()
        ),
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["kernels not fliped"],
            (
                "no hypothesis called 'kernels not fliped'; did you mean kernels not "
                "flipped? Known: kernels not flipped; "
            ),
        ),
        (["kernels not fliped"], " more, which `parity hypotheses` lists"),
        (
            ["--layer-kind", "Conv2D"],
            "no layer kind called 'Conv2D'; did you mean Convolution2D? Known: ",
        ),
        (
            ["--layer-kind", "GRU", "kernels not flipped"],
            "no hypothesis called 'kernels not flipped'",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(arguments, said):
    code, text = listed(*arguments)
    assert code == 2 and said in text
