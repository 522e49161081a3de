"""Companions on the page of a run: only what belongs to it, with the data it was measured on, and
every sentence with its finding.
"""

import re

import pytest

from parity.reports import companions, faults, html, investigation
from parity.reports.summary import DATA
from tests.reports import companions_factory as made
from tests.reports import factory
from tests.reports.test_charts_sections import section
from tests.reports.test_report_page import Page

MEASURED = ("gru", "normalisation", "convolution", "worth")
COMPANIONED = (*MEASURED, "faults", "investigation")


def test_only_the_models_of_the_run_are_drawn_from_the_microscope():
    page = html.page(factory.one_model(), microscope=made.microscope())
    assert all(
        "CRNN" not in section(page, name) and "CNN0" not in section(page, name) for name in MEASURED
    )
    assert "CNN / bn_0_freq" in section(
        page, "normalisation"
    ) and "None of these models has a recurrent layer" in section(page, "gru")


def test_a_microscope_of_other_models_is_none():
    run = factory.document([factory.model("CRNN50")])
    assert (
        companions.of_run(run, made.microscope()) is None and companions.of_run(run, None) is None
    )
    page = html.page(run, microscope=made.microscope())
    assert page == html.page(run) and "make microscope" in section(page, "worth")


@pytest.mark.parametrize("name", COMPANIONED)
def test_other_data_than_the_runs_is_said_at_the_head_of_the_section(name):
    said = f"Measured on {DATA['real']}; this run is on {DATA['seeded']}."
    pages = (html.page(run, **made.all_three()) for run in (factory.seeded(), factory.document()))
    heads = [section(page, name).partition("</h2>")[2][:400] for page in pages]
    assert said in heads[0] and "Measured on" not in heads[1]


def test_what_the_project_improved_is_a_table():
    found = section(html.page(factory.document(), **made.all_three()), "faults")
    assert "what the project improved" in found
    improved = [row for each in made.faults()["improved"] for row in faults.improved_rows(each)]
    assert all(str(value) in found for row in improved for value in row)


def test_a_verdict_is_called_unnamed_only_where_no_cause_is_beside_it():
    def row(cause):
        layer = {
            **made.improvement()["layers"][0],
            "verdict": "FORMULA(unnamed)",
            "cause": cause and {"hypothesis": cause},
        }
        return next(faults.improved_rows({**made.improvement(), "layers": [layer]}))[2:4]

    assert row("eps twice") == ("FORMULA", "eps twice") and row(None) == ("FORMULA(unnamed)", "–")


def test_promises_are_told_with_what_became_of_them():
    found = section(html.page(factory.document(), **made.all_three()), "faults")
    told = re.findall(r"&nbsp;([a-z ]+)</span> (promise \d: [\d.]+)<", found)
    assert told == [
        ("kept", "promise 0: 0.97"),
        ("broken", "promise 1: 0.97"),
        ("not tried", "promise 2: 0.97"),
    ]
    before = {key: value for key, value in made.faults().items() if key != "promises"}
    faults.validate(before)
    assert "promise" not in section(html.page(factory.document(), faults=before), "faults")


def test_every_sentence_of_the_conclusion_leads_to_its_finding():
    page = Page(html.page(factory.document(), **made.all_three()))
    leads = [link for link in page.links if link.startswith("#finding-")]
    assert leads == ["#finding-decibels"] and {
        link[1:] for link in page.links if link.startswith("#")
    } <= set(page.ids)
    assert {investigation.anchor(name) for name in ("decibels", "batch", "noise")} <= set(page.ids)
    assert "[decibels]" in investigation.text(made.investigation()).splitlines()[0]


def test_a_finding_says_what_it_judges_and_a_question_what_it_ran_on():
    found = section(html.page(factory.document(), **made.all_three()), "investigation").replace(
        "&#39;", "'"
    )
    assert "Hypothesis: decibels: what arrives is as wide as what is stored." in found
    assert (
        "Original: CNN under Keras 1.0.6; Theano's optimizer fast_run; CNN agrees with "
        "itself without it to 3.6e-07"
        " (10 % of what rounding allows)."
    ) in found
    assert "1 clip. Left out: broken.mp3: it cannot be decoded." in found


def test_a_question_whose_original_did_not_run_or_did_not_agree():
    asked = made.investigation()["questions"][0]
    assert investigation.ran({**asked, "stack": {}}) == ""
    assert investigation.ran({**asked, "stack": {"CNN": "Keras 1.0.6"}}) == investigation.ran(asked)
    asked["optimizer_noise"]["CNN"].update(ratio=1.4, holds=False)
    assert "140 % of what rounding allows, TOO MUCH)" in investigation.ran(asked)


def test_no_sentence_ends_twice():
    found = made.investigation()
    for question in found["questions"]:
        for finding in question["findings"]:
            finding["advice"] = finding["effect"]["unit"] = "as it is."
    found["questions"][1]["message"] += "."
    failing = factory.failing()
    failing["models"][1]["layers"][1]["isolated"]["message"] = "the port raised KeyError."
    texts = Page(html.page(failing, **{**made.all_three(), "investigation": found})).text
    assert not re.search(r"(?<!\.)\.\.(?!\.)", texts) and "1 clips" not in texts


@pytest.mark.parametrize(
    "word", ["energy", "R²", "sd", "asymmetry", "stability", "HOLDS", "DRIFTS", "INCOMPLETE"]
)
def test_the_glossary_has_every_word_of_the_page(word):
    assert re.search(
        rf"<dt[^>]*>(<span.*</span> )?{word}(</span>)?</dt>",
        section(html.page(factory.document()), "glossary"),
    )
