"""What a long run has done so far: a folder beside its output, a file for each partition, written
whole or not at all, and named after what it holds. What is not so is done again.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from parity import untrusted
from parity.engine.job import Row
from parity.engine.listing import BETWEEN
from parity.errors import CannotRun
from parity.files import atomic_write, check_writable, lock

__all__ = ["Parts", "cut", "parts"]

SETTING, LOCK = "setting.json", "lock"
PART = re.compile(r"[0-9a-f]{16}\.jsonl")
OURS = untrusted.record(format={"const": "parts"}, setting={"type": "object"})


class Parts:
    """The finished partitions of one run.

    Each file holds a line [key, stamp, rows] for every key of its partition. The rows of a file
    that was replaced since are not those of what is there now.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.places: dict[str, Path] = {}
        for path in self._files():
            found = (key for key, stamp, _ in _lines(path) if stamp == _stamp(key))
            self.places |= dict.fromkeys(found, path)

    def _files(self) -> list[Path]:
        return sorted(path for path in self.folder.iterdir() if PART.fullmatch(path.name))

    def add(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Keep the rows of a partition. Raises CannotRun where the disk is full."""
        lines = (json.dumps([key, _stamp(key), found]) for key, found in rows.items())
        data = "".join(f"{line}\n" for line in lines).encode()
        path = self.folder / f"{_named(data)}.jsonl"
        atomic_write(path, data)
        self.places |= dict.fromkeys(rows, path)

    def rows(self, keys: Iterable[str]) -> Iterator[tuple[str, list[Row]]]:
        """(key, its rows) in the order of the keys, a partition in memory at a time."""
        at, held = None, {}
        for key in keys:
            if self.places[key] != at:
                at = self.places[key]
                held = {key: found for key, _, found in _lines(at)}
            if key not in held:
                raise CannotRun(f"{at} was changed meanwhile; give the same command again")
            yield key, held[key]

    def clear(self, *more: Path) -> None:
        """Remove what was done."""
        for path in (*self._files(), *more):
            path.unlink(missing_ok=True)
        self.places.clear()

    def remove(self) -> None:
        """The run is done and its output written. What is not of this program stays."""
        self.clear(self.folder / SETTING, self.folder / LOCK)
        with suppress(OSError):
            self.folder.rmdir()


@contextmanager
def parts(folder: Path, out: Path, setting: Mapping[str, Any]) -> Iterator[Parts]:
    """What is done of the run that makes `out`, kept in `folder`, which nobody else writes
    meanwhile.

    Raises CannotRun where another run is at work, or those there are of another setting.
    """
    said = folder / SETTING
    check_writable(folder / LOCK, make=True, force=True)
    before = _setting(said)
    if before is None and folder.is_dir() and {each.name for each in folder.iterdir()} - {LOCK}:
        raise CannotRun(f"{folder} is not of this program; remove it, or name another output")
    folder.mkdir(parents=True, exist_ok=True)
    with lock(folder / LOCK) as ours:
        if not ours:
            raise CannotRun(f"{out} is being written by another run; wait, or name another output")
        now = json.loads(json.dumps(setting))
        kept = Parts(folder)
        if before and before != now and kept.places:
            names = [name for name in now if before.get(name) != now[name]]
            raise CannotRun(
                f"{folder} holds what a run of other weights, options or versions has done; "
                f"remove it, or name another output (what differs: {', '.join(names)})"
            )
        if before != now:
            kept.clear()
            atomic_write(said, json.dumps({"format": "parts", "setting": now}, indent=1))
        yield kept


def _setting(path: Path) -> dict[str, Any] | None:
    """That of the run which made a folder; None where none did."""
    with suppress(OSError):
        return dict(untrusted.read_json(path, OURS)["setting"])
    return None


def cut(keys: Iterable[str], done: Iterable[str], size: int) -> list[list[str]]:
    """The keys that are left, in partitions: where the list is the same, so are they."""
    done, left = set(done), list(dict.fromkeys(keys))
    left = [key for key in left if key not in done]
    return [left[at : at + size] for at in range(0, len(left), size)]


def _named(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _stamp(key: str) -> list[list[int]] | None:
    """What tells the files of a key from others by their names; None where they are not here."""
    try:
        found = [os.stat(name) for name in key.split(BETWEEN)]
    except (OSError, ValueError):
        return None
    return [[each.st_size, each.st_mtime_ns] for each in found]


def _lines(path: Path) -> list[tuple[str, Any, list[Row]]]:
    """What a file holds that is as it was written."""
    with suppress(OSError, ValueError, RecursionError):
        with untrusted.opened(path) as stream:
            data = stream.read()
        lines = [json.loads(line) for line in data.splitlines()]
        if _named(data) == path.stem:
            return [(key, stamp, rows) for key, stamp, rows in lines if _are_rows(rows)]
    return []


def _are_rows(found: Any) -> bool:
    return bool(found) and isinstance(found, list) and all(isinstance(row, dict) for row in found)
