"""Where partitions are worked on: in this process, in a local cluster of processes, or on a Dask
cluster that is there.

Dask is imported where it is asked for; one clip needs none of it.
"""

import importlib.util
import logging
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from typing import Any

from parity.engine.job import Job, Row, close, cores, surroundings, work
from parity.errors import CannotRun

__all__ = ["HERE", "Place", "Rows", "place"]

Rows = Mapping[str, Sequence[Row]]  # of each key
Share = tuple[Sequence[str], Sequence[str]]  # a partition, and those of it that end a process
AHEAD = 2  # partitions handed out for each worker
TRIES = 3
POLL_S, CONNECT_S = 2.0, 10.0
ALONE_S = 60.0  # without a worker
LOUD = ("distributed", "tornado", "asyncio")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# glibc: freed arrays are used again, in every thread, as job.keep_pages says
KEEP_PAGES = {"MALLOC_ARENA_MAX": 1, "MALLOC_MMAP_MAX_": 0, "MALLOC_TRIM_THRESHOLD_": 2**33}
MISSING = (
    "Dask is not here; use the environment that `make corpus` builds (.tox/corpus/bin/python), or "
    "--workers 0, which works in this process"
)


class Place:
    """This process; others add what a cluster takes."""

    workers = 1

    def spread(self, job: Job, partitions: Sequence[Sequence[str]]) -> Iterator[Rows]:
        """Yield the rows of every partition as it ends. Raises CannotRun, where what was yielded
        stays true.
        """
        expected = surroundings(job.packages)
        try:
            for keys in partitions:
                yield work(job, keys, expected)
        finally:
            close()


HERE = Place()


@contextmanager
def place(scheduler: str | None = None, workers: int | None = None) -> Iterator[Place]:
    """Where to work.

    Parameters
    ----------
    scheduler : str, optional
        The address of a Dask scheduler, such as tcp://10.0.0.1:8786.
    workers : int, optional
        Processes on this machine; 0 is this process. By default one for each core, or this process
        where Dask is not installed.

    Raises
    ------
    CannotRun
        Where Dask is asked for and not installed, or no scheduler answers.
    """
    there = importlib.util.find_spec("distributed") is not None
    if workers == 0 or (workers is None and not scheduler and not there):
        yield HERE
        return
    if not there:
        raise CannotRun(MISSING)
    with ExitStack() as leave:
        yield _connected(scheduler, workers or cores(), leave)


