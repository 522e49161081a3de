"""`parity probe` from end to end on the stand-ins: exit codes, sentences, documents."""

import json

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.reports.probe_run import PROBES

LAST = ("--model", "CRNN", "--layer", "pool4", "--layer", "final_drop", "--workers", "1")


@pytest.fixture(autouse=True)
def stand_ins(monkeypatch, tmp_path_factory):
    monkeypatch.delenv("PARITY_DATA", raising=False)
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path_factory.getbasetemp() / "stand-ins"))


def run(tmp_path, *arguments):
    return CliRunner().invoke(main, ["probe", "--out", str(tmp_path), *map(str, arguments)])


def test_a_sound_port_holds_and_its_document_is_read_and_compared(tmp_path):
    done = run(tmp_path, *LAST, "--seed", 7)
    assert done.exit_code == 0, done.output
    assert "HOLDS: 2 of 2 layers compute the original's function; random seed 7" in done.output
    assert "stand-ins: NOT the published weights" in done.output
    first = PROBES.read(tmp_path / "probes.json")
    assert first["seed"] == 7 and [layer["name"] for layer in first["models"][0]["layers"]] == [
        "pool4", "final_drop",
    ]  # fmt: skip
    kept = tmp_path / "kept.json"
    (tmp_path / "probes.json").rename(kept)
    again = run(tmp_path, *LAST, "--against", kept)
    assert again.exit_code == 0 and f"every weight read back is as in {kept}" in again.output
    first["models"][0]["layers"][0]["probed"]["form"] = "another"
    kept.write_text(json.dumps(first))
    other = run(tmp_path, *LAST, "--against", kept)
    assert other.exit_code == 1 and "CRNN / pool4: form is the formula's own, was another" in (
        other.output
    )


BAD = {
    "an unknown layer": (("--layer", "gruu"), "no layer called 'gruu'; did you mean gru2?"),
    "an unknown layer that is allowed": (("--allow-transform", "convl"), "did you mean conv4?"),
    "no document": (("--against", "{folder}/none.json"), "none.json: cannot be read"),
    "another document": (("--against", "{folder}/other.json"), "other.json"),
    "no module": (("--port", "nothing.at:all"), "--port nothing.at:all: No module named"),
    "a port that fails": (("--port", "tests.probes.failing_port:steps"), "no GPU here"),
    "a bad seed": (("--seed", "-1"), "--seed"),
}


@pytest.mark.parametrize("how", BAD)
def test_bad_input_is_one_sentence_and_keeps_what_was_there(tmp_path, how):
    arguments, said = BAD[how]
    (tmp_path / "other.json").write_text('{"format": 1, "models": []}')
    old = tmp_path / "probes.json"
    done = run(tmp_path, *LAST, *(each.format(folder=tmp_path) for each in arguments))
    assert (
        done.exit_code == 2
        and said in done.output
        and "Traceback (most" not in (done.output.partition("the port printed")[0])
    )
    assert not old.exists()
