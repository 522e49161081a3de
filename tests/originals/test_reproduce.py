"""The line that a report gives to reproduce a layer finds the same again, and writes elsewhere."""

import json
import shlex
import shutil
import sys

import click
import pytest
from click.testing import CliRunner

from parity import options
from parity.cli import main
from parity.fixtures.gallery import made
from parity.reports import message
from parity.reports.probe_run import PROBES

OFF = "tests.corpus.ports:off"


def typed(monkeypatch, *words):
    """The command as if it was typed."""
    monkeypatch.setattr(sys, "argv", ["parity", *words])
    return CliRunner().invoke(main, [*words])


def again(monkeypatch, model, layer):
    line = shlex.split(message.reproduce(model, layer))
    assert line[0] == "parity" and "again" in line[line.index("--out") + 1]
    return typed(monkeypatch, *line[1:])


ASKED = "--original siamese.json --weights siamese.h5 --keras 1.2.2 --input siamese-0.npy"
ASKED += " --input=siamese-1.npy"
TABLE = """[models.net]
original = "siamese.json"
weights = "siamese.h5"
keras = "1.2.2"
inputs = ["siamese-0.npy", "siamese-1.npy"]
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    shutil.copy(made("siamese", tmp_path).definition, tmp_path)
    (tmp_path / "parity.toml").write_text(TABLE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("asked", [ASKED, "--model net"], ids=["an original", "a project's model"])
def test_the_line_of_a_run_finds_the_same(folder, monkeypatch, asked):
    words = [*asked.split(), "--port", OFF, "--no-explain", "--workers", "1", "-o", "first"]
    assert typed(monkeypatch, "run", *words).exit_code == 1
    before = {path: path.read_bytes() for path in (folder / "first").iterdir()}
    (model,) = json.loads((folder / "first" / "parity.json").read_text())["models"]
    layer = next(each for each in model["layers"] if each["name"] == "same")
    assert again(monkeypatch, model, layer).exit_code == 1
    found = json.loads((folder / options.OUT / "again" / "parity.json").read_text())
    assert found["port"] == OFF and found["selection"] == ["same"]
    (other,) = (each for each in found["models"][0]["layers"] if each["name"] == "same")
    assert other["isolated"]["verdict"] == layer["isolated"]["verdict"]
    assert other["isolated"]["rho_port"] == layer["isolated"]["rho_port"] > 1
    assert other["probed"] == layer["probed"], "the same random values were asked"
    assert {path: path.read_bytes() for path in (folder / "first").iterdir()} == before


def test_the_line_of_a_probe_asks_the_same(folder, monkeypatch):
    (folder / "parity.toml").unlink()
    monkeypatch.delenv("PARITY_DATA", raising=False)
    asked = "probe --model CRNN --layer pool4 --workers 1 --out first"
    assert typed(monkeypatch, *asked.split()).exit_code == 0
    (model,) = PROBES.read(folder / "first" / "probes.json")["models"]
    assert again(monkeypatch, model, model["layers"][0]).exit_code == 0
    found = PROBES.read(folder / options.OUT / "again" / "probes.json")["models"]
    assert found[0]["layers"] == model["layers"] and found[0]["probes"] == model["probes"]


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("run", "parity run --out reports/out/again"),
        ("run -m CNN0 -l conv1 --seed 3 -o x --json --workers 4", "parity run --out reports/out/again"),
        (
            "run --port=a:b a.npy --clips 'b c.mp3' -q",
            "parity run --out reports/out/again --port=a:b a.npy --clips 'b c.mp3'",
        ),
        (
            "gate --port a:b --golden",
            "parity run --out reports/out/again --port a:b",
        ),
        (
            "probe --port-command 'node p.js' --weights w.h5 --against old.json",
            "parity probe --out reports/out/again --port-command 'node p.js' --weights w.h5",
        ),
    ],
)  # fmt: skip
def test_what_decides_the_comparison_stays_and_nothing_else(typed, says, monkeypatch):
    monkeypatch.delenv("PARITY_DATA", raising=False)
    words = shlex.split(typed)
    monkeypatch.setattr(sys, "argv", ["/somewhere/bin/parity", *words])
    command = main.commands[words[0]]
    with click.Context(command, info_name=words[0]):
        found = options.again(*(["run"] if words[0] == "gate" else []))
        assert found == says
        monkeypatch.setenv("PARITY_DATA", "/data of mine")
        assert "--data '/data of mine'" in options.again()
        monkeypatch.setattr(sys, "argv", ["/x/parity/__main__.py"])
        assert " -m parity " in options.again()
    assert options.asks_for(found, "a b") == f"{found} --model 'a b'"
    assert options.asks_for("parity run --original x.json", "x") == "parity run --original x.json"
