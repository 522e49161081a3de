"""The changes that the gate must catch: all can be planted, and those that need no run are
tried; `python -m tests.gate.mutants` tries all.
"""

import shutil

import pytest
from mutants.__main__ import copy_sources, markdown, tried
from mutants.changes import CHANGES, FIGURES, HARMLESS
from mutants.planting import edit

WITHOUT_DATA = [change for change in (*CHANGES, *HARMLESS) if change.how == FIGURES]


def test_there_are_25_changes_and_5_harmless_ones():
    assert (len(CHANGES), len(HARMLESS)) == (25, 5)
    assert all(change.limit for change in CHANGES) and not any(change.limit for change in HARMLESS)


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    root = tmp_path_factory.mktemp("sources")
    copy_sources(root)
    return root


@pytest.mark.parametrize("change", WITHOUT_DATA, ids=[change.name for change in WITHOUT_DATA])
def test_every_change_of_a_source_can_be_planted_and_parsed(change, sources, tmp_path):
    shutil.copytree(sources, tmp_path / "copy")
    change.plant(tmp_path / "copy")
    pairs = [
        (path, tmp_path / "copy" / path.relative_to(sources)) for path in sources.rglob("*.py")
    ]
    changed = [after for before, after in pairs if before.read_text() != after.read_text()]
    assert len(changed) == 1
    compile(changed[0].read_text(), changed[0].name, "exec")


def test_a_change_that_finds_nothing_to_change_is_an_error(sources):
    with pytest.raises(ValueError, match="plant it elsewhere"):
        edit("port/network.py", "nowhere in this file", "x")(sources)


@pytest.mark.slow
def test_changes_are_caught_without_running_anything():
    rows = tried([change for change in CHANGES if change.how != FIGURES])
    assert [row.change.name for row in rows if not row.right] == [], markdown(rows)
    assert len(rows) == 13
