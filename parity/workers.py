"""One pool of processes for all work that runs side by side."""

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from parity.errors import CannotRun
from parity.provenance import threads_per_worker


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
    workers = min(workers, len(jobs)) or 1
    os.environ.update({"OPENBLAS_NUM_THREADS": str(threads_per_worker(workers)), **environment})
    with _pool(workers) as pool:
        keys = {pool.submit(work, *arguments): key for key, arguments in jobs.items()}
        try:
            for job in as_completed(keys):
                yield keys[job], job.result()
        except BaseException as error:
            for child in multiprocessing.active_children():
                child.terminate()
            pool.shutdown(wait=False, cancel_futures=True)
            if isinstance(error, BrokenProcessPool):
                raise CannotRun(
                    f"a process died, most likely for want of memory; {advice}"
                ) from error
            raise


def _pool(workers: int) -> ProcessPoolExecutor:
    """Spawned, as they read the environment when they load NumPy; Ctrl-C is their parent's."""
    spawn = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, spawn, signal.signal, (signal.SIGINT, signal.SIG_IGN))
