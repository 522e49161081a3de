"""What is done is kept, partition by partition, and not done again; tables are written whole."""

import csv
import json
import os
import signal
import subprocess
import sys
import time
from hashlib import sha256
from pathlib import Path

import pytest

from parity.engine import tables
from parity.engine.cluster import HERE
from parity.engine.collection import collect
from parity.engine.parts import cut, parts
from parity.errors import CannotRun
from parity.files import lock
from tests.engine.toy import Toy

COLUMNS = {"key": "text", "length": "count", "error": "text"}
KEYS = [f"key{at}" for at in range(5)]
ROOT = Path(__file__).parents[2]


def done(folder, keys=KEYS, toy=None, size=2):
    toy = toy or Toy()
    with parts(folder / "t.parts", folder / "t.csv", toy.setting) as kept:
        collect(toy, keys, kept, HERE, size, "keys")
        return [row for _, rows in kept.rows(keys) for row in rows]


def test_what_is_done_is_not_done_again(tmp_path, capsys):
    class Stops(Toy):
        def rows(self, keys):
            if "key2" in keys:
                raise KeyboardInterrupt
            return super().rows(keys)

    with pytest.raises(CannotRun, match="stopped; 2 of 5 keys are done, and the same command"):
        done(tmp_path, toy=Stops())
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("t.parts/*.jsonl")}
    assert len(before) == 1
    assert [row["key"] for row in done(tmp_path)] == KEYS
    assert "2 of 5 keys are done already" in capsys.readouterr().err
    assert all(path.stat().st_mtime_ns == at for path, at in before.items())


def test_keys_that_are_left_make_the_partitions_that_they_would_have_made():
    assert cut("abcdef", [], 2) == [["a", "b"], ["c", "d"], ["e", "f"]]
    assert cut("abcdefa", "cd", 2) == [["a", "b"], ["e", "f"]]


def test_a_setting_under_which_nothing_was_done_gives_way(tmp_path):
    with parts(tmp_path / "t.parts", tmp_path / "t.csv", {"factor": 9}):
        pass
    assert len(done(tmp_path)) == 5


def test_parts_of_another_run_are_refused_in_a_sentence(tmp_path):
    done(tmp_path)
    with pytest.raises(CannotRun, match=r"other weights.*differs: factor"):
        done(tmp_path, toy=Toy(2))
    with lock(tmp_path / "t.parts" / "lock"), pytest.raises(CannotRun, match="another run"):
        done(tmp_path)
    (tmp_path / "t.parts" / "setting.json").unlink()
    with pytest.raises(CannotRun, match="is not of this program"):
        done(tmp_path)


def _other_rows(path):
    path.write_text(path.read_text().replace("key1", "KEY1"))


def _no_rows(path):
    data = b'["key0", null, 5]\n["key1", null, []]\n[2]\n'
    path.unlink()
    path.with_name(f"{sha256(data).hexdigest()[:16]}.jsonl").write_bytes(data)


SPOILT = {
    "other rows": _other_rows,
    "cut": lambda path: os.truncate(path, 9),
    "binary": lambda path: path.write_bytes(b"\xff"),
    "deep": lambda path: path.write_text("[" * 100_000),
    "pipe": lambda path: (path.unlink(), os.mkfifo(path)),
    "no rows": _no_rows,
}


@pytest.mark.parametrize("how", SPOILT)
def test_a_part_that_is_not_as_it_was_written_is_done_again(how, tmp_path):
    done(tmp_path)
    SPOILT[how](
        next(path for path in tmp_path.glob("t.parts/*.jsonl") if "key1" in path.read_text())
    )
    assert [row["key"] for row in done(tmp_path)] == KEYS


def test_a_part_that_goes_meanwhile_is_a_sentence(tmp_path):
    done(tmp_path)
    with parts(tmp_path / "t.parts", tmp_path / "t.csv", Toy().setting) as kept:
        for path in tmp_path.glob("t.parts/*.jsonl"):
            path.unlink()
        with pytest.raises(CannotRun, match="was changed meanwhile"):
            list(kept.rows(KEYS))


def test_a_file_that_was_replaced_is_done_again(tmp_path, capsys):
    clip = tmp_path / "a.wav"
    clip.write_bytes(b"1")
    done(tmp_path, [str(clip), "b"], size=1)
    clip.write_bytes(b"22")
    done(tmp_path, [str(clip), "b"], size=1)
    assert "1 of 2 keys are done already" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["setting.json", "0123456789abcdef.jsonl", "notes.txt"])
