"""What probes found, in every form of the report; what was not asked never looks proved."""

import csv
import io
import re
from xml.etree import ElementTree

import pytest

from parity.reports import html, junit, markdown, probe_run, probes, summary, table, terminal
from parity.reports.document import PARITY
from tests.reports import factory

LINE = (
    "probes: 15 of 18 layers compute the original's function; 1,727 of 1,728 weights read back bit "
    "for bit; NOT PROBED: CRNN / pool1; random seed 7"
)


@pytest.fixture
def run():
    found = factory.asked()
    PARITY.validate(found)
    return found


def test_one_line_says_what_probes_proved(run):
    assert summary.probes_sentence(run) == LINE
    assert LINE in terminal.text(run)
    assert markdown.plain(LINE) in markdown.markdown(run)
    assert summary.probes_sentence(factory.document()) == ""


def test_the_section_has_what_fails_first_and_then_what_was_not_asked(run):
    crnn = run["models"][0]
    assert [layer["name"] for layer in probes.failing_first(crnn)][:3] == [
        "conv1", "pool1", "bn_0_freq"
    ]  # fmt: skip
    page = html.page(run)
    section = re.search(r'<section aria-labelledby="page:probes">.*?</section>', page, re.S)[0]
    assert section.count("<details open>") == 2  # CRNN and CNN0, not CNN
    assert "impulses of 2^64: 9 of 8,847,360 wrong" in section and "where: channel 3" in section
    assert "no probes are known for MaxPooling2D" in section
    assert "another form of the formula: tanh(x/2)/2 + 1/2" in section
    assert "3,870 of 4,096 to 2^-18" in section
    assert "could not be read: 124 of 4,096 W_z: gates are shut" in section
    assert 'id="page:probes"' not in html.page(factory.document())


def test_a_layer_that_fails_by_its_probes_alone_is_an_offender_found_and_guilty(run):
    crnn = run["models"][0]
    (first,) = summary.offenders(crnn)
    assert first.name == "CRNN / conv1 (probed)" and summary.final_fault(crnn) is None
    assert "first offender CRNN / conv1 (probed)" in summary.verdict_sentence(run)
    layer = crnn["layers"][1]
    assert " fail" in summary.found_by(crnn, layer) and summary.worst_first(crnn)["conv1"] == 0
    told = terminal.text(run)
    assert "explained by: W (3, 7, 1, 2) is 0.5, not 0.25" in told
    assert (
        "reproduce: parity run --out reports/out/again --model CRNN --layer conv1 --seed 7" in told
    )


def test_an_original_that_answers_otherwise_makes_the_oracle_suspect(run):
    (cell,) = summary.offenders(run["models"][1])
    assert cell.verdict == "ORACLE-SUSPECT"
    assert probes.cause(cell.layer).startswith("the original itself answers 2 of these 3 questions")


def test_what_users_call_is_told_where_every_layer_holds():
    model = factory.model(verdict="DRIFTS", probes=factory.probes(call="the call is another"))
    assert "the call is another" in summary.final_fault(model)


def test_junit_fails_what_fails_and_skips_what_was_not_asked(run):
    root = ElementTree.fromstring(junit.junit(run).encode())
    cases = {case.get("name"): case for case in root.iter("testcase")}
    failed = cases["CRNN-conv1-probed"].find("failure")
    assert failed.get("type").startswith("FORMULA(") and "where: channel 3" in failed.text
    assert "no probes are known" in cases["CRNN-pool1-probed"].find("skipped").text
    assert len(cases["CRNN-gru1-probed"].findall("*")) == 1  # its system-out
    assert root.get("skipped") == "1"


def test_the_table_has_a_column_for_verdict_readings_and_cause(run):
    rows = {
        (row["model"], row["layer"]): row for row in csv.DictReader(io.StringIO(table.csv(run)))
    }
    row = rows["CRNN", "conv1"]
    assert row["probed"].startswith("FORMULA(") and row["read_back"] == "575 of 576 bit for bit"
    assert row["probed_cause"] == "W (3, 7, 1, 2) is 0.5, not 0.25"
    assert rows["CRNN", "pool1"]["probed"] == "NOT PROBED"
    assert rows["CNN0", "bn_0_freq"]["probed"] == "ORACLE-SUSPECT"


def _probes_json():
    models = [
        {key: model[key] for key in ("name", "verdict", "data", "weights", "probes")}
        | {"layers": [{key: each[key] for key in ("name", "probed")} for each in model["layers"]]}
        for model in factory.asked()["models"]
    ]
    head = {"format": 1, "verdict": "DRIFTS", "created": "2024-05-06T07:08:09Z", "command": "p"}
    found = {**head, "port": "p:p", "seed": 7, "models": models}
    probe_run.PROBES.validate(found)
    return found


def test_the_command_prints_a_table_that_fits_and_says_why():
    text = probe_run.text(_probes_json())
    assert max(map(len, text.splitlines()[:-1])) <= 100
    assert re.search("conv1 +✗ FORMULA +575 of 576 bit for bit +3 +8,847,360", text)
    assert "    where: channel 3" in text and "    no probes are known for MaxPooling2D" in text
    assert text.splitlines()[-1] == "DRIFTS: " + LINE.removeprefix("probes: ")


def test_two_documents_are_compared_by_what_was_read_back():
    before, after = _probes_json(), _probes_json()
    assert probe_run.changes(before, after, "old.json") == []
    layer = after["models"][2]["layers"][1]["probed"]
    layer["read"][0].update(sha256=factory.sha("other"), at=[3, 7, 1, 2], within=575)
    after["models"][2]["layers"][2]["probed"].update(verdict="NOT PROBED", message="why not")
    after["models"][2]["layers"][4]["name"] = "gru9"
    after["models"][1]["name"] = "CNN9"
    assert probe_run.changes(before, after, "old.json") == [
        "CNN9: not in old.json",
        "CNN / conv1: weight W (3, 7, 1, 2) changed",
        "CNN / pool1: was probed (ROUNDING), and is NOT PROBED: why not",
        "CNN / gru9: not in old.json",
    ]
