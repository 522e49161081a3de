"""The sections after the networks: drawn from the documents that lie beside parity.json, and one
line each where there is none.
"""

import copy
import re

import pytest

from parity.reports import faults, figures, html, investigation, microscope, tags
from tests.reports import companions_factory as made
from tests.reports import factory

LINE = {
    "normalisation": "make microscope",
    "worth": "make microscope",
    "faults": "make faults",
    "investigation": "make investigate",
}


def section(page, name):
    """The markup of one section, without what follows it."""
    start = page.index(f'<section aria-labelledby="page:{name}">')
    return page[start : page.index("</section>", start)]


@pytest.fixture(scope="module")
def page():
    """A run with everything beside it."""
    return html.page(factory.document(), **made.all_three())


@pytest.mark.parametrize(("name", "command"), LINE.items(), ids=LINE)
def test_an_absent_document_is_a_line_that_names_its_command(name, command):
    found = section(html.page(factory.document()), name)
    assert f"<code>{command}</code>" in found and "<table" not in found and "<svg" not in found


def test_gru_and_convolution_are_drawn_from_the_run_itself_where_nothing_else_is_there():
    document = factory.document([factory.model("CRNN")])
    document["models"][0]["microscope"] = {
        "gru": {"gru1": {**made.microscope()["models"][0]["gru"]["gru1"], "forced": None}},
        "convolution": {"conv1": {"whole": 1.49, "least": 0.05, "least_kernel": 31}},
    }
    page = html.page(document)
    assert section(page, "gru").count('class="chart"') == 2 and "make microscope" in section(
        page, "gru"
    )
    assert "0.05 (kernel 31)" in section(page, "convolution") and "without the flip" not in section(
        page, "convolution"
    )


def test_a_gru_that_could_not_be_looked_into_says_why():
    document = factory.document([factory.model("CRNN")])
    document["models"][0]["microscope"] = {
        "gru": {"gru1": {"message": "the port's gru1 raised KeyError"}},
        "convolution": {},
    }
    assert "the port&#39;s gru1 raised KeyError" in section(html.page(document), "gru")


def test_a_gru_step_by_step_and_gate_by_gate(page):
    found = section(page, "gru")
    assert found.count('class="chart"') == 3 and {"free", "forced"} <= set(
        re.findall(r"drift per time step, (\w+)", found)
    )
    assert all(
        f"<bdi>{words}</bdi>" in found
        for words in ("gate z, port to oracle", "candidate, port to oracle", "r shut", "z open")
    )


def test_batch_normalisation_channel_by_channel_and_in_training(page):
    found = section(page, "normalisation")
    assert "0.50 and 0.80 u" in found, "the batch's mean, port and original"
    assert found.count('class="small"') == 3 and found.count('class="chart"') == 4
    assert {"1.0.6", "1.1.0"} <= set(re.findall(r"train phase, Keras ([\d.]+)", found))


def gains(found):
    return microscope.gains_picture(microscope.Found("CNN0", "bn1", found))


def test_gains_are_shares_of_what_rounded_parameters_reach():
    found = made.microscope()["models"][0]["batch_normalization"]["bn_0_freq"]
    assert "gain of port to original" in gains(found)
    heights = [float(height) for height in re.findall(r"v(-?[\d.]+)", gains(found))]
    assert max(map(abs, heights)) / 39 == pytest.approx(1.75 / 6, abs=0.01), (
        "of half the picture's height"
    )
    signs = {**found, "gain_u": {**found["gain_u"], "drift": [1.0, -3.0] * 300}}
    assert "v-" not in gains(signs), "of neighbours the largest in size is kept, with its sign"
    agrees = {**found, "gain_u": {**found["gain_u"], "drift": [0.0, None, 0.0]}}
    assert gains(agrees) == ""


def test_the_flip_could_not_be_seen_with_symmetric_kernels():
    microscope = made.microscope()
    microscope["models"][0]["convolution"]["conv1"] = made._convolution(visible=False)
    found = section(html.page(factory.document(), microscope=microscope), "convolution")
    assert (
        "conv1: a flip could not be seen here" in found
        and "yes, 2.2e+07 times the allowance" in found
    )


def test_the_worth_of_each_fix(page):
    found = section(page, "worth")
    assert "jazz → pop, top 5 alike 43 %" in found and "jazz stays, top 5 alike 43 %" in found
    assert "stock Chainer throughout" in found and ">inf<" in found, (
        "an end that is not finite is said"
    )
    model = made.microscope()["models"][0]
    (_, whole), (_, single) = microscope.worth_tables(model)
    assert len(whole) + len(single) == len(model["worth"]) and [row["times"] for row in whole] == [
        pytest.approx(1),
        float("inf"),
    ]


def test_differences_of_any_size():
    assert [figures.magnitude(value) for value in (3.8e-6, 0.5748, 643.9, 2e7, "inf", None)] == [
        "3.8e-06",
        "0.575",
        "644",
        "2.0e+07",
        "inf",
        "–",
    ]


