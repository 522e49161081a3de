"""The one place that starts programs and processes. None outlives this process, however it ends.

A guard, a small process that does nothing else, knows all that were started. It waits for the end
of a pipe from here, which not even SIGKILL can keep open, and then kills them.
"""

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from functools import cache
from multiprocessing.context import SpawnContext, SpawnProcess
from multiprocessing.process import BaseProcess
from typing import Any

from parity.errors import CannotRun
from parity.provenance import threads_per_worker
from parity.settings import variables

__all__ = ["run", "side_by_side", "start", "stop"]

UNGUARDED = 77  # the exit code that tells it

# Lines: + or -, then the number to kill, negative for a whole group.
GUARD = """
import os, signal, sys
left = set()
for line in sys.stdin:
    (left.add if line[0] == "+" else left.discard)(int(line[1:]))
for number in left:
    try:
        os.kill(number, signal.SIGKILL)
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
    environment = {"OPENBLAS_NUM_THREADS": str(threads_per_worker(workers)), **environment}
    spawn = _Spawn()
    with _pool(workers, spawn) as pool, ExitStack() as leave:
        with variables(environment):
            keys = {pool.submit(work, *arguments): key for key, arguments in jobs.items()}
        children = spawn.started  # all are by now
        for child in children:
            _tell(f"+{child.pid}")
            leave.callback(_tell, f"-{child.pid}")
        try:
            for job in as_completed(keys):
                yield keys[job], job.result()
        except BaseException as error:
            for child in children:
                child.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                for child in children:
                    child.join(1)
                if UNGUARDED in [child.exitcode for child in children]:
                    raise CannotRun(
                        "workers import the program that calls this, and it calls it again while "
                        'it is imported; put the call below `if __name__ == "__main__":`'
                    ) from error
                raise CannotRun(
                    f"a process died, most likely for want of memory; {advice}"
                ) from error
            raise


class _Spawn(SpawnContext):
    """Starts processes anew, and remembers them: also one that has ended before anybody asks."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[BaseProcess] = []

    def Process(self, *args: Any, **settings: Any) -> BaseProcess:  # type: ignore[override]
        self.started.append(SpawnProcess(*args, **settings))
        return self.started[-1]


def _pool(workers: int, spawn: _Spawn) -> ProcessPoolExecutor:
    """Spawned, as they read the environment when they load NumPy; Ctrl-C is their parent's."""
    return ProcessPoolExecutor(workers, spawn, signal.signal, (signal.SIGINT, signal.SIG_IGN))


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
