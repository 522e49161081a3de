"""`parity data`: what this machine keeps, and how it gets less."""

import os

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.recording import environments
from parity.recording.cache import trace_cache


@pytest.fixture
def kept(tmp_path, monkeypatch):
    """Three traces of 1 MB, the first used least recently, and an environment of 2 MB."""
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(environments, "WORK", tmp_path / "work")
    for at in range(3):
        path = trace_cache().write(f"{at}" * 64, b"\x89HDF\r\n\x1a\n" + b"x" * 1_000_000)
        os.utime(path, (at, at))
    home = tmp_path / "work" / "keras106"
    home.mkdir(parents=True)
    (home / "python").write_bytes(b"x" * 2_000_000)


def call(*words):
    done = CliRunner().invoke(main, ["data", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_traces_and_environments_are_listed_with_their_sizes(kept):
    said = call()
    assert said == call("list")
    assert "3 traces, 0.00 GB of 20 GB" in said and "2 MB  keras106" in said
    assert "1 environments, 0.00 GB" in said


def test_pruning_removes_what_was_used_least_recently(kept):
    assert call("prune", "--to", "0.0025").startswith("removed 1 traces, 0.00 GB; 2 are left")
    assert sorted(path.path.stem[0] for path in trace_cache().entries()) == ["1", "2"]
    assert "removed 0 traces" in call("prune", "--to", "1")


def test_clearing_removes_all_that_nobody_uses(kept):
    assert call("clear") == "removed 3 traces, 0.00 GB\n"
    assert trace_cache().entries() == []