def _connected(scheduler: str | None, workers: int, leave: ExitStack) -> "_Cluster":
    import dask
    from distributed import Client, LocalCluster

    for name in [*LOUD, *logging.root.manager.loggerDict]:  # Dask gives each a level of its own
        if name.partition(".")[0] in LOUD:  # what matters is said in sentences
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    if not scheduler:
        pinned = dict.fromkeys(THREADS, 1) | KEEP_PAGES
        settings = {
            "distributed.nanny.pre-spawn-environ": pinned,
            "distributed.scheduler.allowed-failures": 1,  # of a partition, then it is looked into
            # else a worker that dies twice in this time is not started again
            "distributed.deploy.lost-worker-timeout": "10000 hours",
        }
        leave.enter_context(dask.config.set(settings))
        with _undisturbed():
            local = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                memory_limit=0.9 / workers,
                dashboard_address=None,
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},  # what is beside a page
                host="127.0.0.1",
                silence_logs=logging.CRITICAL + 1,
            )
            leave.callback(local.close)
        return _Cluster(leave.enter_context(Client(local)), "the local cluster", workers)
    try:
        client = Client(scheduler, timeout=CONNECT_S)
    except (OSError, ValueError) as error:  # a TimeoutError is an OSError
        raise CannotRun(
            f"no Dask scheduler answers at {scheduler}; start one (python -m dask scheduler), or "
            "leave out --scheduler"
        ) from error
    return _Cluster(leave.enter_context(client), f"the scheduler {scheduler}", None)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """An interrupt waits until a cluster has started, since half of one cannot be closed; the
    cluster's processes never get that of the keyboard.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no signal comes here
        return
    came: list[int] = []
    handlers = {
        each: signal.signal(each, lambda number, _: came.append(number))
        for each in (signal.SIGINT, signal.SIGTERM)
    }
    resource_tracker.ensure_running()  # which unblocks the signal where it is started later
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # its processes inherit it
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for each, handler in handlers.items():
            signal.signal(each, handler)
    for number in came:
        signal.raise_signal(number)


class _Cluster(Place):
    """A Dask cluster. what: its name; count: its workers, None where they come and go."""

    def __init__(self, client: Any, what: str, count: int | None) -> None:
        self.client, self.what, self.count = client, what, count

    @property
    def workers(self) -> int:  # type: ignore[override]
        return max(1, self.count or self._alive())

    def _alive(self) -> int:
        """How many workers the scheduler knows."""
        with self._there():
            said = self.client.scheduler_info(n_workers=-1)
            if "workers" not in said:
                raise OSError("it does not answer")
            return len(said["workers"])

    def spread(self, job: Job, partitions: Sequence[Sequence[str]]) -> Iterator[Rows]:
        expected = surroundings(job.packages)
        waiting: list[Share] = [(keys, ()) for keys in reversed(partitions)]
        running: dict[Any, Share] = {}
        while waiting or running:
            while waiting and len(running) < AHEAD * self.workers:
                keys, fatal = waiting.pop()
                kept = [key for key in keys if key not in fatal]
                running[self._submitted(job, kept, expected)] = keys, fatal
            self._wait([*running])
            for future in [each for each in running if each.done()]:
                keys, fatal = running.pop(future)
                rows = self._result(future)
                if rows is None:
                    waiting.append((keys, self._fatal(job, keys, fatal, expected)))
                else:
                    yield {
                        key: job.failed(key, f"{key}: {FATAL}") if key in fatal else rows[key]
                        for key in keys
                    }
        with suppress(CannotRun), self._there():
            self.client.run(close)

    def _submitted(self, job: Job, keys: Sequence[str], expected: Mapping[str, str]) -> Any:
        with self._there():
            return self.client.submit(_remote, job, keys, expected, pure=False)

    def _wait(self, futures: Sequence[Any]) -> None:
        """Until one has ended. Raises CannotRun where there is no worker for too long."""
        from distributed import wait

        alone_s = 0.0
        while True:
            with self._there(), suppress(TimeoutError):
                wait(futures, timeout=POLL_S, return_when="FIRST_COMPLETED")
                return
            alone_s = 0.0 if self._alive() else alone_s + POLL_S
            if alone_s > ALONE_S:
                raise CannotRun(
                    f"{self.what} has had no worker for {alone_s:.0f} s; start some (python -m "
                    "dask worker), and the same command goes on"
                )

    def _result(self, future: Any) -> Rows | None:
        """The rows; None where workers died of them. Raises what the job raised."""
        from distributed import KilledWorker

        with self._there():
            error = future.exception()
            if error is None:
                return dict(future.result())
        if isinstance(error, KilledWorker):
            return None
        if isinstance(error, ModuleNotFoundError) or "deserializ" in str(error):
            raise CannotRun(
                f"{self.what} or a worker of it lacks this project's code "
                f"({type(error).__name__}); start each in a folder that holds it, or where it is "
                "installed (docs/scaling.md)"
            ) from error
        raise error

    @contextmanager
    def _there(self) -> Iterator[None]:
        """Raise CannotRun where the cluster is gone."""
        from distributed.client import ClosedClientError

        try:
            yield
        except TimeoutError:
            raise
        except (OSError, CancelledError, ClosedClientError) as error:
            raise CannotRun(
                f"{self.what} is gone ({type(error).__name__}); start it again, and the same "
                "command goes on"
            ) from error

    def _fatal(
        self,
        job: Job,
        keys: Sequence[str],
        fatal: Sequence[str],
        expected: Mapping[str, str],
    ) -> tuple[str, ...]:
        """Which keys of a partition end the process that works on them: each is tried alone. The
        others are worked on together again, as they would have been.
        """
        found = [*fatal]
        for key in keys:
            if key not in fatal and self._result(self._submitted(job, [key], expected)) is None:
                found.append(key)
        kept = [key for key in keys if key not in found]
        if len(found) == len(fatal) and not any(  # others may have ended the workers that had it
            self._result(self._submitted(job, kept, expected)) for _ in range(TRIES)
        ):
            raise CannotRun(
                f"{self.what}: workers end on {keys[0]} and {len(keys) - 1} more, though on each "
                "alone they do not, most likely for want of memory; use fewer --workers"
            )
        return tuple(found)


FATAL = "the process that read it ended, each time it was tried; give another copy of it"


def _remote(job: Job, keys: Sequence[str], expected: Mapping[str, str]) -> Rows:
    from distributed import get_worker

    return work(job, keys, expected, f"the worker {get_worker().address}")
