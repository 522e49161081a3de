"""The one store: files by key in a folder of our own, the key a sha256 of all that the content
depends on.

A file enters by one rename, so what is there is whole. Locks die with their process: `<key>.lock`
while a file is being made, a shared lock on the file itself for as long as a process uses it. Only
files that a store wrote are read or removed, and no link is followed.
"""

import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import platformdirs
from filelock import FileLock, Timeout, lock_descriptor

from parity.errors import CannotRun
from parity.files import atomic_write
from parity.settings import setting

__all__ = ["Entry", "Store", "key_of", "own_folder"]

# path -> open file under a shared lock until the process ends: nobody removes what a run uses
_HELD: dict[Path, IO[bytes]] = {}
# what a file begins with, by its suffix
MAGIC = {".h5": rb"\x89HDF\r\n\x1a\n", ".json": rb'[\[{"\dtfn-]'}
KEY = r"([\w-]+\.)?[0-9a-f]{64}"  # of `key_of`, after a word where there is one


def own_folder(variable: str | None = None) -> Path:
    """This project's folder in the one that an environment variable names, else in the user's
    cache.

    Parameters
    ----------
    variable : str, optional
        A key of `parity.settings.VARIABLES`, such as "PARITY_CACHE".

    Returns
    -------
    Path
        Not created yet.

    Raises
    ------
    CannotRun
        Where nobody knows the user's cache folder.

    Examples
    --------
    >>> own_folder("PARITY_CACHE")  # doctest: +SKIP
    PosixPath('/home/ada/.cache/music-tagger-parity')
    """
    chosen = setting(variable) if variable else None
    try:
        return Path(chosen or platformdirs.user_cache_path()) / "music-tagger-parity"
    except RuntimeError as error:
        instead = variable or "PARITY_FIXTURES"
        raise CannotRun(f"this user has no home folder; set HOME, or {instead}") from error


