"""Environments of old packages: built once when missing or stale, and every missing tool told with
the package that has it.
"""

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from parity.errors import CannotRun
from parity.recording import environments
from parity.recording.stacks import STACKS

ROOT = Path(__file__).resolve().parents[2]
STACK = STACKS["keras106"]


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A checkout with nothing built, and a stand-in for uv that `install_uv` writes."""
    monkeypatch.setattr(environments, "WORK", tmp_path / ".tox")
    monkeypatch.setattr(environments, "UV", tmp_path / "uv")
    return tmp_path


def install_uv(folder, lines):
    """A uv that does `lines`; before, `$1` is told from `--color never`."""
    (folder / "uv").write_text(f"#!/bin/sh\nshift 2; echo $1 >> {folder}/called\n{lines}")
    (folder / "uv").chmod(0o755)


def called(folder):
    return (folder / "called").read_text().split()


BUILDS = """for home; do :; done
[ $1 = venv ] && mkdir -p $home/bin && \
printf '#!/bin/sh\\necho {bare}/include\\n' > $home/bin/python && chmod +x $home/bin/python
exit 0
"""
BOTH = ["python", "venv", "pip"] * 2  # what they share, and Keras


@pytest.fixture
def building(bare):
    """A stand-in for uv that builds."""
    (bare / "include").mkdir()
    (bare / "include" / "Python.h").touch()
    install_uv(bare, BUILDS.format(bare=bare))
    return bare


def test_every_stack_has_a_lock_of_its_packages():
    shared = (environments.LOCKS / "reference.txt").read_text()
    for stack in STACKS.values():
        pins = shared + (environments.LOCKS / f"{stack.name}.txt").read_text().lower()
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
        ("#!/bin/sh\nexit 1\n", r"python: does not run; delete .*builds it again"),
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


def test_a_missing_environment_is_built_once_and_told_before(building, capsys):
    python = environments.python_of(STACK)
    assert python == building / ".tox" / "keras106" / "bin" / "python"
    assert called(building) == BOTH
    said = capsys.readouterr().err
    assert "reference: building its environment, about" in said
    assert "keras106: building its environment, about" in said
    site = building / ".tox" / "{}" / environments.SITE
    keras = Path(str(site).format("keras106"))
    told = (keras / "below.pth").read_text()
    assert not Path(told).is_absolute()
    assert os.path.normpath(keras / told) == str(site).format("reference")
    environments.python_of(STACK)
    assert called(building) == BOTH


def test_an_environment_of_another_lock_or_half_built_is_built_again(building):
    environments.python_of(STACK)
    assert environments.is_built(STACK.name)
    stamp = building / ".tox" / "keras106" / "lock.sha256"
    stamp.write_text("of another lock")
    assert not environments.is_built(STACK.name)
    stamp.unlink()
    assert not environments.is_built(STACK.name)


NO_PYTHON = '[ "$2" = find ] && exit 2\n'


def test_a_missing_python_is_fetched_after_saying_so(building, capsys):
    install_uv(building, NO_PYTHON + BUILDS.format(bare=building))
    environments.python_of(STACK)
    assert called(building) == ["python", "python", "venv", "pip"] * 2
    assert "no Python 3.11 here: uv fetches one, about 30 MB" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        (
            NO_PYTHON + "echo 'error: downloads are disabled' >&2; exit 2\n",
            r"no Python 3\.11 here, .*\(error: downloads are disabled\); install it",
        ),
        (
            "[ $1 = python ] && exit 0\necho resolving; echo no network >&2; exit 1\n",
            r"reference: its environment could not be built; .* ends with:\n  resolving\n  no network$",
        ),
        ("[ $1 = python ] && exit 0\nexit 1\n", r"ends with:\n  no output$"),
    ],
)
def test_an_environment_that_cannot_be_built_is_told_in_a_sentence(bare, lines, sentence):
    install_uv(bare, lines)
    with pytest.raises(CannotRun, match=sentence):
        environments.python_of(STACK)


def test_uv_is_the_makefiles_else_the_installed_one_else_the_users(bare, monkeypatch):
    monkeypatch.setattr(environments.util, "find_spec", lambda name: None)
    monkeypatch.setattr(environments.shutil, "which", {"g++": "g++"}.get)
    with pytest.raises(CannotRun, match=r"uv is not here, .* run: pip install uv"):
        environments.python_of(STACK)
    monkeypatch.setattr(environments.shutil, "which", {"g++": "g++", "uv": "/users/uv"}.get)
    assert environments._uv_path() == Path("/users/uv")


def test_two_runs_at_once_build_it_once(building):
    install_uv(building, "sleep 0.2\n" + BUILDS.format(bare=building))
    script = f"""
from pathlib import Path
from parity.recording import environments
from parity.recording.stacks import STACKS
environments.WORK, environments.UV = Path({str(building)!r}) / ".tox", Path({str(building)!r}) / "uv"
environments.python_of(STACKS["keras106"])
"""
    runs = [subprocess.Popen([sys.executable, "-c", script], cwd=ROOT) for _ in range(2)]
    assert [run.wait(timeout=30) for run in runs] == [0, 0]
    assert called(building) == BOTH


def test_a_work_folder_that_cannot_be_written_is_told(bare):
    (bare / ".tox").write_text("in the way")
    with pytest.raises(
        CannotRun,
        match=r"reference\.lock: cannot be written \((File exists|Not a directory)\); the recorders'",
    ):
        environments.python_of(STACK)


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A machine without Python 3.11, and a mirror that has one."""
    stem = "cpython-3.11.18-linux-x86_64-gnu"
    python = tmp_path / "python3.11"
    python.write_text(f'#!/bin/sh\nexec {os.path.realpath(sys.executable)} "$@"\n')
    python.chmod(0o755)
    with tarfile.open(tmp_path / "python.tar.gz", "w:gz") as tar:
        tar.add(python, "python/bin/python3.11")
        for path in Path(sysconfig.get_path("stdlib")).glob("_sysconfigdata_*.py"):  # uv mends it
            tar.add(path, f"python/lib/python3.11/{path.name}")
    told = {
        "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "linux", "libc": "gnu",
        "major": 3, "minor": 11, "patch": 18, "prerelease": "", "sha256": None, "variant": None, "build": None,
        "url": (tmp_path / "python.tar.gz").as_uri(),
    }  # fmt: skip
    (tmp_path / "mirror.json").write_text(json.dumps({stem: told}))
    (tmp_path / "requirements").mkdir()
    for name in ("tiny.txt", "build.txt"):
        (tmp_path / "requirements" / name).touch()
    monkeypatch.setattr(environments, "LOCKS", tmp_path / "requirements")
    monkeypatch.setattr(environments, "WORK", tmp_path / "work")
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS_JSON_URL", str(tmp_path / "mirror.json"))
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "pythons"))
    monkeypatch.setenv("UV_PYTHON_PREFERENCE", "only-managed")
    monkeypatch.delenv("UV_PYTHON_DOWNLOADS", raising=False)


def test_a_python_is_fetched_from_a_mirror(mirror, capsys):
    python = environments.built("tiny")
    assert "no Python 3.11 here: uv fetches one" in capsys.readouterr().err
    done = subprocess.run(
        [python, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True
    )
    assert done.stdout.strip() == str(python.parent.parent)


def test_where_downloads_are_forbidden_none_is_fetched(mirror, monkeypatch):
    monkeypatch.setenv("UV_PYTHON_DOWNLOADS", "never")
    with pytest.raises(CannotRun, match=r"no Python 3\.11 here, .*downloads are not allowed"):
        environments.built("tiny")
