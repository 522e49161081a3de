"""The commit that outputs name is the one that is checked out, wherever git keeps it."""

import subprocess

import pytest

from parity.processes import run
from parity.provenance import commit


@pytest.fixture
def clone(tmp_path):
    """A repository with one commit, and git for it."""

    def git(*words, folder="here"):
        names = ("-c", "user.name=a", "-c", "user.email=b")
        return run(["git", "-C", tmp_path / folder, *names, *words]).stdout.strip()

    subprocess.run(["git", "init", "-q", tmp_path / "here"], check=True)
    git("commit", "-q", "--allow-empty", "-m", "first")
    return tmp_path, git


def test_of_a_branch_a_packed_one_a_worktree_and_a_detached_head(clone):
    folder, git = clone
    here, first = folder / "here", git("rev-parse", "HEAD")
    assert len(first) == 40 and commit(here) == first
    git("pack-refs", "--all")
    assert commit(here) == first
    git("worktree", "add", "-q", "-b", "other", folder / "there")
    git("commit", "-q", "--allow-empty", "-m", "second", folder="there")
    assert commit(folder / "there") == git("rev-parse", "other") != first
    assert commit(here) == first
    git("checkout", "-q", "--detach", "other")
    assert commit(here) == git("rev-parse", "other")


def test_where_there_is_none(tmp_path):
    assert commit(tmp_path) is None