def test_files_of_another_in_a_folder_of_parts_stay(name, tmp_path):
    theirs = tmp_path / "t.parts" / name
    theirs.parent.mkdir()
    theirs.write_text('{"mine": 1}')
    with pytest.raises(CannotRun, match="is not of this program"):
        done(tmp_path)
    assert theirs.read_text() == '{"mine": 1}'
    theirs.unlink()
    done(tmp_path)
    theirs.with_name("notes.txt").write_text("mine")
    with parts(tmp_path / "t.parts", tmp_path / "t.csv", Toy().setting) as kept:
        kept.remove()
    assert [path.name for path in tmp_path.glob("t.parts/*")] == ["notes.txt"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["pipe", "folder"])
def test_a_setting_that_is_no_file_is_a_sentence(make, tmp_path):
    (tmp_path / "t.parts").mkdir()
    make(tmp_path / "t.parts" / "setting.json")
    with pytest.raises(CannotRun, match="is not of this program"):
        done(tmp_path)


def test_a_full_disk_loses_nothing_that_is_done(tmp_path, monkeypatch):
    from parity.engine import parts as module

    written = module.atomic_write

    def full(path, data):
        if len(list(path.parent.glob("*.jsonl"))) == 1:
            raise CannotRun(f"{path}: cannot be written (No space left on device); free space")
        written(path, data)

    monkeypatch.setattr(module, "atomic_write", full)
    with pytest.raises(CannotRun, match=r"No space left.*\(2 of 5 keys are done and kept in"):
        done(tmp_path)
    monkeypatch.undo()
    assert len(done(tmp_path)) == 5


@pytest.mark.parametrize("kind", [".csv", ".jsonl", ".parquet"])
def test_a_table_holds_every_row_in_order_and_replaces_only_its_own(kind, tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "AT_A_TIME", 2)
    path, rows = tmp_path / f"t{kind}", [{"key": key, "length": at} for at, key in enumerate(KEYS)]
    tables.check_kind(path)
    tables.write(path, COLUMNS, rows)
    if kind == ".csv":
        found = [{**row, "length": int(row["length"])} for row in csv.DictReader(path.open())]
        expected = [{**row, "error": ""} for row in rows]
    elif kind == ".jsonl":
        found, expected = (
            list(map(json.loads, path.open())),
            [{**row, "error": None} for row in rows],
        )
    else:
        from pyarrow import parquet

        found, expected = (
            parquet.read_table(path).to_pylist(),
            [{**row, "error": None} for row in rows],
        )
        tables.write(path, COLUMNS, rows)  # its own
    assert found == expected
    path.write_bytes(b"PAR1 of somebody")
    with pytest.raises(CannotRun, match="did not write"):
        tables.write(path, COLUMNS, rows)
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_of_a_table_goes(tmp_path):
    (tmp_path / "t.parquet.0123abcd.part").write_bytes(b"PAR1 and no end")
    (tmp_path / "t.parquet.0123abce.part").write_bytes(b"somebody's")
    tables.write(tmp_path / "t.parquet", COLUMNS, [])
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"t.parquet", "t.parquet.0123abce.part"}


def test_a_table_is_written_whole_or_not_at_all(tmp_path):
    def rows():
        yield {"key": "a"}
        raise OSError(28, "No space left on device")

    with pytest.raises(CannotRun, match=r"t.csv: cannot be written \(No space left"):
        tables.write(tmp_path / "t.csv", COLUMNS, rows())
    assert not list(tmp_path.iterdir())


def test_kinds_that_cannot_be_are_refused(monkeypatch):
    with pytest.raises(CannotRun, match="name a table "):
        tables.check_kind(Path("x.xls"))
    assert tables.best_kind() == ".parquet"
    monkeypatch.setattr(tables.importlib.util, "find_spec", lambda _: None)
    assert tables.best_kind() == ".csv"
    with pytest.raises(CannotRun, match="pyarrow is not here"):
        tables.check_kind(Path("x.parquet"))


LONG = """
import sys
from pathlib import Path
from tests.engine.test_collection import done
from tests.engine.toy import Toy
done(Path(sys.argv[1]), [f"wait{at}" for at in range(8)], size=1)
"""


@pytest.mark.slow
def test_kill_9_leaves_whole_parts(tmp_path):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    keys = [f"wait{at}" for at in range(8)]
    for _ in range(3):
        process = subprocess.Popen([sys.executable, "-c", LONG, str(tmp_path)], env=environment)
        time.sleep(1.7)
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert done(tmp_path, keys, size=1) == [{"key": key, "length": len(key)} for key in keys]
