"""The recorders' environments: built once when missing or stale, and every missing tool told with
the package that has it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity.errors import CannotRun
from parity.recording import environments
from parity.recording.stacks import STACKS

ROOT = Path(__file__).resolve().parents[2]
STACK = STACKS["keras106"]


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A checkout with nothing built, and a stand-in for tox that `install_tox` writes."""
    monkeypatch.setattr(environments, "WORK", tmp_path / ".tox")
    monkeypatch.setattr(environments, "TOX", tmp_path / "tox")
    return tmp_path


def install_tox(folder, lines):
    (folder / "tox").write_text("#!/bin/sh\n" + lines)
    (folder / "tox").chmod(0o755)


def pretend_built(folder, **versions):
    """An environment as its metadata shows it; its python is this one."""
    site = folder / ".tox" / STACK.name / "lib" / "python3.11" / "site-packages"
    for name, version in {**STACK.packages, **versions}.items():
        (site / f"{name}-{version}.dist-info").mkdir(parents=True)
        metadata = f"Metadata-Version: 2.1\nName: {name.title()}\nVersion: {version}\n"
        (site / f"{name}-{version}.dist-info" / "METADATA").write_text(metadata)
    (folder / ".tox" / STACK.name / "bin").mkdir()
    (folder / ".tox" / STACK.name / "bin" / "python").symlink_to(sys.executable)


def test_every_stack_is_one_that_tox_builds_from_a_lock():
    tox_ini = (ROOT / "tox.ini").read_text()
    for stack in STACKS.values():
        assert stack.name.removeprefix("keras") in tox_ini
        pins = (ROOT / "requirements" / f"{stack.name}.txt").read_text().lower()
        for name, version in stack.packages.items():
            assert f"{name}=={version}" in pins, stack.name


def test_no_compiler_is_told_with_its_package(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        CannotRun, match=r"g\+\+ is not on the PATH, .* \(Debian: apt-get install g\+\+\)"
    ):
        environments.python_of(STACK)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        (
            "#!/bin/sh\necho /nowhere/include\n",
            r"/nowhere/include/Python\.h: not there, .*apt-get install python3\.11-dev",
        ),
        ("#!/bin/sh\nexit 1\n", r"python: does not run; build it again"),
    ],
)
def test_a_python_without_headers_is_told_with_its_package(tmp_path, script, sentence):
    python = tmp_path / "python"
    python.write_text(script)
    python.chmod(0o755)
    with pytest.raises(CannotRun, match=sentence):
        environments.check_headers(python)


def test_the_headers_of_this_python_are_found():
    environments.check_headers(Path(sys.executable))


def test_a_built_environment_is_used_as_it_is(bare):
    pretend_built(bare)
    install_tox(bare, f"touch {bare}/called\n")
    assert environments.python_of(STACK) == bare / ".tox" / "keras106" / "bin" / "python"
    assert not (bare / "called").exists()


@pytest.mark.parametrize("stale", [{"keras": "1.0.7"}, {"numpy": "1.24.0"}, {"theano": "1.0.4"}])
def test_an_environment_with_another_version_is_built_again(bare, stale):
    pretend_built(bare, **stale)
    assert not environments.is_built(STACK)


def test_a_missing_environment_is_built_without_the_outer_toxs_settings(bare, monkeypatch):
    monkeypatch.setenv("TOX_ENV_NAME", "harness")
    (bare / "include").mkdir()
    (bare / "include" / "Python.h").touch()
    install_tox(
        bare,
        f'echo "$@" > {bare}/called; env > {bare}/environ; mkdir -p {bare}/.tox/keras106/bin\n'
        f'printf "#!/bin/sh\\necho {bare}/include\\n" > {bare}/.tox/keras106/bin/python\n'
        f"chmod +x {bare}/.tox/keras106/bin/python\n",
    )
    environments.python_of(STACK)
    assert (
        bare / "called"
    ).read_text().strip() == f"run -q --notest --workdir {bare}/.tox -e keras106"
    told = (bare / "environ").read_text()
    assert "TOX_ENV_NAME" not in told
    assert "UV_PYTHON_DOWNLOADS=never" in told


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (None, r"tox: not there, and keras106 has to be built with it; run `make parity`"),
        (
            "echo 'error: No interpreter found for CPython 3.11 in search path' >&2; exit 2\n",
            (
                r"keras106: no Python 3\.11 here, .*apt-get install python3\.11 "
                r"python3\.11-venv python3\.11-dev"
            ),
        ),
        (
            "echo resolving; printf '\\033[31mno network\\033[0m\\n' >&2; exit 1\n",
            (
                r"keras106: its environment could not be built; .* ends with:\n  resolving\n  "
                r"no network$"
            ),
        ),
        ("exit 1\n", r"ends with:\n  no output$"),
    ],
)
def test_an_environment_that_cannot_be_built_is_told_in_a_sentence(bare, lines, sentence):
    if lines:
        install_tox(bare, lines)
    with pytest.raises(CannotRun, match=sentence):
        environments.python_of(STACK)


def test_two_runs_at_once_build_it_once(bare):
    pretend_built(bare)
    os.rename(bare / ".tox" / "keras106", bare / "ready")
    install_tox(
        bare, f"echo built >> {bare}/called; sleep 0.5; mv {bare}/ready {bare}/.tox/keras106\n"
    )
    script = f"""
from pathlib import Path
from parity.recording import environments
from parity.recording.stacks import STACKS
environments.WORK, environments.TOX = Path({str(bare)!r}) / ".tox", Path({str(bare)!r}) / "tox"
environments.python_of(STACKS["keras106"])
"""
    runs = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(2)]
    assert [run.wait(timeout=30) for run in runs] == [0, 0]
    assert (bare / "called").read_text() == "built\n"


def test_a_work_folder_that_cannot_be_written_is_told(bare):
    (bare / ".tox").write_text("in the way")
    with pytest.raises(
        CannotRun,
        match=(
            r"keras106\.lock: cannot be written \((File exists|Not a directory)\); the "
            r"recorders'"
        ),
    ):
        environments.python_of(STACK)
