"""The store: JSON kept by key, damaged files, and several stores in one folder."""

import doctest

import pytest

from parity import store
from parity.errors import CannotRun
from parity.store import Store, key_of


def test_the_examples_of_the_documentation_hold():
    found = doctest.testmod(store)
    assert (found.failed, found.attempted > 2) == (0, True)


def test_what_is_written_is_loaded_and_what_is_damaged_or_missing_is_none(tmp_path):
    kept = Store(tmp_path / "new", ".json")
    assert kept.load("a") is None
    path = kept.write("a", '{"x": [1]}')
    assert (path, kept.load("a")) == (tmp_path / "new" / "a.json", {"x": [1]})
    path.write_text('{"x": [1')
    assert kept.load("a") is None


def test_stores_of_two_suffixes_in_one_folder_do_not_clear_each_other(tmp_path):
    one, other = Store(tmp_path, ".json"), Store(tmp_path, ".h5")
    one.write("a", "1"), other.write("a", "2")
    assert one.clear() == (1, 1, 0)
    assert [entry.path.name for entry in other.entries()] == ["a.h5"]


def test_without_a_limit_nothing_is_removed(tmp_path):
    kept = Store(tmp_path, ".json")
    kept.write("a", "1")
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
