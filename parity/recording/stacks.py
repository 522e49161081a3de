"""The originals' stacks and lanes, and the traces recorded with them: recalled from the cache or
recorded now.
"""

import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.files import sha256_of
from parity.recording import recorder as recorders
from parity.recording import scheduler as recording
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
        """{distribution: version} that the environment has to hold (requirements/<name>.txt pins
        the same).
        """
        return {name: getattr(self, name) for name in ("keras", "theano", "numpy", "scipy", "h5py")}


class Lane(NamedTuple):
    """One way to run an original: `reference` is what the port has to match, the others say how
    far it can be trusted.
    """

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
        Lane(
            "reference", "float32", "None"
        ),  # what the original computes, step by step as it is written
        Lane("truth", "float64", "None"),  # the same formulas, nine more digits
        Lane(
            "noise", "float32", "fast_run"
        ),  # the same original after Theano's rewriting: how much it differs from itself
    )
}
SETTINGS = {"backend": "theano", "image_dim_ordering": "th", "epsilon": 1e-07, "threads": "1"}


class Job(NamedTuple):
    """One recording: what to run, on what, and what has to be found running."""

    model: str
    stack: Stack
    lane: Lane
    weights: Path
    batch: np.ndarray  # (B, 1, 96, 1366) float32, decibel
    expect: dict

    @property
    def label(self):
        return f"{self.model} {self.lane.name} (Keras {self.stack.keras})"

    @property
    def key(self):
        """Everything that can change a number of the trace, and the make-up of the batch."""
        return key_of(
            {
                "model": self.model,
                "lane": self.lane.name,
                "batch_size": len(self.batch),
                **self.expect,
            }
        )


def job(model, stack, lane, weights, batch):
    """The Job of `model` on the stack and lane of those names; `batch` is (B, 1, 96, 1366)
    float32, decibel.

    Raises CannotRun where the weights cannot be read or the batch is of another shape or dtype, or
    not finite.
    """
    check_batch(batch)
    stack, lane, weights = STACKS[stack], LANES[lane], Path(weights).absolute()
    try:
        weights_sha256 = sha256_of(weights)
    except OSError as error:
        raise CannotRun(
            f"{weights}: the weights cannot be read ({error.strerror}); check the path"
        ) from error
    expect = {
        **stack.packages,
        "python": stack.python,
        **SETTINGS,
        "floatx": lane.floatx,
        "floatX": lane.floatx,
        "optimizer": lane.optimizer,
        "recorder_sha256": recorders.sources_sha256(),
        "weights_sha256": weights_sha256,
        "input_sha256": array_sha256(batch),
    }
    return Job(model, stack, lane, weights, batch, expect)


def check_batch(batch):
    """Raise CannotRun unless `batch` is float32 (B, 1, 96, 1366), B at least 1, and finite."""
    if (
        batch.ndim != 4
        or batch.shape[1:] != (1, 96, 1366)
        or batch.dtype != np.float32
        or not len(batch)
    ):
        raise CannotRun(
            f"the input is {batch.dtype} {batch.shape}, expected float32 (B, 1, 96, "
            "1366): mel spectrograms, decibel"
        )
    if not np.isfinite(batch).all():
        raise CannotRun("the input holds NaN or infinity; make the mel spectrogram again")


def traces(batches, *, lanes=tuple(LANES), workers=2, progress=None, cache=None):
    """The originals' traces on the given input: {case: {lane name: path}}, recorded now where the
    cache has none.

    batches : {case: (B, 1, 96, 1366) float32, decibel}; a case has .model.name, .model.stack (a
    name of STACKS) and .weights.
    workers : recorders side by side. progress : as parity.progress gives it, or None. The paths
    stay valid until this process ends. Raises CannotRun, and leaves no recorder running.
    """
    wanted = {
        (case, lane): job(case.model.name, case.model.stack, lane, case.weights, batch)
        for case, batch in batches.items()
        for lane in lanes
    }
    paths = record(wanted.values(), workers=workers, progress=progress, cache=cache)
    found = {case: {} for case in batches}
    for (case, lane), wish in wanted.items():
        found[case][lane] = paths[wish.key]
    return found


def record(jobs, *, workers=2, progress=None, cache=None):
    """{job.key: path of its trace} for Jobs, recalled or recorded; see `traces`."""
    cache = cache or trace_cache()
    jobs = {job.key: job for job in jobs}
    paths = {key: cache.find(key) for key in jobs}
    missing = {key: job for key, job in jobs.items() if paths[key] is None}
    if progress and len(missing) < len(jobs):
        progress.done(
            "originals", f"{len(jobs) - len(missing)} of {len(jobs)} traces from the cache"
        )
    return {**paths, **recording.record_all(missing, cache, workers=workers, progress=progress)}


def timings(job):
    """How long a Job's original takes, second call each, in one process; nothing is recorded.

    Returns {"predict": {"wall_s", "cpu_s"}, "all_layers": {"wall_s", "cpu_s"}, "bitwise_equal":
    bool}.
    """
    with tempfile.TemporaryDirectory() as folder:
        return recording.time_one(job, Path(folder))


def describe(name, trace_path):
    """What parity.json says of a stack: {name, python, keras, theano, flags}, read from a trace it
    recorded.
    """
    with open_trace(trace_path) as trace:
        found = trace.provenance
    return {
        "name": name,
        **{key: found[key] for key in ("python", "keras", "theano")},
        "flags": found["theano_flags"],
    }
