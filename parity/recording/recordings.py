"""The originals' traces, recalled from the cache or recorded now."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from parity.errors import CannotRun
from parity.processes import scratch
from parity.progress import Lines, Live
from parity.recording import recorder as recorders
from parity.recording import scheduler
from parity.recording.cache import trace_cache
from parity.recording.environments import WORK
from parity.recording.job import Job
from parity.recording.stacks import LANES
from parity.recording.trace import Trace, open_trace
from parity.store import Store

__all__ = ["describe", "recall", "record", "timings", "traces"]


def traces(
    batches: Mapping[Any, Any],
    *,
    lanes: Collection[str] | Mapping[Any, Collection[str]] = tuple(LANES),
    workers: int = 2,
    progress: Lines | Live | None = None,
    cache: Store | None = None,
    before: Callable[[], Any] | None = None,
) -> dict[Any, dict[str, Path]]:
    """The originals' traces, recorded now where the cache has none.

    Parameters
    ----------
    batches : dict
        {case: (B, 1, 96, 1366) float32, decibels}, or {case: (first input, the others)}.
    lanes : collection of str, or dict
        Names of LANES, or {case: names}.
    workers : int
        Recorders side by side.
    progress : Lines or Live, optional
        A display of `parity.progress`.
    cache : Store, optional
        By default the user's trace cache.
    before : callable, optional
        Called before the first recording, if there is any.

    Returns
    -------
    dict
        {case: {lane: path}}; the paths stay valid until this process ends.

    Raises
    ------
    CannotRun
        Where an original cannot be run; no recorder stays behind.
    """
    jobs = {
        case: {
            lane: Job.of_case(case, lane, *(batch if isinstance(batch, tuple) else (batch, ())))
            for lane in (lanes[case] if isinstance(lanes, Mapping) else lanes)
        }
        for case, batch in batches.items()
    }
    every = [job for of_case in jobs.values() for job in of_case.values()]
    paths = record(every, workers=workers, progress=progress, cache=cache, before=before)
    return {
        case: {lane: paths[job.key] for lane, job in of_case.items()}
        for case, of_case in jobs.items()
    }


def record(
    jobs: Iterable[Job],
    *,
    workers: int = 2,
    progress: Lines | Live | None = None,
    cache: Store | None = None,
    before: Callable[[], Any] | None = None,
) -> dict[str, Path]:
    """{job.key: path of its trace} for Jobs, recalled or recorded; see `traces`."""
    cache = cache or trace_cache()
    wanted = {job.key: job for job in jobs}
    cached = {key: path for key, job in wanted.items() if (path := recall(job, cache))}
    if progress and cached:
        progress.done("originals", f"{len(cached)} of {len(wanted)} traces from the cache")
    missing = {key: job for key, job in wanted.items() if key not in cached}
    if missing and before:
        before()
    return cached | scheduler.record_all(
        missing, cache, workers=workers, progress=progress, check=check
    )


def recall(job: Job, cache: Store) -> Path | None:
    """The trace of a Job in the cache, or None; CannotRun for another trace under its name."""
    path = cache.find(job.key)
    if path:
        check(job, path, f"remove {path} and run again")
    return path


def check(job: Job, path: Path, remedy: str = "") -> None:
    """Raise CannotRun unless the trace is whole and says that what was asked for is what ran."""
    with open_trace(path) as trace:
        check_open(job, trace, remedy)


def check_open(job: Job, trace: Trace, remedy: str = "") -> None:
    """The same of a trace that is open."""
    remedy = remedy or f"delete {WORK / job.stack.name}, and the next run builds it again"
    found = trace.provenance
    asked = {"model": job.model, "lane": job.lane.name, **job.expect}
    wrong = [
        f"{name} is {found.get(name)!r}, asked for {value!r}"
        for name, value in asked.items()
        if found.get(name) != value
    ]
    if wrong:
        raise CannotRun(
            f"{job.label}: the trace is not the one asked for: {'; '.join(wrong)}; {remedy}"
        )


def timings(job: Job) -> dict[str, Any]:
    """Time the second call of a Job's original, with and without all layers; record nothing."""
    job = job._replace(more={**job.more, "time": True})
    command = recorders.command_of(job.stack, job.program)
    with (
        scratch() as folder,
        recorders.Recorder(job, folder, command) as recorder,
    ):
        while not recorder.poll():
            time.sleep(scheduler.POLL_S)
        return recorder.timings


def describe(name: str, trace_path: Path) -> dict[str, Any]:
    """What parity.json says of a stack, read from a trace that it recorded."""
    with open_trace(trace_path) as trace:
        found = trace.provenance
    versions = {key: found[key] for key in ("python", "keras", "theano")}
    return {"name": name, **versions, "flags": found["theano_flags"]}
