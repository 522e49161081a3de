"""Why a model does not hold although its layers do, who made the final drift, and why each cell of
the table fails.
"""

import re

import pytest

from parity.reports import cards, html, junit, markdown, message, summary, terminal
from parity.reports.summary import verdict_sentence
from tests.reports import factory


def attributed(**changes):
    return {
        "space": "logits",
        "message": None,
        "drift": 5.6e-5,
        "closure": 0.0,
        "ends": {"ratio": 0.21, "holds": True},
        **changes,
    }


def drifting(**changes):
    """A model whose layers hold and which does not, with changes to its record."""
    return factory.model(verdict="DRIFTS", **changes)


def called(holds):
    return {
        "bitwise_equal": False,
        "port_reference": 2e-5,
        "holds": holds,
        "message": "what users call is not the composition of the layers",
    }


REASONS = {
    "call": ({"whole_call": called(False)}, "what users call is not the composition"),
    "call not judged": ({"whole_call": called(None)}, "what users call is not the composition"),
    "logits": (
        {"attribution": attributed(ends={"ratio": 1.43, "holds": False})},
        "a logit is 1.43 times as far from the original's as rounding",
    ),
    "scores": (
        {"final": {**factory.model()["final"], "holds": False}},
        "its final scores cannot be compared",
    ),
    "oracle": (
        {"oracle_truth": {"layer": "gru1", "ratio": 3.0}},
        "at gru1 the oracle is 3.00 times as far",
    ),
    "untold": ({}, "see oracle_truth, final and attribution in parity.json"),
    "no layer": ({"layers": []}, "no layer of it was compared"),
}


def test_the_versions_are_those_of_the_port_whatever_it_computes_with():
    run = factory.document()
    assert summary.versions(run) == "Chainer 7.8.1, NumPy 1.23.5, Python 3.11.9"
    del run["environment"]["chainer"]
    assert summary.versions(run) == "NumPy 1.23.5, Python 3.11.9"
    assert summary.versions({"environment": {**run["environment"], "torch": "2.0"}}).startswith(
        "Torch 2.0, NumPy"
    )
    assert "NumPy 1.23.5" in html.page(run)


def test_another_call_that_holds_is_told_beside_the_verdict():
    run = factory.document([factory.model(whole_call=called(True))])
    assert "(as users call it): what users call is not" in terminal.text(run)
    assert "What users call is not the composition of the layers." in html.page(run)
    assert "users call" not in terminal.text(factory.document())


@pytest.mark.parametrize(("changes", "says"), REASONS.values(), ids=REASONS)
def test_each_reason_is_told_everywhere(changes, says):
    document = factory.document([drifting(**changes)], verdict="DRIFTS")
    assert says in summary.final_fault(document["models"][0])
    page = html.page(document).replace("&#39;", "'")
    texts = (page, terminal.text(document), junit.junit(document), markdown.markdown(document))
    assert all(says.lower() in text.lower() for text in texts)


def test_all_reasons_are_told_together():
    changes = {**REASONS["logits"][0], **REASONS["oracle"][0]}
    assert all(
        REASONS[name][1] in summary.final_fault(drifting(**changes))
        for name in ("logits", "oracle")
    )


def test_where_the_cells_say_enough_nothing_is_added():
    assert [summary.final_fault(model) for model in factory.failing()["models"]] == [None] * 3


def shared(model, share=0.5):
    for layer in model["layers"][:2]:
        layer["chained"]["share"] = share
    return model


NOTES = {
    "not asked": (factory.model(), "is not attributed: this run was not asked"),
    "broken": (
        factory.model(attribution=attributed(message="gru1: NaN or infinite values")),
        "not attributed: gru1: NaN or infinite values.",
    ),
    "no drift": (factory.model(attribution=attributed(drift=0)), "is the original's, bit for bit"),
    "scores": (
        shared(
            factory.model(
                attribution=attributed(space="scores", message="the port does not give its logits")
            )
        ),
        (
            "The shares are of the drift of the scores, not of the logits: the port does not "
            "give its logits."
        ),
    ),
    "logits": (shared(factory.model(attribution=attributed())), ""),
}


@pytest.mark.parametrize(("model", "says"), NOTES.values(), ids=NOTES)
def test_why_shares_are_missing_or_of_the_scores_is_said(model, says):
    assert says in summary.attribution_note(model) and bool(says) == bool(
        summary.attribution_note(model)
    )
    assert summary.attribution_note(model) in html.page(factory.document([model])).replace(
        "&#39;", "'"
    )


CAUSES = {
    "EXCESS ROUNDING": "most likely a long sum in one accumulator",
    "ORACLE-SUSPECT": "so the port is not judged",
    "INCOMPARABLE": "shape (2, 3), expected (2, 4)",
    "NOT COMPARED": "the port raised KeyError",
    "GROSS": message.UNEXPLAINED,
}


@pytest.mark.parametrize("mode", ["isolated", "chained"])
@pytest.mark.parametrize(("verdict", "says"), CAUSES.items(), ids=CAUSES)
def test_every_cell_that_fails_has_a_cause_in_the_table(verdict, says, mode):
    message = says if verdict in ("INCOMPARABLE", "NOT COMPARED") else None
    model = factory.model(verdict="DRIFTS")
    model["layers"][1][mode] = {**getattr(factory, mode)(verdict), "message": message}
    assert says in cards.causes(model)[("conv1", mode)] and len(cards.causes(model)) == 1
    page = html.page(factory.document([model], verdict="DRIFTS"))
    assert re.search(
        rf'<td data-label="{mode}">.*<small class="cause"><bdi>[^<]*{re.escape(says)}', page
    )


def test_what_is_inherited_says_from_where():
    assert cards.causes(factory.failing()["models"][0])[("gru2", "chained")] == "from gru1"


def test_a_long_message_is_short_in_the_table():
    model = factory.model(verdict="DRIFTS")
    model["layers"][1]["isolated"] = factory.isolated("INCOMPARABLE", message="x" * 9000)
    assert len(cards.causes(model)[("conv1", "isolated")]) == cards.CAUSE_MOST


def missing(count):
    """A run of `count` layers of which none was compared, and two layers that were."""
    gone = {
        mode: {**dict.fromkeys(getattr(factory, mode)()), "verdict": "NOT COMPARED"}
        for mode in ("isolated", "chained")
    }
    return [factory.layer(f"lost_{at}", **gone) for at in range(count)]


def test_what_was_not_compared_is_not_counted_as_a_comparison():
    nothing, some = (
        factory.document([factory.model(verdict="INCOMPLETE", layers=layers)], verdict="INCOMPLETE")
        for layers in (missing(7), [*missing(1), factory.layer("a"), factory.layer("b")])
    )
    assert (
        "nothing was compared: all 14 comparisons are missing; first offender CNN0 / lost_0"
        in verdict_sentence(nothing)
    )
    assert (
        "0 of 1 model proved, 4 of 6 comparisons made (4 ROUNDING); first offender"
        in verdict_sentence(some)
    )


def test_in_a_network_the_table_comes_before_the_charts():
    page = html.page(factory.document())
    section = page[page.index('<section aria-labelledby="CNN0">') :]
    assert section.index('<table class="stack layers">') < section.index('<svg class="chart"')
