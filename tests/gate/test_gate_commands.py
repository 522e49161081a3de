"""The command line: exit codes, one sentence for bad input, and every file and line it leaves
behind.
"""

import json
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from gate_documents import layer

from parity.cli import Group
from parity.gate.commands import gate
from parity.gate.outcome import Breach, Outcome
from parity.gate.outputs import LINES_MOST, terminal


@pytest.fixture
def parity(tmp_path, monkeypatch, document, folder):
    """parity(words) runs `parity <words>` where the run is ./parity.json and the baselines are
    ./baselines.
    """
    monkeypatch.chdir(tmp_path)
    main = Group(commands={"gate": gate})
    (tmp_path / "parity.json").write_text(json.dumps(document))

    def call(*words):
        return CliRunner().invoke(
            main,
            [
                "gate",
                *words,
                *([] if "accept" in words else ["--run", "parity.json", "--out", "out"]),
                "--baselines",
                "baselines",
            ],
        )

    return call


def save(document):
    with open("parity.json", "w") as stream:
        json.dump(document, stream)


def break_conv1(document):
    document["models"][0]["layers"][0]["isolated"].update(
        verdict="GROSS", rho_port="inf", message="no rounding of any common format"
    )
    document["models"][0].update(verdict="DRIFTS", first_divergence="conv1")
    document["verdict"] = "DRIFTS"


def test_a_clean_run_exits_0_and_writes_its_outcome(parity, tmp_path):
    done = parity()
    assert done.exit_code == 0, done.output
    assert (
        "holds: CNN0, CNN as approved" in done.stdout.splitlines()[0]
        and "real data" in done.stdout.splitlines()[0]
    )
    assert json.loads((tmp_path / "out/gate.json").read_text())["passed"] is True
    assert not (tmp_path / "out/baseline.received.json").exists()


def test_a_failing_run_exits_1_and_starts_with_the_first_offender(parity, document, tmp_path):
    break_conv1(document)
    save(document)
    done = parity()
    assert done.exit_code == 1 and "FAILS at CNN0 / conv1" in done.stdout.splitlines()[0]
    received = json.loads((tmp_path / "out/baseline.received.json").read_text())
    assert [base["model"] for base in received["received"]] == ["CNN0", "CNN"]


def test_seeded_stand_ins_are_said_in_the_first_line(parity, document, folder):
    (folder / "real").rename(folder / "seeded")
    document["data"] = "seeded"
    for model in document["models"]:
        model["data"] = "seeded"
    save(document)
    done = parity()
    assert done.exit_code == 2 and "is the baseline of data real, not seeded" in done.stderr


def test_a_run_without_models_exits_3(parity, document, folder):
    document.update(models=[], verdict="INCOMPLETE")
    save(document)
    for base in (folder / "real").iterdir():
        base.unlink()
    done = parity()
    assert done.exit_code == 3 and "nothing was compared" in done.stdout


def test_a_run_that_compared_nothing_exits_3(parity, document):
    for model in document["models"]:
        model["verdict"] = "INCOMPLETE"
        for record in model["layers"]:
            record["isolated"].update(verdict="NOT COMPARED", rho_port=None, q_port=None)
            record["chained"].update(verdict="NOT COMPARED", rho_local=None)
    document["verdict"] = "INCOMPLETE"
    save(document)
    assert parity().exit_code == 3


BAD = {
    "missing": (lambda path: path.unlink(), "cannot be read"),
    "empty": (lambda path: path.write_text(""), "is empty"),
    "cut": (lambda path: path.write_text(path.read_text()[:500]), "cut short"),
    "newer": (
        lambda path: path.write_text(path.read_text().replace('"format": 1', '"format": 2', 1)),
        "has format 2, expected 1",
    ),
    "broken by hand": (
        lambda path: path.write_text(path.read_text().replace('"q_port": 0.6', '"q_port": "good"')),
        "q_port is 'good'",
    ),
}


@pytest.mark.parametrize("how", BAD)
def test_a_bad_run_is_refused_with_exit_2_and_one_sentence(how, parity, tmp_path):
    spoil, said = BAD[how]
    spoil(tmp_path / "parity.json")
    done = parity()
    assert done.exit_code == 2 and said in done.stderr and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_a_bad_baseline_is_refused_with_exit_2(parity, folder):
    (folder / "real" / "CNN.json").write_text("{")
    done = parity()
    assert done.exit_code == 2 and "CNN.json: the baseline is cut short" in done.stderr


def test_an_unknown_model_is_refused(parity):
    assert parity("--model", "CRNN").exit_code == 2


def test_two_ways_to_judge_at_once_are_refused(parity):
    done = parity("--identity-only")
    assert done.exit_code == 2 and "choose one" in done.stderr


