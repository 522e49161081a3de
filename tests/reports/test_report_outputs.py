"""parity.csv, junit.xml, the terminal and the Markdown: whole, stable, and honest about what was
not compared.
"""

import csv as csv_reader
import io
import json
from xml.etree import ElementTree

import pytest

from parity.reports import junit, markdown, table, terminal
from parity.reports.summary import DATA, cells, counts, verdict_sentence
from tests.reports import factory

EVERY = pytest.mark.parametrize("make", factory.EVERY.values(), ids=factory.EVERY)
TEXTS = {
    "csv": table.csv,
    "junit": junit.junit,
    "terminal": terminal.text,
    "markdown": markdown.markdown,
}


@EVERY
@pytest.mark.parametrize("draw", TEXTS.values(), ids=TEXTS)
def test_same_document_same_bytes(draw, make):
    assert draw(make()).encode() == draw(make()).encode()


@EVERY
def test_csv_has_a_row_per_cell(make):
    rows = list(csv_reader.DictReader(io.StringIO(table.csv(make()), newline="")))
    assert [(row["mode"], row["verdict"]) for row in rows] == [
        (cell.mode, cell.verdict) for cell in cells(make())
    ]


def test_csv_keeps_every_digit_and_its_columns():
    rows = list(csv_reader.DictReader(io.StringIO(table.csv(factory.failing()))))
    gru1, gross = rows[6], rows[14]
    assert tuple(rows[0]) == table.COLUMNS
    assert (gru1["layer"], gru1["rho_port"], gru1["worst_index"], gru1["bitwise_equal"]) == (
        "gru1",
        "209.3",
        "[0, 14, 7]",
        "false",
    )
    assert (gross["model"], gross["rho_port"], gross["max_abs"], gross["structure"]) == (
        "CNN0",
        "inf",
        "nan",
        "",
    )
    assert rows[7]["rho_local"] == "208.1" and rows[7]["hypothesis"].startswith("reset gate")


def test_csv_has_what_a_clip_is_remarked_for():
    document = factory.failing()
    document["models"][0]["clips"][0]["remarks"] = ["is mono"]
    document["models"][0]["remarks"] = ["its weights are assumed"]
    rows = list(csv_reader.DictReader(io.StringIO(table.csv(document))))
    name = document["models"][0]["clips"][0]["name"]
    assert json.loads(rows[0]["remarks"]) == [f"{name} is mono", "its weights are assumed"]
    assert not rows[-1]["remarks"]


@EVERY
def test_junit_counts_are_what_is_inside(make):
    root = ElementTree.fromstring(junit.junit(make()).encode())
    assert root.tag == "testsuites"
    for element in [root, *root]:
        assert int(element.get("tests")) == len(element.findall(".//testcase"))
        assert int(element.get("failures")) == len(element.findall(".//failure"))
        assert int(element.get("errors")) == len(element.findall(".//error"))
        assert int(element.get("skipped")) == len(element.findall(".//skipped"))


@EVERY
def test_junit_is_green_only_where_the_run_holds(make):
    root = ElementTree.fromstring(junit.junit(make()).encode())
    green = root.get("failures") == root.get("errors") == "0"
    assert green == (make()["verdict"] == "HOLDS")


def _case(make, name):
    return ElementTree.fromstring(junit.junit(make()).encode()).find(f".//testcase[@name='{name}']")


def test_junit_faults():
    failed, inherited = (
        _case(factory.failing, "CRNN-gru1-isolated"),
        _case(factory.failing, "CRNN-gru2-chained"),
    )
    assert (
        failed.get("classname") == "parity.CRNN"
        and failed.find("failure").get("type") == "FORMULA(reset-after)"
    )
    assert "--model CRNN --layer gru1" in failed.find("failure").text
    assert "the fault is in gru1" in inherited.find("failure").text
    assert (
        _case(factory.incomplete, "CNN0-extra-isolated").find("error").get("type") == "NOT COMPARED"
    )
    assert (
        "42"
        not in _case(factory.document, "CNN-conv1-isolated").find("system-out").text.splitlines()[0]
    )
    assert "rho 0.42" in _case(factory.document, "CNN-conv1-isolated").find("system-out").text


def test_junit_of_nothing_is_an_error():
    assert (
        ElementTree.fromstring(junit.junit(factory.empty()).encode()).find(".//error").text
        == "INCOMPLETE: nothing was compared."
    )


def test_junit_strips_what_xml_forbids():
    text = junit.junit(factory.hostile())
    assert all(character in "\n" or character >= " " for character in text) and "\\x1b[31m" in text


