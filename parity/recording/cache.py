"""Recorded traces, kept by content: the name of a trace is the sha256 of everything that can
change a number in it.

A trace enters by one rename, so what is there is whole. Locks are flocks, which die with their
process: `<key>.lock` while a trace is being recorded, a shared one on the trace itself for as long
as a run uses it.
"""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from parity.errors import CannotRun
from parity.recording.trace import FORMAT, TraceError, open_trace

DEFAULT_LIMIT_GB = 20.0
# path -> open file under a shared lock, to the end of the process: nobody removes what a run uses
_HELD = {}


class Entry(NamedTuple):
    """One cached trace: `label` says model, lane and Keras version; `last_used_s` is seconds since
    the epoch.
    """

    path: Path
    label: str
    size_bytes: int
    last_used_s: float


def default_folder():
    """PARITY_CACHE, else the user's cache folder by the XDG rule."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(
        os.environ.get("PARITY_CACHE") or Path(home) / "music-tagger-parity" / "traces"
    ).expanduser()


def limit_bytes():
    """PARITY_CACHE_LIMIT_GB (10^9 bytes), 20 by default. Raises CannotRun for what is no positive
    number.
    """
    text = os.environ.get("PARITY_CACHE_LIMIT_GB") or str(DEFAULT_LIMIT_GB)
    try:
        limit_gb = float(text)
    except ValueError:
        limit_gb = -1.0
    if not limit_gb > 0:
        raise CannotRun(f"PARITY_CACHE_LIMIT_GB is {text!r}; give a positive number of gigabytes")
    return int(limit_gb * 1e9)


def key_of(ingredients):
    """The key, hex, of a trace: sha256 over the trace format and the JSON of `ingredients`,
    whatever their order.
    """
    return hashlib.sha256(json.dumps([FORMAT, ingredients], sort_keys=True).encode()).hexdigest()


class TraceCache:
    """The traces in one folder. Raises CannotRun, naming the folder, where it is full or cannot be
    written.
    """

    def __init__(self, folder=None):
        self.folder = Path(folder or default_folder())
        with self._writable():
            self.folder.mkdir(parents=True, exist_ok=True)

    def find(self, key):
        """Path of the trace `key`, or None. A found trace counts as used now, and is kept until
        this process ends.
        """
        path = self.folder / f"{key}.h5"
        try:
            stream = open(path, "rb")  # noqa: SIM115 - held open on purpose
            fcntl.flock(stream, fcntl.LOCK_SH)
        except FileNotFoundError:
            return None
        if not _same_file(stream, path):  # removed between opening and locking
            stream.close()
            return self.find(key)
        _HELD.setdefault(path, stream)
        with suppress(OSError):  # a read-only cache can still be read
            os.utime(path)
        return path

    def try_lock(self, key):
        """The right to record `key`, released by closing it; None while another process has it."""
        path = self.folder / f"{key}.lock"
        with self._writable():
            stream = open(path, "w")  # noqa: SIM115 - held open on purpose
        if not try_flock(stream):
            stream.close()
            return None
        return stream if _same_file(stream, path) else self.try_lock(key)

    def unlock(self, key, stream):
        """Give back what try_lock gave."""
        (self.folder / f"{key}.lock").unlink(missing_ok=True)
        stream.close()

    @contextmanager
    def _writable(self):
        try:
            yield
        except OSError as error:
            raise CannotRun(
                f"trace cache {self.folder}: cannot be written ({error.strerror}); free "
                "space, choose another folder "
                "with PARITY_CACHE, or lower PARITY_CACHE_LIMIT_GB"
            ) from error

    def scratch(self, key):
        """An empty folder for recording `key`, under its lock; what a killed run left of the same
        key goes.
        """
        for left in self.folder.glob(f"{key}.*.part"):
            shutil.rmtree(left, ignore_errors=True)
        with self._writable():
            return Path(tempfile.mkdtemp(dir=self.folder, prefix=f"{key}.", suffix=".part"))

    def add(self, key, recorded):
        """Move the finished file `recorded` in as `key`, make room, and return its path."""
        with self._writable():
            os.replace(recorded, self.folder / f"{key}.h5")
        path = self.find(key)
        self.make_room()
        return path

    def discard(self, key):
        """Remove the trace `key`, which this process has used and needs no more."""
        path = self.folder / f"{key}.h5"
        _HELD.pop(path).close()
        self._remove(path)

    def make_room(self):
        """Remove the least recently used traces, never one in use, until the folder is within its
        limit.
        """
        traces = sorted(self._traces(), key=lambda item: item[1].st_mtime)
        excess_bytes = sum(status.st_size for _, status in traces) - limit_bytes()
        for path, status in traces:
            if excess_bytes > 0 and self._remove(path):
                excess_bytes -= status.st_size

    def _traces(self):
        for path in self.folder.glob("*.h5"):
            try:
                yield path, path.stat()
            except FileNotFoundError:
                continue  # another run has just removed it

    def _remove(self, path):
        """Remove a trace nobody uses; returns whether it went."""
        try:
            with open(path, "rb") as stream, self._writable():
                if not try_flock(stream):
                    return False
                path.unlink()
                return True
        except FileNotFoundError:
            return False

    def list(self):
        """Every trace as an Entry, most recently used first."""
        entries = [
            Entry(path, _label(path), status.st_size, status.st_mtime)
            for path, status in self._traces()
        ]
        return sorted(entries, key=lambda entry: -entry.last_used_s)

    def clear(self):
        """Remove every trace nobody uses, and what killed runs left; returns (removed, bytes
        freed, kept because in use).
        """
        sizes = {path: status.st_size for path, status in self._traces()}
        removed = [path for path in sizes if self._remove(path)]
        for left in self.folder.glob("*.part"):
            self._clear_scratch(left)
        return len(removed), sum(sizes[path] for path in removed), len(sizes) - len(removed)

    def _clear_scratch(self, folder):
        key = folder.name.split(".")[0]
        lock = self.try_lock(key)
        if lock:
            shutil.rmtree(folder, ignore_errors=True)
            self.unlock(key, lock)


def try_flock(stream):
    """Take an exclusive flock without waiting; whether it was free."""
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            raise
        return False
    return True


def _same_file(stream, path):
    try:
        return os.path.samestat(os.fstat(stream.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _label(path):
    try:
        with open_trace(path) as trace:
            found = trace.provenance
    except TraceError:
        return "unreadable"
    return f"{found['model']} {found['lane']} (Keras {found['keras']}, {found['batch_size']} clips)"