def key_of(*parts: Any) -> str:
    """Return the sha256, hex, of JSON values in their order, whatever the order of their keys.

    Examples
    --------
    >>> key_of({"a": 1, "b": 2}) == key_of({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


class Entry(NamedTuple):
    """One file of a store; `last_used_s` is seconds since the epoch."""

    path: Path
    size_bytes: int
    last_used_s: float


class Store:
    """Files by key in one folder, the least recently used removed first.

    Parameters
    ----------
    folder : Path
        Where the files are; made where it is missing.
    suffix : str
        The ending of every file's name, such as ".h5".
    name : str
        What messages call the store.
    advice : str
        What to do when the folder cannot be written, for messages.
    limit_bytes : callable, optional
        Returns the most that the files may take together; without it there is no limit.

    Raises
    ------
    CannotRun
        Where the folder is full or cannot be written: here and in every method that writes.

    Examples
    --------
    >>> store = Store(Path(tempfile.mkdtemp()), ".json")
    >>> a, b = key_of("a"), key_of("b")
    >>> _ = store.keep(a, {"answer": 42})
    >>> store.load(a), store.load(b)
    ({'answer': 42}, None)
    """

    def __init__(
        self,
        folder: Path,
        suffix: str,
        *,
        name: str = "cache",
        advice: str = "free space or choose another folder with PARITY_CACHE",
        limit_bytes: Callable[[], int] | None = None,
    ):
        self.folder, self.suffix = Path(folder), suffix
        self._name, self._advice, self._limit_bytes = name, advice, limit_bytes
        with self._writable():
            self.folder.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the file of `key` lies, whether it is there or not."""
        return self.folder / f"{key}{self.suffix}"

    def find(self, key: str) -> Path | None:
        """The file of `key`, or None. It counts as used now and stays until this process ends."""
        path = self.path(key)
        stream = self._opened(path, anybodys=True)  # whoever reads a trace verifies it
        if stream is None:
            return None
        fcntl.flock(stream, fcntl.LOCK_SH)
        if not os.fstat(stream.fileno()).st_nlink:  # removed between opening and locking
            stream.close()
            return self.find(key)
        _HELD.setdefault(path, stream)
        with suppress(OSError):  # a read-only store can still be read
            os.utime(stream.fileno())
        return path

    def load(self, key: str) -> Any:
        """The JSON value kept under `key`; None where there is none, or the file is damaged,
        edited, or another key's.
        """
        if (stream := self._opened(self.path(key))) is None:
            return None
        with stream, suppress(OSError, ValueError, RecursionError):
            found = json.load(stream)
            if isinstance(found, dict) and found.get("seal") == key_of(key, found.get("value")):
                return found["value"]
        return None

    def keep(self, key: str, value: Any) -> Path:
        """Keep a JSON value under `key`, sealed, for `load`."""
        value = json.loads(json.dumps(value))  # as it is read again
        return self.write(key, json.dumps({"value": value, "seal": key_of(key, value)}))

    def write(self, key: str, data: bytes | str) -> Path:
        """Keep `data` under `key`."""
        path = self._free(key)
        atomic_write(path, data)
        return path

    def add(self, key: str, made: Path) -> Path:
        """Move the finished file `made` in as `key` and make room; returns its path."""
        with self._writable():
            os.replace(made, self._free(key))
        path = self.find(key)
        assert path is not None
        self.make_room()
        return path

    def discard(self, key: str) -> None:
        """Remove the file of `key`, which this process no longer needs."""
        if used := _HELD.pop(self.path(key), None):
            used.close()
        self._remove(self.path(key))

    def make_room(self) -> None:
        """Remove the least recently used files, never one in use, until the limit holds."""
        if self._limit_bytes is None:
            return
        entries = self.entries()
        excess = sum(entry.size_bytes for entry in entries) - self._limit_bytes()
        for entry in reversed(entries):
            if excess > 0 and self._remove(entry.path):
                excess -= entry.size_bytes

    def entries(self) -> list[Entry]:
        """Every file, the most recently used first."""
        found = []
        for path in self.folder.iterdir():
            if stream := self._opened(path):
                with stream:
                    status = os.fstat(stream.fileno())
                found.append(Entry(path, status.st_size, status.st_mtime))
        return sorted(found, key=lambda entry: -entry.last_used_s)

    def clear(self) -> tuple[int, int, int]:
        """Remove every file that nobody uses and what killed processes left.

        Returns
        -------
        tuple of int
            Files removed, bytes freed, files kept because they are in use.
        """
        entries = self.entries()
        removed = [entry for entry in entries if self._remove(entry.path)]
        for folder in self._scratches(KEY):
            if lock := self.try_lock(folder.name.rsplit(".", 2)[0]):
                shutil.rmtree(folder, ignore_errors=True)
                self.unlock(lock)
        return len(removed), sum(entry.size_bytes for entry in removed), len(entries) - len(removed)

    def try_lock(self, key: str) -> FileLock | None:
        """The right to make the file of `key`, for `unlock`; None while another has it."""
        lock = FileLock(self.folder / f"{key}.lock")
        with self._writable():
            try:
                lock.acquire(blocking=False)
            except Timeout:
                return None
        return lock

    def unlock(self, lock: FileLock) -> None:
        """Give back what `try_lock` gave; the lock's file goes while nobody else can hold it."""
        Path(lock.lock_file).unlink(missing_ok=True)
        lock.release()

    def scratch(self, key: str) -> Path:
        """A new empty folder to make the file of `key` in, under its lock.

        What a killed process left of the same key goes. Raises CannotRun where the file could not
        be moved in.
        """
        self._free(key)
        with self._writable():
            for left in self._scratches(re.escape(key)):
                shutil.rmtree(left, ignore_errors=True)
            return Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{key}.", suffix=".part"))

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CannotRun(
                f"{self._name} {self.folder}: cannot be written ({error.strerror}); {self._advice}"
            ) from error

    def _scratches(self, key: str) -> list[Path]:
        """The scratch folders of the keys that match."""
        named = re.compile(rf"{key}\.\w{{8}}\.part")
        return [
            path
            for path in self.folder.iterdir()
            if named.fullmatch(path.name) and _is_own(path.lstat(), stat.S_ISDIR)
        ]

    def _free(self, key: str) -> Path:
        """The path of `key`, which nothing but our own file may be at."""
        path = self.path(key)
        if os.path.lexists(path) and not _is_own(path.lstat(), stat.S_ISREG):
            raise CannotRun(f"{path}: is no file of this program; remove it, and run again")
        return path

    def _opened(self, path: Path, anybodys: bool = False) -> IO[bytes] | None:
        """The file at `path`, open, where it is one that a store wrote."""
        if not re.fullmatch(KEY + re.escape(self.suffix), path.name):
            return None
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            stream = open(os.open(path, flags), "rb")  # noqa: SIM115 - the caller closes it
        except OSError:
            return None
        status = os.fstat(stream.fileno())
        is_file = stat.S_ISREG(status.st_mode) if anybodys else _is_own(status, stat.S_ISREG)
        if is_file and re.match(MAGIC[self.suffix], stream.peek(8)):
            return stream
        stream.close()
        return None

    def _remove(self, path: Path) -> bool:
        """Remove a file that nobody uses; returns whether it went."""
        if (stream := self._opened(path)) is None:
            return False
        with stream, self._writable():
            if not lock_descriptor(stream.fileno(), blocking=False):
                return False
            path.unlink(missing_ok=True)
            return True


def _is_own(status: os.stat_result, kind: Callable[[int], bool]) -> bool:
    return kind(status.st_mode) and status.st_uid == os.geteuid()
