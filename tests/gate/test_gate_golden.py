"""Without recorded originals and without their environments the gate compares with golden traces,
and says so.
"""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import Group
from parity.errors import CannotRun
from parity.gate import baseline, golden
from parity.gate.commands import gate
from parity.model import MODELS, case_for
from parity.recording import environments

BASELINES = Path(__file__).parents[2] / "fixtures" / "baselines"


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine with nothing: no data, no recorded trace, no environment of an original."""
    monkeypatch.delenv("PARITY_DATA", raising=False)
    for variable in ("PARITY_FIXTURES", "PARITY_CACHE"):
        monkeypatch.setenv(variable, str(tmp_path / variable / "kept"))
    monkeypatch.setattr(environments, "WORK", tmp_path / "tox")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def call(*words):
        options = [
            "--model",
            "CRNN",
            "--baselines",
            str(BASELINES),
            "--out",
            str(tmp_path / "out"),
            *words,
        ]
        return CliRunner().invoke(Group(commands={"gate": gate}), ["gate", *options])

    return call


@pytest.fixture
def case(tmp_path, monkeypatch):
    monkeypatch.delenv("PARITY_DATA", raising=False)
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path))
    return case_for("CRNN")


@pytest.fixture
def row(case):
    """conv1's row of the committed golden trace."""
    return golden.read(golden.path_of(case, BASELINES), case)["layers"][3]


@pytest.mark.slow
def test_the_port_holds_against_golden_traces_and_it_is_said(bare, tmp_path):
    done = bare()
    assert done.exit_code == 0, done.output
    assert "seeded stand-ins" in done.stdout.splitlines()[0]
    assert (
        "golden traces (64 values a layer), not with recorded originals: no recorded trace of CRNN"
        in done.stdout
    )
    assert json.loads((tmp_path / "out/gate.json").read_text())["cells"] == len(
        MODELS["CRNN"].layers
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("port", "layer", "limit"),
    [("swapped_gates", "gru1", "budget"), ("twice_rounded", "elu_1", "ratchet")],
)
def test_a_fault_is_found_at_its_layer(bare, tmp_path, port, layer, limit):
    assert bare("--port", f"gate_ports:{port}").exit_code == 1
    found = json.loads((tmp_path / "out/gate.json").read_text())["findings"]
    assert (found[0]["layer"], found[0]["limit"]) == (layer, limit)


def test_committed_golden_traces_are_small():
    files = list(BASELINES.rglob("*.golden.json"))
    assert [path.parent.name for path in files] == ["seeded"] * 3 and sum(
        path.stat().st_size for path in files
    ) <= 2e6


def test_positions_are_fixed_and_spread():
    at = golden.positions(1_000_003)
    assert (
        at.tolist() == golden.positions(1_000_003).tolist()
        and len(set(at.tolist())) == golden.SAMPLES
    )
    assert (
        at.min() >= 0
        and at.max() < 1_000_003
        and np.diff(np.sort(at)).max() < 3 * 1_000_003 / golden.SAMPLES
    )
    assert golden.positions(20).max() < 20


def test_sampled_values_and_the_mean_are_held_to_the_originals(row):
    like = np.full(row["shape"], row["mean"], np.float32)
    like.reshape(-1)[golden.positions(like.size)] = row["samples"]
    like.reshape(-1)[0] += (row["mean"] - like.mean(dtype=np.float64)) * like.size
    assert golden._against_original(like, row) is None
    assert "the mean differs" in golden._against_original(
        like + np.float32(2 * golden.FARTHER * row["error_rms"]), row
    )
    like.reshape(-1)[golden.positions(like.size)[7]] += np.float32(
        1.5 * golden.FARTHER * row["error"]
    )
    assert "1 of 64 sampled values differ" in golden._against_original(like, row)
    like[...] = np.nan
    assert "64 of 64" in golden._against_original(like, row)


SPOILS = {
    "missing": (lambda path: path.unlink(), "there is no golden trace"),
    "cut": (lambda path: path.write_text(path.read_text()[:1000]), "cut short or is not JSON"),
    "newer": (
        lambda path: path.write_text(path.read_text().replace('"format": 1', '"format": 2')),
        "of another format",
    ),
    "edited": (
        lambda path: path.write_text(path.read_text().replace('"error": ', '"error": 1')),
        "was edited",
    ),
    "of other weights": (lambda path: resealed(path, weights="0" * 64), "of other weights"),
    "of other clips": (lambda path: resealed(path, batch=[]), "of other clips"),
    "of another model": (lambda path: resealed(path, model="CNN"), "of other model"),
}


def resealed(path, **changes):
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps(found | {"seal": baseline.seal_of(found)}))


@pytest.mark.parametrize("how", SPOILS)
def test_a_bad_golden_trace_is_refused(how, case, tmp_path):
    path = tmp_path / "CRNN.golden.json"
    path.write_text(golden.path_of(case, BASELINES).read_text())
    spoil, said = SPOILS[how]
    spoil(path)
    with pytest.raises(CannotRun, match=said):
        golden.read(path, case)


def test_real_golden_traces_stay_in_the_users_store(case, tmp_path):
    assert (
        golden.path_of(case._replace(data="real"), BASELINES)
        == tmp_path / "golden" / "CRNN.golden.json"
    )


def test_another_shape_is_told_by_what_changed_in_the_port(bare):
    done = bare("--golden", "--port", "gate_ports:another_shape")
    assert done.exit_code == 1 and "identity" in done.output, done.output
    assert "where Keras says" in done.output
