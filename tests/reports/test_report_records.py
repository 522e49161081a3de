"""What a run may say of a layer or a clip, told where it is there: forms, distances, explained
swaps, likeness of rankings.
"""

import pytest

from parity.reports import cards, document, html, tags
from tests.reports import factory


def with_layer(**parts):
    model = factory.model("CNN0")
    model["layers"][1].update(parts)
    return factory.document([model])


FORMS = {
    "both": (
        {
            "port": {"lattice_share": 0.31, "formula": "expm1(x)"},
            "original": {"lattice_share": 1.0, "formula": "exp(x) - 1"},
        },
        (
            "port expm1(x) (31 % on the lattice of exp(x) − 1); original exp(x) - 1 (100 % "
            "on the lattice"
        ),
    ),
    "unclear": (
        {"port": {"lattice_share": 0.8, "formula": None}, "original": None},
        "exponential: port either (80 %",
    ),
}


@pytest.mark.parametrize(("form", "says"), FORMS.values(), ids=FORMS)
def test_the_form_of_an_elu_is_on_its_card(form, says):
    run = with_layer(form=form)
    document.validate(run)
    assert says in html.page(run)


@pytest.mark.parametrize(
    "form", [None, {"port": None, "original": None}, {"port": 0.0, "original": None}]
)
def test_a_form_that_nothing_shows_is_not_told(form):
    run = with_layer(form=form)
    document.validate(run)
    assert "form of the exponential" not in html.page(run)


@pytest.mark.parametrize(
    ("distance", "says"),
    [
        (0.25, ", 25 % of the allowance from the first)"),
        (3.0, f", {cards.APART})"),
        ("inf", f", {cards.APART})"),
        (0.0, "q 0.30)"),
        (None, "q 0.30)"),
    ],
)
def test_how_far_survivors_are_apart(distance, says):
    survivors = [
        {"name": "first", "rho": 0.4, "q": 0.3, "distance": 0.0},
        {"name": "second", "rho": 0.4, "q": 0.3, "distance": distance},
    ]
    cause = {
        "hypothesis": "first",
        "survivors": survivors,
        "undecidable": [],
        "estimate": None,
        "r2": None,
    }
    run = with_layer(cause=cause)
    document.validate(run)
    assert cards.survivors(run["models"][0]["layers"][1])[1].endswith(says) and says in html.page(
        run
    )


def clip(**changes):
    return {**factory.model()["tags"][0], **changes}


@pytest.mark.parametrize(
    ("explained", "says"),
    [
        (True, "tied by rounding, explained by rounding."),
        (False, "tied by rounding, NOT explained by rounding."),
        (None, "tied by rounding."),
    ],
)
def test_whether_rounding_explains_a_swap(explained, says):
    found = clip(
        swaps=[{"pair": ["jazz", "pop"], "margin": 1e-7, "tied": True, "explained": explained}]
    )
    assert tags.notes(found) == [f"jazz and pop changed places: 1.0e-07 apart, {says}"]
    run = factory.document([factory.model(tags=[found])])
    document.validate(run)
    assert says in html.page(run)


def test_how_alike_the_rankings_are():
    found = clip(tau=0.98765, jaccard=0.8182)
    assert tags.agreement(found) == "Kendall's tau of all tags 0.9877; shared of the top tags 82 %"
    assert "shared of the top tags 82 %" in html.page(
        factory.document([factory.model(tags=[found])])
    )
    assert tags.agreement(clip()) == ""
