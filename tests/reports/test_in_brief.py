"""What the page says first, and what each of its sections comes to in one line."""

import pytest

from parity.compare import verdict
from parity.reports import (
    charts,
    glossary,
    html,
    in_brief,
    investigation,
    message,
    microscope,
    summary,
    verdicts,
)
from tests.reports import companions_factory as made
from tests.reports import factory


def turned(run):
    """A run in which two tags of one clip changed places."""
    run["models"][0]["tags"][0]["swaps"] = [{"pair": ["jazz", "pop"]}]
    return run


@pytest.mark.parametrize(
    ("run", "says"),
    [
        (
            factory.document(),
            "The tags are the same, in the same order; scores differ by at most 1.0e-07; two clips.",
        ),
        (
            factory.failing(),
            "2 layers at fault and 2 more only inherit it; the tags are the same, in the same order; "
            "scores differ by at most 1.0e-07; two clips.",
        ),
        (
            turned(factory.document()),
            "Tags changed places in 1 of 3 lists; scores differ by at most 1.0e-07; two clips.",
        ),
        (
            factory.document([factory.model(tags=[], clips=[{"name": "one", "sha256": "0"}])]),
            "Scores differ by at most 1.0e-07; one clip.",
        ),
        (factory.empty(), ""),
    ],
)
def test_the_first_sentence_is_for_people(run, says):
    assert summary.in_short(run) == says


def test_the_title_says_the_verdict_in_words():
    assert summary.title(factory.seeded()) == (
        "HOLDS: the port computes what the original computes, on stand-ins."
    )
    assert summary.title(factory.failing()).startswith("DRIFTS: the port does not compute")


def test_each_section_comes_to_a_line():
    found = made.microscope()
    document = factory.document()
    assert in_brief.gru(microscope.grus(document, found)) == (
        "1 layer, 4 steps: drift at most 6.0e-08, 36 % of what rounding allows"
    )
    assert in_brief.gru([]) == "none of these models has one"
    unseen = [microscope.Found("CRNN", "gru1", {"message": "it failed"})]
    assert in_brief.gru(unseen) == "none could be looked into"
    assert in_brief.normalisation(found) == (
        "3 layers: gains use at most 29 % of what rounded parameters explain; trained as 2 Keras "
        "releases"
    )
    assert in_brief.convolution(microscope.convolutions(document, found)) == (
        "3 layers, 3 show the flip: up to 35.5 off without it, 3.8e-06 with it"
    )
    kernels = {"whole": 1.5, "least": 1.0, "least_kernel": 0}
    alone = [(microscope.Found("CNN", "conv1", {}), kernels)]
    assert in_brief.convolution(alone) == "1 layer; asymmetry at least 1.50"
    assert in_brief.worth(found["models"]) == (
        "stock Chainer throughout: scores up to inf off; the port's own 6.0e-08"
    )
    assert in_brief.worth([{**found["models"][0], "worth": []}]) == ""
    assert in_brief.faults(made.faults()) == (
        "4 of 5 decidable faults caught, 3 located, 2 survive; 1 of 2 harmless changes raised no "
        "alarm"
    )
    assert in_brief.investigation(made.investigation()) == "2 causes, 1 not the cause"


def test_the_chart_of_the_drift_compares_like_with_like():
    model = factory.model()
    keys = [key for _, key in charts.DRIFT]
    assert keys == ["rms", "noise_rms", "rounding_rms"]
    points = charts.drift_points(model)
    assert {series for *_, series in points} == {series for series, _ in charts.DRIFT}
    assert charts.drift_in_brief(model) == (
        "at most 12 % of what rounding allows, at bn_0_freq; ends at 1.0e-07"
    )
    model["layers"][3]["chained"]["rms"] = 6.1e-6
    assert charts.drift_in_brief(model).startswith("at most 10 times what rounding allows, at gru1")
    for layer in model["layers"]:  # of an earlier version
        del layer["chained"]["rounding_rms"]
    assert charts.drift_in_brief(model) == "ends at 1.0e-07"


