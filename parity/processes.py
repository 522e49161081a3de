"""The one place that starts programs and processes, and makes the folders that they work in. None
outlives this process, however it ends.

A guard, a small process that does nothing else, knows them all. It waits for the end of a pipe from
here, which not even SIGKILL can keep open, and then kills and removes them.
"""

import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import IO, Any

from parity.errors import CannotRun, visible
from parity.provenance import threads_per_worker
from parity.settings import variables

__all__ = ["Printed", "run", "scratch", "side_by_side", "start", "stop"]

# glibc: reuse freed arrays, else a quarter of the time is the kernel's, which clears new pages
KEEP_PAGES = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": str(2**33)}
UNGUARDED = 77  # the exit code that tells it
LOOK_S = 1.0  # between two looks whether a pool is well
PRINTED_BYTES, PRINTED_LINES = 1 << 16, 20  # the last of what a program prints
PRINTED_LETTERS = 200  # of a line
NO_ROOM = "no temporary folder can be had ({}); free space, or name another with TMPDIR"

# Lines: + or -, then the number to kill, negative for a whole group; or ~ and a folder's name, hex.
GUARD = """
import os, signal, sys
left = set()
for line in sys.stdin:
    (left.add if line[0] == "+" else left.discard)(line[1:].strip())
for each in sorted(left):
    try:
        if each[0] == "~":
            import shutil
            shutil.rmtree(bytes.fromhex(each[1:]), ignore_errors=True)
        else:
            os.kill(int(each), signal.SIGKILL)
    except OSError:
        pass
"""


def start(command: Sequence[str | os.PathLike[str]], **settings: Any) -> "subprocess.Popen[bytes]":
    """Start a program in a group of its own, for `stop`.

    Parameters
    ----------
    command : sequence of str or path
    **settings
        Of `subprocess.Popen`.

    Returns
    -------
    subprocess.Popen

    Raises
    ------
    OSError
        Where it cannot be started.
    """
    process = subprocess.Popen(command, start_new_session=True, **settings)
    _tell(f"+{-process.pid}")
    return process


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End a program and all that it started."""
    with suppress(ProcessLookupError, PermissionError):  # ended, and so did the rest of its group
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    _tell(f"-{-process.pid}")


def run(
    command: Sequence[str | os.PathLike[str]], **settings: Any
) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end with nothing to read; returns its exit code and what it said."""
    process = start(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        **settings,
    )
    try:
        out, err = process.communicate()
    finally:
        stop(process)
    return subprocess.CompletedProcess(command, process.returncode, str(out), str(err))


