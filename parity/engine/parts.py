"""What a long run has done so far: a folder beside its output, a file for each partition, written
whole or not at all.
"""

import hashlib
import json
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from parity.engine.job import Row
from parity.errors import CannotRun
from parity.files import atomic_write, check_writable, lock

__all__ = ["Parts", "cut", "parts"]

SETTING, LOCK = "setting.json", "lock"


class Parts:
    """The finished partitions of one run.

    Each file holds a line [key, rows] for every key of its partition, and is named after them.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, Path] = {}
        for path in sorted(folder.glob("*.jsonl")):
            self.places |= dict.fromkeys((key for key, _ in _lines(path)), path)

    def add(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Keep the rows of a partition. Raises CannotRun where the disk is full."""
        name = hashlib.sha256("\n".join(rows).encode("utf-8", "surrogateescape")).hexdigest()[:16]
        path = self.folder / f"{name}.jsonl"
        atomic_write(path, "".join(f"{json.dumps(pair)}\n" for pair in rows.items()))
        self.places |= dict.fromkeys(rows, path)

    def rows(self, keys: Iterable[str]) -> Iterator[tuple[str, list[Row]]]:
        """(key, its rows) in the order of the keys, a partition in memory at a time."""
        at, held = None, {}
        for key in keys:
            if self.places[key] != at:
                at = self.places[key]
                held = dict(_lines(at))
            yield key, held[key]

    def remove(self) -> None:
        """The run is done and its output written."""
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def parts(folder: Path, out: Path, setting: Mapping[str, Any]) -> Iterator[Parts]:
    """What is done of the run that makes `out`, kept in `folder`, which nobody else writes
    meanwhile.

    Raises CannotRun where another run is at work, or those there are of another setting.
    """
    said, text = folder / SETTING, json.dumps(setting, sort_keys=True, indent=1)
    if folder.is_dir() and not said.exists() and {each.name for each in folder.iterdir()} - {LOCK}:
        raise CannotRun(f"{folder} is not of this program; remove it, or name another output")
    check_writable(folder / LOCK, make=True, force=True)
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / LOCK) as ours:
        if not ours:
            raise CannotRun(f"{out} is being written by another run; wait, or name another output")
        is_same = said.exists() and said.read_text() == text
        if not is_same and any(folder.glob("*.jsonl")):
            raise CannotRun(
                f"{folder} holds what a run of other weights, options or versions has done; "
                f"remove it, or name another output{_apart(said, setting)}"
            )
        if not is_same:
            atomic_write(said, text)
        yield Parts(folder)


def _apart(said: Path, setting: Mapping[str, Any]) -> str:
    try:
        before = dict(json.loads(said.read_text()))
    except (ValueError, TypeError):
        return ""
    names = [name for name in setting if before.get(name) != setting[name]]
    return f" (what differs: {', '.join(names)})" if names else ""


def cut(keys: Iterable[str], done: Iterable[str], size: int) -> list[list[str]]:
    """The keys that are left, in partitions: where the list is the same, so are they."""
    done, left = set(done), list(dict.fromkeys(keys))
    left = [key for key in left if key not in done]
    return [left[at : at + size] for at in range(0, len(left), size)]


def _lines(path: Path) -> Iterator[tuple[str, list[Row]]]:
    try:
        for line in path.read_text().splitlines():
            key, rows = json.loads(line)
            yield key, rows
    except (OSError, ValueError, TypeError) as error:
        raise CannotRun(f"{path} is damaged; remove it, and it is done again") from error