def news(bears, word):
    return investigation.news({"bears": bears, "verdict": word})[0]


def test_findings_are_coloured_by_what_they_mean():
    assert news("cause", "proved") == "bad" and news("not the cause", "proved") == "good"
    assert news("remedy", "proved") == "good" and news("remedy", "refuted") == "bad"
    assert news("not the cause", "refuted") == "good"
    assert news("cause", "not decidable") == "missing"
    found = made.investigation()
    found["questions"][0]["findings"][0]["bears"] = "remedy"
    assert [*map(len, investigation.listed(found).values())] == [1, 1, 1]


def test_the_reports_limits_are_the_rules():
    assert (verdicts.RHO_MOST, verdicts.Q_MOST) == (verdict.RHO_MOST, verdict.Q_MOST)
    assert verdict.OPERANDS[0][0] == message.OPERANDS_LEAST
    assert [most for most, _ in message.OPERANDS] == [most for _, most in verdict.OPERANDS]


@pytest.mark.parametrize(
    ("u_in", "likely"),
    [
        (None, "a long sum in one accumulator"),
        (2.0**-11, "operands of reduced precision (TF32 or half precision)"),
        (2.0**-8, "operands of reduced precision (bfloat16)"),
        (2.0**-23, "a long sum in one accumulator"),
    ],
)
def test_excess_rounding_says_its_figures_what_it_is_and_how_it_is_accepted(u_in, likely):
    model = factory.model("CNN0", verdict="DRIFTS")
    found = factory.isolated("EXCESS ROUNDING", q_port=3.14, rho_port=1.2, u_in=u_in)
    model["layers"][1]["isolated"] = found
    said = message.cell_message(model, model["layers"][1], "isolated")
    assert f"q 3.14 (limit 1.5), rho 1.20 (limit 1), most likely {likely}" in said
    assert "parity gate accept --model CNN0 --layer conv1 --accept-worse --reason WHY" in said, (
        "the gate's own words"
    )


def test_a_bar_looks_as_its_verdict_does():
    assert 'class="bar bad"' not in html.page(factory.document())
    run = factory.document([factory.model(verdict="DRIFTS")])
    layer = run["models"][0]["layers"][1]
    layer["isolated"].update(verdict="FORMULA(one weight off)", rho_port=0.4)
    page = html.page(run)
    row = page[page.index('id="CNN0-conv1"') :].partition("</tr>")[0]
    assert '<span class="bar bad"><span style="width:40.0%">' in row
    assert '<span class="bar original"><span style="width:34.1%">' in row
    layer["isolated"].update(verdict="EXACT", rho_port=1.7, rho_reference=1.7)
    page = html.page(run)
    row = page[page.index('id="CNN0-conv1"') :].partition("</tr>")[0]
    assert row.count("width:100%") == 2 and "bar bad" not in row


def test_the_worst_layer_of_a_model_that_probes_alone_find_at_fault_is_theirs():
    model = factory.asked()["models"][0]
    assert summary.worst(model) == (
        "conv1 (probed) FORMULA(W (3, 7, 1, 2) is 0.5, not 0.25)",
        None,
    )


def test_a_layer_that_inherits_is_neither_found_by_fail_nor_by_holds():
    model = factory.failing()["models"][0]
    found = summary.found_by(model, model["layers"][4]).split()
    assert "INHERITED" in found and not {"fail", "holds"} & {*found}
    assert verdicts.inherits(model["layers"][4]) and not verdicts.fails(model["layers"][4])
    assert verdicts.describe("INHERITED").tone == "handed"


def test_every_figure_that_is_explained_has_its_word():
    keys = {key for rows in html.FIGURES.values() for _, key, _ in rows}
    assert {*html.EXPLAINED} <= keys and {*html.EXPLAINED.values()} <= {*glossary.TERMS}
