"""Files are there whole or not at all, and what cannot be written is one sentence."""

import os

import pytest

from parity.errors import CannotRun
from parity.files import atomic_write, check_writable


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "crnn.npz"
    path.write_bytes(b"old")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CannotRun, match=r"cannot be written \(No space left on device\); free"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["crnn.npz"]


def test_a_folder_is_made_unless_it_cannot_be(tmp_path):
    atomic_write(tmp_path / "a" / "b.txt", "naïve")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "naïve".encode()
    with pytest.raises(CannotRun, match="cannot be written"):
        atomic_write(tmp_path / "a" / "b.txt" / "c", b"")


def test_what_cannot_be_written_is_said_beforehand(tmp_path):
    check_writable(None)
    check_writable(tmp_path / "x")
    for path, said in ((tmp_path / "none" / "x", "is not a folder"), (tmp_path, "it is a folder")):
        with pytest.raises(CannotRun, match=said):
            check_writable(path)
