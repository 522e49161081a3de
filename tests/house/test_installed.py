"""The package as it is installed: whole, without a clone beside it, and from any folder."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The folder that it is installed into, without what it depends on."""
    folder = tmp_path_factory.mktemp("installed")
    uv = ROOT / ".tools" / "bin" / "uv"
    source = tmp_path_factory.mktemp("source") / "project"
    ignored = [
        "--exclude",
        "./.*",
        "--exclude",
        "./build",
        "--exclude",
        "./reports/out",
        "--exclude",
        "node_modules",
    ]
    source.mkdir()
    tar = subprocess.run(
        ["tar", "-C", ROOT, *ignored, "-cf", "-", "."], capture_output=True, check=True
    )
    subprocess.run(["tar", "-C", source, "-xf", "-"], input=tar.stdout, check=True)
    command = [
        uv,
        "pip",
        "install",
        "--quiet",
        "--no-deps",
        "--python",
        sys.executable,
        "--target",
        folder,
        source,
    ]
    subprocess.run(command, check=True)
    return folder


def call(installed, tmp_path, program, *words):
    environment = os.environ | {
        "PYTHONPATH": str(installed),
        "PARITY_CACHE": str(tmp_path / "cache"),
    }
    command = [sys.executable, "-P", "-m", program, *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.slow
def test_commands_run_from_any_folder_and_write_nothing_into_the_package(installed, tmp_path):
    before = sorted(path for path in installed.rglob("*") if path.suffix != ".pyc")
    assert "version" in call(installed, tmp_path, "parity", "--version").stdout
    assert "version" in call(installed, tmp_path, "tagger", "--version").stdout
    words = ("probe", "--model", "CRNN", "--layer", "gru2", "--layer", "conv1")
    assert (
        "2 of 2 layers compute the original's function"
        in call(installed, tmp_path, "parity", *words).stdout
    )
    assert (tmp_path / "reports" / "out" / "probes.json").exists()
    after = sorted(
        path
        for path in installed.rglob("*")
        if path.suffix not in (".pyc",) and path.name != "__pycache__"
    )
    assert after == [path for path in before if path.name != "__pycache__"]


@pytest.mark.slow
def test_every_lock_and_template_is_in_it(installed):
    for path in (
        "requirements/keras106.txt", "requirements/chainer.txt", "requirements/build.txt", "reports/templates/parity.html.j2",
        "reports/parity.schema.json", "fixtures/published.json", "reference/keras.json",
    ):  # fmt: skip
        assert (installed / "parity" / path).exists(), path
    script = "from parity.recording import environments as e; print(e.IS_CLONE, e.LOCKS.exists(), e.WORK)"
    done = subprocess.run(
        [sys.executable, "-P", "-c", script], cwd=installed.parent, env=os.environ | {"PYTHONPATH": str(installed)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.stdout.startswith("False True ") and str(installed) not in done.stdout, done.stderr