def test_a_model_can_fail_by_its_scores_alone():
    model = factory.model(verdict="DRIFTS")
    model["final"]["holds"] = False
    document = factory.document([model], verdict="DRIFTS")
    says = "every layer holds, but its final scores cannot be compared"
    assert (
        says in terminal.text(document)
        and says in _case(lambda: document, "CNN0-end-to-end").find("failure").text
    )
    model["oracle_truth"]["ratio"] = 3.0
    assert "at gru1 the oracle is 3.00 times as far" in terminal.text(document)


@EVERY
def test_first_line_says_which_data(make):
    document = make()
    assert terminal.text(document).splitlines()[0] == DATA[document["data"]]


@EVERY
def test_first_line_says_who_read_audio(make):
    document = make() | {"audio_read_by": "tagger"}
    said = f"{DATA[document['data']]}; audio read by tagger's front end"
    assert terminal.text(document).splitlines()[0] == said
    assert said in markdown.markdown(document)


def test_terminal_table_line():
    line = next(
        line for line in terminal.text(factory.failing()).splitlines() if line.startswith("CRNN ")
    )
    assert " ".join(line.split()) == (
        "CRNN ✗ DRIFTS gru1 (isolated) FORMULA(reset-after) 209 times 1.0e-07 8.9e-08 "
        "1.2e-07 6.3e-08"
    )


def test_terminal_blocks_first_offender_of_each_model_first():
    text = terminal.text(factory.failing(), blocks=2)
    assert (
        text.index("CRNN / gru1 (isolated)") < text.index("CNN0 / conv1 (isolated)")
        and "2 more in parity.html" in text
    )
    assert "more in" not in terminal.text(factory.failing(), blocks=4) and "(chained)" not in text


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_colours_only_on_a_terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain, coloured = io.StringIO(), Terminal()
    terminal.show(factory.failing(), plain)
    terminal.show(factory.failing(), coloured)
    assert "\x1b" not in plain.getvalue() and "\x1b[" in coloured.getvalue()
    assert coloured.getvalue().startswith("real data\n") and plain.getvalue() == terminal.text(
        factory.failing()
    )


def test_hostile_names_do_not_reach_the_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    for stream in (io.StringIO(), Terminal()):
        terminal.show(factory.hostile(), stream)
        assert "\x1b[31m" not in stream.getvalue() and "\u202e" not in stream.getvalue()


def test_an_ascii_stream_is_written_to():
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii", write_through=True)
    terminal.show(factory.failing(), stream)
    assert b"\\u2717 DRIFTS" in stream.buffer.getvalue()


def test_sentences():
    assert (
        verdict_sentence(factory.document())
        == "HOLDS: 3 of 3 models proved, 36 comparisons (3 EXACT, 33 ROUNDING)."
    )
    assert verdict_sentence(factory.document(selection=["gru1"])).startswith(
        "HOLDS for the selected gru1: "
    )
    seeded = {**factory.document(), "data": "seeded"}
    assert verdict_sentence(seeded).startswith("HOLDS for seeded stand-ins: 3 of 3 models proved")
    assert verdict_sentence(seeded).endswith("or name their folder with --data (make: DATA=).")
    assert verdict_sentence(factory.failing()).endswith(
        "2 GROSS; and 2 that only INHERITED a difference); first offender CRNN / gru1 (isolated)."
    )
    assert counts(factory.failing()) == {
        "EXACT": 3,
        "ROUNDING": 27,
        "INHERITED": 2,
        "FORMULA": 2,
        "GROSS": 2,
    }


def test_markdown_table():
    table = markdown.verdict_table(factory.document()).splitlines()
    assert len(table) == 5 and {line.count("|") for line in table} == {9}
    assert table[2] == (
        "| CRNN | ✓ HOLDS | conv1 (isolated) ROUNDING | 42 % | 1.0e-07 | 8.9e-08 | "
        "1.2e-07 | 6.3e-08 |"
    )


def test_markdown_holds_no_date_and_its_blocks():
    text = markdown.markdown(factory.failing())
    assert "2024" not in text and text.count("```text") == 2 and "real data" in text
    assert markdown.markdown(factory.seeded()).splitlines()[2] == DATA["seeded"]


def test_markdown_has_at_most_the_blocks_asked_for():
    assert markdown.markdown(factory.failing(), blocks=1).count("```text") == 1


def test_markdown_shows_hostile_names_as_text():
    prose = markdown.markdown(factory.hostile()).partition("```")[0]
    assert "<script" not in prose and "&#60;script&#62;" in prose


@pytest.mark.parametrize("draw", [markdown.markdown, markdown.verdict_table])
def test_markdown_writes_control_characters_out(draw):
    text = draw(factory.hostile())
    assert (
        not any(character in text for character in "\x1b\x00\u202e\ud800")
        and "&#92;x1b&#91;31mred&#92;x00&#92;n" in text
    )
