"""The originals' stacks and lanes, and the traces recorded with them."""

import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.files import sha256_of
from parity.recording import recorder as recorders
from parity.recording import scheduler
from parity.recording.cache import key_of, trace_cache
from parity.recording.trace import array_sha256, open_trace


class Stack(NamedTuple):
    """What an original runs on, one tox environment."""

    name: str
    keras: str
    theano: str = "1.0.5"
    numpy: str = "1.23.5"
    scipy: str = "1.11.4"
    h5py: str = "3.16.0"
    python: str = "3.11"

    @property
    def packages(self):
        """{distribution: version} in the environment, as requirements/<name>.txt pins them."""
        return {name: getattr(self, name) for name in ("keras", "theano", "numpy", "scipy", "h5py")}

    def expect(self, lane):
        """What the recorder has to find running in `lane`."""
        floats = {"floatx": lane.floatx, "floatX": lane.floatx, "optimizer": lane.optimizer}
        return {**self.packages, "python": self.python, **floats}


class Lane(NamedTuple):
    """One way to run an original."""

    name: str
    floatx: str
    optimizer: str


KERAS_VERSIONS = ("1.0.5", "1.0.6", "1.0.7", "1.0.8", "1.1.0", "1.2.2")
STACKS = {
    stack.name: stack
    for stack in (Stack("keras" + version.replace(".", ""), version) for version in KERAS_VERSIONS)
}
LANES = {
    lane.name: lane
    for lane in (
        Lane("reference", "float32", "None"),  # the original, step by step: what a port must match
        Lane("truth", "float64", "None"),  # the same formulas with nine more digits
        Lane("noise", "float32", "fast_run"),  # rewritten by Theano: how far it is from itself
    )
}
SHAPE = (1, 96, 1366)  # of a clip: C, F, T
SETTINGS = {"backend": "theano", "image_dim_ordering": "th", "epsilon": 1e-07, "threads": "1"}


class Job(NamedTuple):
    """One recording: what to run, on what, and what has to be found running.

    program: the module of `reference/` to run; more: what else its job file says.
    """

    model: str
    stack: Stack
    lane: Lane
    weights: Path
    batch: np.ndarray  # (B, 1, 96, 1366) float32, decibel
    expect: dict
    program: str = "reference.record"
    more: dict = {}  # noqa: RUF012 - a NamedTuple's default, never changed

    @property
    def label(self):
        return f"{self.model} {self.lane.name} (Keras {self.stack.keras})"

    @property
    def key(self):
        """Everything that can change a number of the trace, and the make-up of the batch."""
        asked = {"model": self.model, "lane": self.lane.name, "batch_size": len(self.batch)}
        return key_of({**asked, **self.expect})


def job(model, stack, lane, weights, batch):
    """The Job of `model` on the stack and lane of those names."""
    check_batch(batch)
    stack, lane, weights = STACKS[stack], LANES[lane], Path(weights).absolute()
    expect = {
        **stack.expect(lane),
        **SETTINGS,
        "recorder_sha256": recorders.sources_sha256(),
        "weights_sha256": weights_sha256(weights),
        "input_sha256": array_sha256(batch),
    }
    return Job(model, stack, lane, weights, batch, expect)


def weights_sha256(path):
    """sha256, hex, of a weight file; CannotRun where it cannot be read."""
    try:
        return sha256_of(path)
    except OSError as error:
        raise CannotRun(
            f"{path}: the weights cannot be read ({error.strerror}); check the path"
        ) from error


def check_batch(batch):
    """Raise CannotRun unless `batch` is float32 (B, 1, 96, 1366), B at least 1, and finite."""
    if batch.ndim != 4 or (batch.shape[1:], batch.dtype) != (SHAPE, np.float32) or not len(batch):
        raise CannotRun(
            f"the input is {batch.dtype} {batch.shape}, expected float32 (B, 1, 96, "
            "1366): mel spectrograms, decibel"
        )
    if not np.isfinite(batch).all():
        raise CannotRun("the input holds NaN or infinity; make the mel spectrogram again")


def traces(batches, *, lanes=tuple(LANES), workers=2, progress=None, cache=None):
    """The originals' traces, recorded now where the cache has none.

    Parameters
    ----------
    batches : dict
        {case: (B, 1, 96, 1366) float32, decibels}.
    lanes : tuple of str
        Names of LANES.
    workers : int
        Recorders side by side.
    progress : Lines or Live, optional
        A display of `parity.progress`.
    cache : Store, optional
        By default the user's trace cache.

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
            lane: job(case.model.name, case.model.stack, lane, case.weights, batch)
            for lane in lanes
        }
        for case, batch in batches.items()
    }
    every = [wanted for of_case in jobs.values() for wanted in of_case.values()]
    paths = record(every, workers=workers, progress=progress, cache=cache)
    return {
        case: {lane: paths[wanted.key] for lane, wanted in of_case.items()}
        for case, of_case in jobs.items()
    }


def record(jobs, *, workers=2, progress=None, cache=None):
    """{job.key: path of its trace} for Jobs, recalled or recorded; see `traces`."""
    cache = cache or trace_cache()
    jobs = {job.key: job for job in jobs}
    paths = {key: cache.find(key) for key in jobs}
    missing = {key: job for key, job in jobs.items() if paths[key] is None}
    cached = len(jobs) - len(missing)
    if progress and cached:
        progress.done("originals", f"{cached} of {len(jobs)} traces from the cache")
    recorded = scheduler.record_all(
        missing, cache, workers=workers, progress=progress, check=scheduler.check_trace
    )
    return {**paths, **recorded}


def timings(job):
    """Time the second call of a Job's original, with and without all layers; record nothing."""
    job = job._replace(more={"time": True})
    command = recorders.command_of(job.stack, job.program)
    with (
        tempfile.TemporaryDirectory() as folder,
        recorders.Recorder(job, Path(folder), command) as recorder,
    ):
        while not recorder.poll():
            time.sleep(scheduler.POLL_S)
        return recorder.timings


def describe(name, trace_path):
    """What parity.json says of a stack, read from a trace that it recorded."""
    with open_trace(trace_path) as trace:
        found = trace.provenance
    versions = {key: found[key] for key in ("python", "keras", "theano")}
    return {"name": name, **versions, "flags": found["theano_flags"]}