def test_accept_prints_the_diff_then_writes(parity, document, folder):
    document["models"][0]["identity"]["weights"]["tensors"]["conv1/W"][2] = "0" * 64
    save(document)
    assert parity().exit_code == 1
    done = parity("accept", "--run", "parity.json", "--reason", "trained anew", "--by", "somebody")
    assert done.exit_code == 0, done.output + done.stderr
    assert "0" * 64 in done.stdout and done.stdout.index("0" * 64) < done.stdout.index("approved: ")
    assert parity().exit_code == 0
    assert (
        json.loads((folder / "real/CNN0.json").read_text())["approved"]["reason"] == "trained anew"
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--reason"),
        (("--reason", " "), "--reason"),
        (("--reason", "x", "--layer", "conv1"), "--model"),
        (("--reason", "x", "--model", "CRNN"), "no model CRNN"),
        (("--reason", "x", "--model", "CNN", "--layer", "conv9"), "no layer conv9"),
    ],
)
def test_accept_refuses(parity, folder, words, said):
    before = {path.name: path.read_text() for path in (folder / "real").iterdir()}
    done = parity("accept", "--run", "parity.json", *words)
    assert done.exit_code == 2 and said in done.stderr.replace(
        "neither the run nor the baseline has a layer", "no layer"
    )
    assert {path.name: path.read_text() for path in (folder / "real").iterdir()} == before


def test_accept_refuses_in_ci(parity, monkeypatch):
    monkeypatch.setenv("CI", "1")
    done = parity("accept", "--run", "parity.json", "--reason", "x")
    assert done.exit_code == 2 and "CI is set" in done.stderr


def test_junit_has_a_case_per_model_and_limit(parity, document, tmp_path):
    break_conv1(document)
    save(document)
    parity()
    root = ElementTree.parse(tmp_path / "out/gate-junit.xml").getroot()
    assert [suite.get("name") for suite in root] == ["CNN0", "CNN"]
    failed = [
        (case.get("classname"), case.get("name"))
        for case in root.iter("testcase")
        if case.find("failure") is not None
    ]
    assert (
        failed == [("parity.gate.CNN0", "budget"), ("parity.gate.CNN0", "ratchet")]
        and len(list(root.iter("testcase"))) == 8
    )


def test_github_gets_one_annotation_per_failing_model_and_a_summary(
    parity, document, tmp_path, monkeypatch
):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    break_conv1(document)
    document["models"][0]["layers"][1]["isolated"]["message"] = "x"
    document["models"][0]["layers"][1]["isolated"]["verdict"] = "GROSS"
    save(document)
    lines = [line for line in parity().stdout.splitlines() if line.startswith("::error")]
    assert len(lines) == 1 and "CNN0 / conv1" in lines[0] and "(and 2 more)" in lines[0]
    assert lines[0].startswith("::error file=baselines/real/CNN0.json,title=parity gate%3A CNN0::")
    assert "FAILS at CNN0 / conv1" in (tmp_path / "summary.md").read_text()


def test_without_github_there_is_no_annotation(parity, document):
    break_conv1(document)
    save(document)
    assert "::error" not in parity().stdout


def test_hostile_names_stay_text(parity, document):
    evil = "a\n::error::x|</td>\x1b[31m\u202e"
    document["models"][0]["layers"].append(layer(evil, "Dense", [2, 50]))
    save(document)
    done = parity()
    assert done.exit_code == 1 and "\x1b" not in done.stdout and "\u202e" not in done.stdout
    assert not any(line.startswith("::error") for line in done.stdout.splitlines())


def test_a_terminal_gets_at_most_40_lines():
    findings = [Breach("CNN0", f"layer{number}", "budget", "x" * 400) for number in range(200)]
    known = [
        {
            "model": "CNN0",
            "layer": f"l{number}",
            "mode": "isolated",
            "verdict": "GROSS",
            "reason": "r",
        }
        for number in range(50)
    ]
    text = terminal(Outcome(findings, known, ["CNN0"], 5, ["a", "b"]), "real")
    assert len(text.splitlines()) <= LINES_MOST == 40 and max(map(len, text.splitlines())) <= 150
    assert "CNN0 / layer0" in text.splitlines()[0] and "more findings" in text


def test_json_is_printed_alone_and_what_was_written_is_told(parity, tmp_path):
    done = parity("--json")
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "gate.json").read_text())
    assert done.stderr == "written to out: gate.json, gate-junit.xml\n"


def test_a_file_after_json_is_judged_as_one_after_run(parity):
    assert "holds" in parity("--json", "parity.json").stdout


def test_accept_takes_the_last_run_of_two(parity, document, tmp_path):
    """Of `parity run` and of the gate, which leaves its own beside it."""
    out = tmp_path / "reports" / "out"
    out.mkdir(parents=True)
    for name, created in (
        ("parity.json", "2026-01-01T00:00:00Z"),
        ("gate-run.json", "2026-01-02T00:00:00Z"),
    ):
        document.update(created=created)
        (out / name).write_text(json.dumps(document))
    (out / "parity.json").write_text("broken")
    assert parity("accept", "--reason", "x", "--by", "y").exit_code == 2
    document.update(created="2026-01-01T00:00:00Z")
    (out / "parity.json").write_text(json.dumps(document))
    assert parity("accept", "--reason", "x", "--by", "y").exit_code == 0


def test_where_nothing_can_be_approved_it_says_where_it_can(parity, document, monkeypatch):
    break_conv1(document)
    save(document)
    assert "approved with: parity gate accept --reason" in parity().stdout
    monkeypatch.setenv("CI", "true")
    assert "nothing is approved here, where CI is set" in parity().stdout
