"""What can be asked without recording anything: cached traces, and environments already built."""

from pathlib import Path

from parity.errors import CannotRun
from parity.gate.outcome import Json
from parity.identity import identity
from parity.known import Known
from parity.model import Case
from parity.port_api import Port
from parity.recording.cache import trace_cache
from parity.recording.clips import clips_of
from parity.recording.environments import is_built
from parity.recording.job import Job
from parity.recording.recordings import recall
from parity.recording.stacks import LANES
from parity.recording.trace import open_trace


def cached(case: Case, lane: str) -> Path | None:
    """The path of a recorded trace, or None; a cache that cannot be opened holds none. Raises
    CannotRun for another trace in its place.
    """
    wanted = Job.of_case(case, lane, *clips_of([case])[case].inputs)
    try:
        cache = trace_cache()
    except CannotRun:
        return None
    return recall(wanted, cache)


def can_run(case: Case) -> bool:
    """Whether every trace that is needed is cached, or the environment is already built."""
    path = cached(case, "reference")
    needed = Known(case, path.stem).lanes if path else LANES
    return all(cached(case, lane) for lane in needed) or is_built(case.model.stack)


def identity_of(case: Case, port: Port | None = None) -> Json:
    """The case's identity, by its recorded trace where there is one; no layer is run."""
    path = cached(case, "reference")
    if path is None:
        return identity(case, None, port)
    with open_trace(path) as trace:
        return identity(case, trace.grouped(case.names), port)
