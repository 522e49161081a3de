"""What a user asked for is written whole or not at all, and nothing of the user's is lost."""

import os
import stat
import threading

import pytest

from parity import files
from parity.errors import CannotRun
from parity.files import atomic_write, check_writable, lock, publish

PAGE = "<!DOCTYPE html><meta script-src 'sha256-AAAA'>"
CSV = "model,layer,kind,mode,verdict,shape\n"


def full(*_):
    raise OSError(28, "No space left on device")


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "crnn.npz"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CannotRun, match=r"cannot be written \(No space left on device\); free"):
        atomic_write(path, b"new")
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == ["crnn.npz"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
@pytest.mark.parametrize("at", [1, 2])
def test_a_set_is_published_whole_or_not_at_all(tmp_path, monkeypatch, function, at):
    names = ("parity.csv", "new.csv", "parity.html")
    for name, text in zip(names, (CSV, None, PAGE), strict=True):
        if text:
            (tmp_path / name).write_text(text + "old")
    calls, real = [], getattr(os, function)

    def fails(*arguments):
        calls.append(arguments)
        return full() if len(calls) == at + 1 else real(*arguments)

    monkeypatch.setattr(os, function, fails)
    with pytest.raises(CannotRun, match="No space left"):
        publish({tmp_path / name: (PAGE if "html" in name else CSV) + "new" for name in names})
    left = {path.name: path.read_text()[-3:] for path in tmp_path.iterdir()}
    assert left == {"parity.csv": "old", "parity.html": "old"}


def test_the_next_write_clears_what_a_killed_one_left_and_nothing_else(tmp_path):
    here = {
        "x.csv.0123abcd.part": CSV,  # of a killed process
        "x.html.0123abcd.part": "",
        "notes.csv.0123abcd.part": "mine",
        "x.bin.0123abcd.part": CSV,
        "x.csv.part": CSV,
        "held.csv.0123abcd.part": CSV,
    }
    for name, text in here.items():
        (tmp_path / name).write_text(text)
    (tmp_path / "link.csv.0123abcd.part").symlink_to(tmp_path / "held.csv.0123abcd.part")
    os.mkfifo(tmp_path / "pipe.csv.0123abcd.part")
    with lock(tmp_path / "held.csv.0123abcd.part"):
        publish({tmp_path / "new.csv": CSV})
    kept = {*here, "link.csv.0123abcd.part", "pipe.csv.0123abcd.part", "new.csv"}
    assert {path.name for path in tmp_path.iterdir()} == kept - {*list(here)[:2]}


def test_what_is_being_written_is_held(tmp_path, monkeypatch):
    seen = []

    def replace(temporary, target):
        with lock(temporary) as alone:
            seen.append(alone)

    monkeypatch.setattr(os, "replace", replace)
    atomic_write(tmp_path / "x.csv", CSV)
    assert seen == [False]


def test_a_folder_is_made_unless_it_cannot_be(tmp_path):
    atomic_write(tmp_path / "a" / "b.txt", "naïve")
    assert (tmp_path / "a" / "b.txt").read_bytes() == "naïve".encode()
    with pytest.raises(CannotRun, match="cannot be written"):
        atomic_write(tmp_path / "a" / "b.txt" / "c", b"")
    publish({tmp_path / "c" / "d" / "x.csv": CSV})
    assert (tmp_path / "c" / "d" / "x.csv").read_text() == CSV


def test_what_cannot_be_written_is_said_beforehand(tmp_path):
    check_writable(None)
    check_writable(tmp_path / "x")
    (tmp_path / "loop").symlink_to("loop")
    for path, said in (
        (tmp_path / "none" / "x", "is not a folder"),
        (tmp_path, "it is a folder"),
        (tmp_path / "loop", "lead in a circle"),
        (tmp_path / ("x" * 300), "too long"),
        ("nul\0", "null byte"),
    ):
        with pytest.raises(CannotRun, match=said):
            check_writable(path)


@pytest.mark.parametrize("text", ["theirs", "{}", "a,b\n1,2\n", "PK\x03\x04"])
@pytest.mark.parametrize("suffix", [*files.OURS, "", ".txt"])
def test_a_file_of_anothers_is_refused_unless_forced(tmp_path, suffix, text):
    path = tmp_path / f"x{suffix}"
    path.write_text(text)
    for refused in (lambda: check_writable(path), lambda: publish({path: CSV})):
        with pytest.raises(CannotRun, match="this program did not write; name another, or say"):
            refused()
    assert path.read_text() == text
    publish({path: CSV}, force=True)
    assert path.read_text() == CSV


def test_our_own_and_empty_files_are_replaced_and_keep_their_mode(tmp_path):
    path = tmp_path / "x.csv"
    for old in (CSV, ""):
        path.write_text(old)
        path.chmod(0o600)
        publish({path: CSV + "1"})
        assert path.read_text() == CSV + "1" and stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_file_has_the_mode_that_the_user_wants(tmp_path):
    before = os.umask(0o077)
    try:
        publish({tmp_path / "x.csv": CSV})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x.csv").stat().st_mode) == 0o600


@pytest.mark.parametrize("way", ["name", "link", "hard link", "folder that is not there"])
def test_an_input_is_never_replaced(tmp_path, way):
    source = tmp_path / "x.csv"
    source.write_text(CSV)
    target = {
        "name": source,
        "link": tmp_path / "link.csv",
        "hard link": tmp_path / "hard.csv",
        "folder that is not there": tmp_path / "none" / ".." / "x.csv",
    }[way]
    if way == "link":
        target.symlink_to(source)
    elif way == "hard link":
        target.hardlink_to(source)
    with pytest.raises(CannotRun, match="it is an input and would be overwritten"):
        publish({target: CSV + "new"}, inputs=[source], force=True)
    assert source.read_text() == CSV


def test_a_link_leads_to_where_it_led(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "x.csv").symlink_to("folder/y.csv")
    publish({tmp_path / "x.csv": CSV})
    assert (tmp_path / "x.csv").is_symlink() and (tmp_path / "folder/y.csv").read_text() == CSV


def test_devices_and_pipes_are_written_through(tmp_path):
    publish({"/dev/null": CSV})
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    os.mkfifo(tmp_path / "pipe.csv")
    read = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe.csv").read_text()))
    reader.start()
    publish({tmp_path / "pipe.csv": CSV})
    reader.join()
    assert read == [CSV] and stat.S_ISFIFO(os.stat(tmp_path / "pipe.csv").st_mode)
    with pytest.raises(CannotRun, match="No space left"):
        publish({"/dev/full": CSV, tmp_path / "x.csv": CSV})
    assert os.listdir(tmp_path) == ["pipe.csv"]


def test_a_table_is_written_through_a_pipe(tmp_path):
    pipe = tmp_path / "t.csv"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    with files.replacing(pipe) as name:
        files.append(name, "rows")
    assert os.read(reader, 9) == b"rows" and stat.S_ISFIFO(pipe.stat().st_mode)
    os.close(reader)


def test_a_lock_is_had_once(tmp_path):
    with lock(tmp_path / "x") as mine, lock(tmp_path / "x") as theirs:
        assert (mine, theirs) == (True, False)
