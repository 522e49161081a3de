"""The package as another repository gets it: by the real pre-commit, whole, without a clone beside it,
and from any folder.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import pytest

from parity.fixtures.gallery import made

ROOT = Path(__file__).resolve().parents[2]
PRE_COMMIT = (sys.executable, "-m", "pre_commit")
HOOKS = """
repos:
- repo: {repository}
  rev: main
  hooks: [{{id: parity-identity}}, {{id: parity-probe}}]
"""

pytestmark = pytest.mark.slow


def git(folder, *words):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@b", "-c", "core.hooksPath=/dev/null"]
    subprocess.run([*command, *words], cwd=folder, check=True, capture_output=True)


def committed(folder):
    """A folder as a repository with all its files in one commit."""
    git(folder, "init", "--initial-branch=main")
    git(folder, "add", "--all")
    git(folder, "commit", "--message=first")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """This tree as a repository, as it stands here."""
    source = tmp_path_factory.mktemp("project")
    left_out = ("./.git", "./.t*", "./build", "./reports/out", "node_modules", "__pycache__")
    ignored = [word for each in left_out for word in ("--exclude", each)]
    tar = ["tar", "-C", ROOT, *ignored, "-cf", "-", "."]
    packed = subprocess.run(tar, capture_output=True, check=True).stdout
    subprocess.run(["tar", "-C", source, "-xf", "-"], input=packed, check=True)
    return committed(source)


@pytest.fixture(scope="module")
def stranger(project, tmp_path_factory):
    """Another repository, with a model of its own, that takes our hooks."""
    folder = tmp_path_factory.mktemp("stranger")
    files = made("lenet", folder)
    shutil.copy(files.definition, folder / "net.json")
    (folder / ".pre-commit-config.yaml").write_text(HOOKS.format(repository=project))
    return committed(folder)


@pytest.fixture(scope="module")
def home(stranger, tmp_path_factory):
    """Where pre-commit keeps what it installed, and all that our commands keep."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRE_COMMIT_HOME", str(folder))
        patch.setenv("PARITY_CACHE", str(folder / "cache"))
        patch.delenv("CI", raising=False)  # nothing is approved there
        patch.delenv("PYTHONPATH", raising=False)
        subprocess.run([*PRE_COMMIT, "install-hooks"], cwd=stranger, check=True)
        yield folder


@pytest.fixture(scope="module")
def python(home):
    """The Python that it is installed for."""
    (found,) = home.glob("repo*/py_env-*/bin/python")
    return found


def call(python, folder, program, *words, path=""):
    command = [python, "-P", "-m", program, *map(str, words)]
    environment = os.environ | {"PYTHONPATH": str(path)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def files_of(package):
    return sorted(path for path in package.rglob("*") if "__pycache__" not in path.parts)


def test_commands_run_from_any_folder_and_write_nothing_into_the_package(python, tmp_path):
    (package,) = python.parents[1].glob("lib/python*/site-packages/parity")
    before = files_of(package)
    assert "version" in call(python, tmp_path, "parity", "--version")
    assert "version" in call(python, tmp_path, "tagger", "--version")
    words = ("probe", "--model", "CRNN", "--layer", "gru2", "--layer", "conv1")
    said = call(python, tmp_path, "parity", *words)
    assert "2 of 2 layers compute the original's function" in said
    assert (tmp_path / "reports" / "out" / "probes.json").exists()
    assert files_of(package) == before
    for name in (
        "requirements/keras106.txt", "requirements/chainer.txt", "requirements/build.txt", "reports/templates/parity.html.j2",
        "reports/parity.schema.json", "fixtures/published.json", "reference/keras.json",
    ):  # fmt: skip
        assert (package / name).exists(), name
    script = "from parity.recording import environments as e; print(e.IS_CLONE, e.LOCKS.exists(), e.WORK)"
    command = [python, "-P", "-c", script]
    said = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True).stdout
    assert said.startswith("False True ") and str(package) not in said


def hooks(folder):
    command = [*PRE_COMMIT, "run", "--all-files"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    return done.returncode, done.stdout


def test_our_hooks_judge_another_repository(home, stranger):
    code, said = hooks(stranger)
    assert code == 1 and said.count("there is no parity.toml here") == 2, said
    words = ("net.json", "lenet.h5", "--keras", "1.0.6", "--input", "lenet-0.npy")
    for command in (("init", *words), ("run",), ("gate", "accept", "--reason", "first")):
        call(sys.executable, stranger, "parity", *command, path=ROOT)  # this one has a recorder
    code, said = hooks(stranger)
    assert code == 0 and said.count("Passed") == 2, said
    with h5py.File(stranger / "lenet.h5", "r+") as file:
        file["c1/c1_b"][0] += 1
    code, said = hooks(stranger)
    assert code == 1 and "net / c1" in said and said.count("Passed") == 1, said


def test_our_hooks_judge_this_project(home, project):
    (project / ".pre-commit-config.yaml").write_text(HOOKS.format(repository=project))
    code, said = hooks(project)
    assert code == 0 and said.count("Passed") == 2, said