def test_planted_faults_by_kind_and_one_by_one(page):
    found = section(page, "faults")
    assert faults.counts(made.faults()) == [("weights", [6, 4, 3, 3, 1])]
    assert (
        faults.sentence(made.faults()) in found and "SURVIVES" in found and "FALSE ALARM" in found
    )
    assert all(
        record["id"].removeprefix("CNN0-conv1-") in found for record in made.faults()["faults"]
    )


def test_the_investigation_is_drawn_as_it_came(page):
    found = section(page, "investigation")
    for words in (
        "What does the network expect at its input?",
        "Not answered: needs the audio",
        "Standardise the spectrogram.",
        "28.2 times",
        "measured on the real weights",
        "rms of the two clips",
    ):
        assert words in found
    assert all(f"&nbsp;{word}</span>" in found for word in ("proved", "refuted", "not decidable"))
    assert found.count('class="chart"') == 1


def table(
    chart,
    columns=("layer", "arriving", "stored"),
    rows=(("conv1", 338.0, 12.0), ("conv2", 0.5, None)),
):
    return {
        "title": "what arrives",
        "columns": list(columns),
        "rows": [list(row) for row in rows],
        "chart": chart,
    }


CHART = {"kind": "lines", "x": "layer", "y": ["arriving", "stored"], "series": None, "log": True}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({}, ["arriving", "stored"]),
        ({"kind": "bars"}, ["arriving", "stored"]),
        ({"y": ["arriving"], "series": "layer"}, ["conv1", "conv2"]),
        ({"series": "layer"}, ["conv1 arriving", "conv2 arriving", "conv1 stored"]),
    ],
    ids=["lines", "bars", "series", "both"],
)
def test_a_table_is_drawn_as_it_asks(change, names):
    markup = str(investigation.evidence_chart(table({**CHART, **change})))
    assert (
        re.findall(r"<bdi>(.*?)</bdi>", markup) == names and 'aria-label="what arrives"' in markup
    )


def test_a_table_that_asks_for_no_chart_has_none():
    assert investigation.evidence_chart(table(None)) == ""


def test_cells_of_evidence():
    assert [figures.cell(value) for value in (True, None, 0.123456, 12, "word")] == [
        "yes",
        "–",
        "0.1235",
        "12",
        "word",
    ]


def test_numbers_on_the_x_axis_are_numbers_in_lines_and_names_in_bars():
    near, far = ([(10, 1.0, 2.0), (at, 3.0, 4.0)] for at in (20, 100))
    assert ">100<" in str(investigation.evidence_chart(table({**CHART, "kind": "bars"}, rows=far)))
    assert str(investigation.evidence_chart(table(CHART, rows=near))) != str(
        investigation.evidence_chart(table(CHART, rows=far))
    )


def test_tags_in_standard_deviations_of_rounding():
    row = {"logit_actual": 1.5, "logit_expected": 1.0, "sd": 0.25}
    assert (
        tags.in_sd(row) == 2 and tags.in_sd({**row, "sd": None}) is None and tags.in_sd({}) is None
    )
    top = [{"tag": f"tag {rank}", "rank_expected": rank, **row} for rank in range(1, 11)]
    few = {"name": "CNN", "tags": [{"clip": clip, "top": top} for clip in ("one", "two")]}
    assert {series for _, _, series in tags.points(few)} == {"one", "two"}
    many = {"name": "CNN", "tags": [{"clip": str(at), "top": top} for at in range(40)]}
    assert {series for _, _, series in tags.points(many)} == {"40 clips"}


HOSTILE = factory.HOSTILE[0] + "\x00\u202e"


def spoiled(value):
    """A document with hostile text in every name and sentence of it."""
    if isinstance(value, dict):
        return {
            HOSTILE if key in ("conv1", "gru1", "bn_0_freq", "stock Chainer") else key: spoiled(
                item
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [spoiled(item) for item in value]
    return HOSTILE if isinstance(value, str) and value in TEXTS else value


TEXTS = {
    "conv1",
    "conv2",
    "unflipped kernel",
    "jazz",
    "pop",
    "layer",
    "what arrives at each layer",
    "rms of the two clips",
    "CRNN",
    "CNN0",
    "CNN",
    "standardise the spectrogram",
    "What does the network expect at its input?",
    "thejazzpiano",
    "recorded float32",
    "weights",
}


@pytest.mark.parametrize("name", made.EVERY)
def test_hostile_text_is_text(name):
    page = html.page(
        factory.document([factory.model(HOSTILE)]),
        **{name: spoiled(copy.deepcopy(made.EVERY[name]()))},
    )
    assert (
        "<script>alert" not in page.replace("<\\/script>", "")
        and "\x00" not in page
        and "\u202e" not in page
    )
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 5


def test_a_trial_that_is_not_finite_has_no_bar_and_that_is_said(page):
    assert "Without a bar, as the scores are not finite: stock Chainer throughout." in section(
        page, "worth"
    )
    model = made.microscope()["models"][0]
    model["worth"] = model["worth"][:1]
    assert "Without" not in microscope.worth_caption(model)