class Printed:
    """The last of what a program prints on a pipe, read as it comes, so that it never waits."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._held = bytearray()
        self._reader = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self._reader.start()

    def _read(self, stream: IO[bytes]) -> None:
        with stream:
            while part := os.read(stream.fileno(), PRINTED_BYTES):
                self._held += part
                del self._held[:-PRINTED_BYTES]

    def lines(self, wait_s: float = 0) -> str:
        """The last lines, tracebacks too; wait_s: for the rest of them, where it has ended."""
        self._reader.join(wait_s)
        text = bytes(self._held).decode(errors="replace").replace("\r", "\n")
        lines = [line for line in text.split("\n") if line.strip()][-PRINTED_LINES:]
        return "\n".join(f"  {visible(line[:PRINTED_LETTERS])}" for line in lines)

    def said(self, wait_s: float) -> str:
        """The same as the end of a message about a port."""
        lines = self.lines(wait_s)
        return f"\nthe port printed:\n{lines}" if lines else ""


@contextmanager
def scratch(prefix: str = "parity-") -> Iterator[Path]:
    """A new folder for what a program is given and gives, gone in the end, whatever that is.

    Raises CannotRun where it cannot be made, or becomes full.
    """
    try:
        made = tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True)
    except OSError as error:
        raise CannotRun(NO_ROOM.format(error.strerror)) from error
    with made as name:
        line = f"~{os.fsencode(name).hex()}"
        _tell(f"+{line}")
        try:
            yield Path(name)
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise CannotRun(NO_ROOM.format(error.strerror)) from error
        finally:
            _tell(f"-{line}")


def side_by_side(
    work: Callable[..., Any],
    jobs: Mapping[Any, tuple[Any, ...]],
    workers: int,
    advice: str = "try WORKERS=1",
    **environment: str,
) -> Generator[tuple[Any, Any], None, None]:
    """Yield (key, work(*arguments)) of every job as it ends; jobs start in their order.

    environment : variables that the processes are started with, beside their share of the cores.
    Whatever stops one job, or the caller, ends the others at once. Raises CannotRun, with the
    advice, where a process dies.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(UNGUARDED)  # a worker that imports the program, which calls this meanwhile
    workers = min(workers, len(jobs)) or 1
    threads = {"OPENBLAS_NUM_THREADS": str(threads_per_worker(workers))}
    environment = {**threads, **KEEP_PAGES, **environment}
    spawn = _Spawn()
    with _pool(workers, spawn) as pool, ExitStack() as leave, _deaths() as died:
        with variables(environment):
            keys = {pool.submit(work, *arguments): key for key, arguments in jobs.items()}
        children = spawn.started  # all are by now
        for child in children:
            _tell(f"+{child.pid}")
            leave.callback(_tell, f"-{child.pid}")
        try:
            left = set(keys)
            while left:
                ended, left = wait(left, LOOK_S, FIRST_COMPLETED)
                for job in ended:
                    yield keys[job], job.result()
                if died and not ended:  # the pool's own thread, for which it would wait for ever
                    raise BrokenProcessPool from died[0]
        except BaseException as error:
            for child in children:
                child.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                if UNGUARDED in map(_exit_code, children):
                    raise CannotRun(
                        "workers import the program that calls this, and it calls it again while "
                        'it is imported; put the call below `if __name__ == "__main__":`'
                    ) from error
                raise CannotRun(
                    f"a process died, most likely for want of memory; {advice}"
                ) from error
            raise


def _exit_code(child: BaseProcess) -> int | None:
    """Of a process that ends; None after a second without. `join` alone does not do: where the
    pool's own thread is the one that waited for it, it returns before that has noted the code.
    """
    until = time.monotonic() + LOOK_S
    while (code := child.exitcode) is None and time.monotonic() < until:
        time.sleep(0.01)
    return code


@contextmanager
def _deaths() -> Iterator[list[BaseException | None]]:
    """What threads die of meanwhile."""
    died: list[BaseException | None] = []
    before = threading.excepthook
    threading.excepthook = lambda about: died.append(about.exc_value)
    try:
        yield died
    finally:
        threading.excepthook = before


class _Spawn(SpawnContext):
    """Starts processes anew, and remembers them: also one that has ended before anybody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []

    def Process(self, *args: Any, **settings: Any) -> BaseProcess:  # type: ignore[override]
        self.started.append(SpawnProcess(*args, **settings))
        return self.started[-1]


def _pool(workers: int, spawn: _Spawn) -> ProcessPoolExecutor:
    """Spawned, as they read the environment when they load NumPy."""
    return ProcessPoolExecutor(workers, spawn, _begin)


def _begin() -> None:
    """In a worker: Ctrl-C is its parent's; and it ends with that, of which the guard may not know
    yet, and which it would wait for, since it holds both ends of the pool's pipe.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()


def _follow() -> None:
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os._exit(1)


def _tell(line: str) -> None:
    guard = _guard(os.getpid())
    assert guard.stdin is not None
    with suppress(OSError):  # somebody ended the guard
        guard.stdin.write(f"{line}\n".encode())
        guard.stdin.flush()


@cache
def _guard(_: int) -> "subprocess.Popen[bytes]":
    """The guard of the process of that number."""
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", GUARD],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
