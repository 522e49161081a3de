"""The one store: files by key in a user's folder, the key a sha256 of all that the content depends
on.

A file enters by one rename, so what is there is whole. Locks die with their process: `<key>.lock`
while a file is being made, a shared lock on the file itself for as long as a process uses it.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

import platformdirs
from filelock import FileLock, Timeout, lock_descriptor

from parity.errors import CannotRun
from parity.files import atomic_write

__all__ = ["Entry", "Store", "key_of", "user_folder"]

# path -> open file under a shared lock until the process ends: nobody removes what a run uses
_HELD: dict[Path, IO[bytes]] = {}


def user_folder(name: str, variable: str) -> Path:
    """Return the folder that an environment variable names, else the user's own cache folder.

    Parameters
    ----------
    name : str
        The folder's name in this project's cache, such as "traces".
    variable : str
        The environment variable that names another folder, such as "PARITY_CACHE".

    Returns
    -------
    Path
        Not created yet.

    Examples
    --------
    >>> user_folder("traces", "PARITY_CACHE")  # doctest: +SKIP
    PosixPath('/home/ada/.cache/music-tagger-parity/traces')
    """
    if chosen := os.environ.get(variable):
        return Path(chosen).expanduser()
    return platformdirs.user_cache_path("music-tagger-parity") / name


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
    >>> store.write("a", '{"answer": 42}').name, store.load("a"), store.load("b")
    ('a.json', {'answer': 42}, None)
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
        try:
            stream = open(path, "rb")  # noqa: SIM115 - held open on purpose
            fcntl.flock(stream, fcntl.LOCK_SH)
        except FileNotFoundError:
            return None
        if not os.fstat(stream.fileno()).st_nlink:  # removed between opening and locking
            stream.close()
            return self.find(key)
        _HELD.setdefault(path, stream)
        with suppress(OSError):  # a read-only store can still be read
            os.utime(path)
        return path

    def load(self, key: str) -> Any:
        """The JSON value of `key`, or None where there is none or the file is damaged."""
        try:
            return json.loads(self.path(key).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def write(self, key: str, data: bytes | str) -> Path:
        """Keep `data` under `key`."""
        atomic_write(self.path(key), data)
        return self.path(key)

    def add(self, key: str, made: Path) -> Path:
        """Move the finished file `made` in as `key` and make room; returns its path."""
        with self._writable():
            os.replace(made, self.path(key))
        path = self.find(key)
        assert path is not None
        self.make_room()
        return path

    def discard(self, key: str) -> None:
        """Remove the file of `key`, which this process has used and no longer needs."""
        _HELD.pop(self.path(key)).close()
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
        for path in self.folder.glob(f"*{self.suffix}"):
            with suppress(FileNotFoundError):  # another process has just removed it
                status = path.stat()
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
        for folder in self.folder.glob("*.part"):
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

        What a killed process left of the same key goes.
        """
        for left in self.folder.glob(f"{key}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        with self._writable():
            return Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{key}.", suffix=".part"))

    @contextmanager
    def _writable(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CannotRun(
                f"{self._name} {self.folder}: cannot be written ({error.strerror}); {self._advice}"
            ) from error

    def _remove(self, path: Path) -> bool:
        """Remove a file that nobody uses; returns whether it went."""
        try:
            with open(path, "rb") as stream, self._writable():
                if not lock_descriptor(stream.fileno(), blocking=False):
                    return False
                path.unlink()
                return True
        except FileNotFoundError:
            return False
