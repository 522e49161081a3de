"""Recorders side by side: the longest first, one compiling in a folder at a time, all of them
killed when one fails.
"""

import shutil
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from pathlib import Path

from parity.errors import CannotRun
from parity.progress import Lines, Live
from parity.recording import recorder as recorders
from parity.recording.job import Job
from parity.store import Store

POLL_S = 0.05
# Times relative to CNN's reference, with everything compiled before.
_MODEL_COST = {"CRNN": 3.0, "CRNN50": 3.0}
_LANE_COST = {"truth": 1.2, "noise": 0.4}


def record_all(
    jobs: Mapping[str, Job],
    store: Store,
    *,
    workers: int = 2,
    progress: Lines | Live | None = None,
    check: Callable[[Job, Path], None] | None = None,
) -> dict[str, Path]:
    """Record Jobs {key: Job} into `store`, `workers` side by side; returns {key: path}.

    check: called with a job and its file before that is kept. The first job that fails stops and
    removes the others.
    """
    commands = {
        (job.stack, job.program): recorders.command_of(job.stack, job.program)
        for job in jobs.values()
    }
    paths: dict[str, Path] = {}
    tasks = [
        _recording(key, job, store, commands[job.stack, job.program], progress, check, paths)
        for key, job in sorted(jobs.items(), key=lambda item: -_cost(item[1]))
    ]
    started: set[Generator[bool, None, None]] = set()
    with ExitStack() as leave:
        for task in tasks:
            leave.callback(task.close)
        while tasks:
            for task in list(tasks):
                if task in started or len(started) < workers:
                    running = next(task, None)
                    if running is None:
                        tasks.remove(task)
                        started.discard(task)
                    elif running:
                        started.add(task)
            time.sleep(POLL_S)
    return paths


def _recording(
    key: str,
    job: Job,
    store: Store,
    command: list[str],
    progress: Lines | Live | None,
    check: Callable[[Job, Path], None] | None,
    paths: dict[str, Path],
) -> Generator[bool, None, None]:
    """Record one job: yields False while it waits for its turn, True while its recorder runs."""
    with ExitStack() as leave:
        while (lock := store.try_lock(key)) is None:
            yield False
        leave.callback(store.unlock, lock)
        if path := store.find(key):
            said = "recorded by another run"
        else:
            while (compiling := recorders.compile_lock(job)) is None:
                yield False
            leave.callback(compiling.release)
            folder = store.scratch(key)
            leave.callback(shutil.rmtree, folder, ignore_errors=True)
            recorder = leave.enter_context(recorders.Recorder(job, folder, command, compiling))
            while not recorder.poll(progress):
                yield True
            if not recorder.out.exists():
                raise CannotRun(
                    f"{job.label}: the recorder ended without writing its trace; run it again"
                )
            if check:
                check(job, recorder.out)
            path, said = store.add(key, recorder.out), f"recorded in {recorder.age_s:.1f} s"
        paths[key] = path
        if progress:
            progress.done(job.label, said)


def _cost(job: Job) -> float:
    return _MODEL_COST.get(job.model, 1.0) * _LANE_COST.get(job.lane.name, 1.0) * len(job.batch)
