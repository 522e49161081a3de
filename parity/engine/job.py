"""What the engine runs, and the process that runs it: it opens a job once, and checks before that
it has the versions and the code of whoever sent it.
"""

import ctypes
import functools
import hashlib
import os
import platform
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Protocol

from parity import room
from parity.errors import CannotRun

__all__ = ["Job", "Row", "Work", "surroundings", "work"]

Row = dict[str, Any]
Work = Callable[[Sequence[str]], Mapping[str, Sequence[Row]]]  # keys -> their rows

ROOMS = ("port", "fixtures", "reference", "reports", "studies")
M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # glibc's malloc.h


class Job(Protocol):
    """Work on keys; it is sent to other processes, so it holds names, not arrays.

    setting : what decides its rows beside the keys, JSON; two runs whose rows may stand in one
    table have the same. packages : whose versions can change a row.
    """

    @property
    def setting(self) -> dict[str, Any]: ...

    @property
    def packages(self) -> tuple[str, ...]: ...

    def open(self) -> Work:
        """Load what it needs, once in a process. Raises CannotRun."""
        ...

    def failed(self, key: str, why: str) -> Sequence[Row]:
        """The rows of a key that ended the process which worked on it."""
        ...


def surroundings(packages: Sequence[str]) -> dict[str, str]:
    """What has to be the same wherever a job runs: {name: version or digest}."""
    found = {"Python": platform.python_version(), "this project's code": _code_sha256()[:12]}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "none"
    return found


def check(expected: Mapping[str, str], packages: Sequence[str], who: str) -> None:
    """Raise CannotRun where this process differs from the one that sent the job."""
    here = surroundings(packages)
    apart = [
        f"{name} {here.get(name)} and not {value}"
        for name, value in expected.items()
        if here.get(name) != value
    ]
    if apart:
        raise CannotRun(
            f"{who} has {', '.join(apart)}; give every worker the same environment and start it "
            "again"
        )


_TURN = threading.Lock()  # a worker of several threads works on one partition at a time
_OPEN: list[tuple[Any, Work]] = []  # the job that is open here, and its work


def work(
    job: Job, keys: Sequence[str], expected: Mapping[str, str], who: str = "this process"
) -> Mapping[str, Sequence[Row]]:
    """The rows of some keys, by the job, which is opened where another was open."""
    from threadpoolctl import threadpool_limits

    with _TURN, threadpool_limits(1):  # what a sum's order depends on is the same everywhere
        if not _OPEN or _OPEN[0][0] != job:
            check(expected, job.packages, who)
            close()
            keep_pages()
            try:
                _OPEN.append((job, job.open()))
            except CannotRun as error:
                raise CannotRun(f"{who}: {error}") from error
        return _OPEN[0][1](keys)


def close() -> None:
    """Put away what is open."""
    while _OPEN:
        _, opened = _OPEN.pop()
        getattr(opened, "close", lambda: None)()


def keep_pages() -> None:
    """Have glibc reuse freed arrays: the kernel's clearing of new pages takes a third of the time
    otherwise.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(M_MMAP_MAX, 0)
        libc.mallopt(M_TRIM_THRESHOLD, 2**31 - 1)


@functools.cache
def _code_sha256() -> str:
    """sha256, hex, of every Python file of the project, the same in a clone and installed."""
    home = Path(__file__).parents[1]
    folders = {"parity": home, "tagger": home.parent / "tagger"}
    folders |= {f"parity/{name}": Path(room(name)) for name in ROOMS}
    files = {
        f"{name}/{path.relative_to(folder)}": path
        for name, folder in folders.items()
        for path in folder.rglob("*.py")
    }
    digest = hashlib.sha256()
    for name in sorted(files):
        digest.update(f"{name}\n".encode() + hashlib.sha256(files[name].read_bytes()).digest())
    return digest.hexdigest()


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0))
