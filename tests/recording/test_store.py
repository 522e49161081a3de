"""The store: JSON kept by key, damaged files, and several stores in one folder."""

import doctest
import os

import pytest

from parity import store
from parity.errors import CannotRun
from parity.store import Store, key_of
from tests.recording.conftest import ShortKeys, full

HDF5 = b"\x89HDF\r\n\x1a\n"


def test_the_examples_of_the_documentation_hold():
    found = doctest.testmod(store)
    assert (found.failed, found.attempted > 2) == (0, True)


def test_what_is_written_is_loaded_and_what_is_damaged_or_missing_is_none(tmp_path):
    kept = ShortKeys(tmp_path / "new", ".json")
    assert kept.load("a") is None
    path = kept.keep("a", {"x": [1]})
    assert (path, kept.load("a")) == (tmp_path / "new" / f"{full('a')}.json", {"x": [1]})
    other = kept.path("b")
    other.write_bytes(path.read_bytes())
    assert kept.load("b") is None, "another key's"
    for edited in ('{"x": [1', '{"x": [1]}', "[1]", path.read_text().replace("[1]", "[2]")):
        path.write_text(edited)
        assert kept.load("a") is None, edited


def test_stores_of_two_suffixes_in_one_folder_do_not_clear_each_other(tmp_path):
    one, other = ShortKeys(tmp_path, ".json"), ShortKeys(tmp_path, ".h5")
    one.write("a", "1"), other.write("a", HDF5)
    assert one.clear() == (1, 1, 0)
    assert [entry.path for entry in other.entries()] == [other.path("a")]


def test_without_a_limit_nothing_is_removed(tmp_path):
    kept = ShortKeys(tmp_path, ".json")
    kept.keep("a", 1)
    kept.make_room()
    assert kept.load("a") == 1


def test_a_folder_that_cannot_be_made_is_told_with_the_name_and_the_advice(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        CannotRun, match=r"^calls .*: cannot be written \(Not a directory\); go away$"
    ):
        Store(tmp_path / "file" / "in", ".json", name="calls", advice="go away")


def test_a_key_sees_the_order_of_its_parts_but_not_of_their_keys():
    assert key_of("a", "b") != key_of("b", "a")
    assert key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})


def strangers(folder):
    """What a user may have in a folder: files of other names, links, a pipe, folders, a loop."""
    inside, outside = folder / "inside", folder / "outside.h5"
    outside.write_bytes(HDF5)
    for name in (
        "weights.h5",
        "a.h5",
        f"{full('a')[:-1]}.h5",
        f"{full('a')}.txt",
        f"{full('b')}.h5~",
    ):
        (inside / name).write_bytes(HDF5)
    (inside / f"{full('rubbish')}.h5").write_bytes(b"no HDF5")
    (inside / f"{full('link')}.h5").symlink_to(outside)
    (inside / f"{full('loop')}.h5").symlink_to(f"{full('loop')}.h5")
    (inside / f"{full('folder')}.h5").mkdir()
    (inside / f"{full('link')}.abcdefgh.part").symlink_to(folder)
    (inside / "mine.abcdefgh.part").mkdir()
    (inside / f"{full('lock')}.lock").symlink_to(outside)
    os.mkfifo(inside / f"{full('pipe')}.h5")
    return {path: path.lstat() for path in (outside, *inside.iterdir())}


def test_only_files_that_the_store_wrote_are_ever_touched(tmp_path):
    (tmp_path / "inside").mkdir()
    kept = ShortKeys(tmp_path / "inside", ".h5", limit_bytes=lambda: 0)
    before = strangers(tmp_path)
    kept.write("own", HDF5)
    assert [entry.path for entry in kept.entries()] == [kept.path("own")]
    for name in ("link", "loop", "folder", "pipe", "rubbish"):
        assert kept.find(name) is None
    for name in ("link", "loop", "folder", "pipe"):
        for begin in (kept.scratch, lambda name: kept.write(name, HDF5)):
            with pytest.raises(CannotRun, match="is no file of this program; remove it"):
                begin(name)
    with pytest.raises(CannotRun, match="cannot be written"):
        kept.try_lock("lock")
    kept.make_room()
    assert kept.entries() == []
    kept.write("own", HDF5)
    assert kept.clear() == (1, len(HDF5), 0)
    after = {path: path.lstat() for path in before}
    assert [path for path in before if after[path][:7] != before[path][:7]] == []
    assert [path for path in before if after[path].st_mtime != before[path].st_mtime] == []


def test_a_file_of_another_user_is_not_removed(tmp_path, monkeypatch):
    kept = ShortKeys(tmp_path, ".json")
    path = kept.write("a", "1")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert kept.clear() == (0, 0, 0) and path.exists() and kept.load("a") is None


def test_a_folder_that_went_away_meanwhile_is_told_in_a_sentence(tmp_path):
    kept = ShortKeys(tmp_path / "inside", ".h5", limit_bytes=lambda: 0)
    (tmp_path / "inside").rmdir()
    with pytest.raises(CannotRun, match=r"cannot be written \(No such file or directory\)"):
        kept.scratch("own")
