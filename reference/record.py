"""`python -m reference.record JOB.json OUT.h5`: run one original once and write every layer's
output to a trace.

JOB.json: {"model": "CNN0", "lane": "reference", "weights": path, "input": path of a float32 npy
(B, 1, 96, 1366), decibel,
           "expect": {name: value, ...} which has to match what really runs, "time": true to print
           timings instead of writing}
Stages on stdout: import, load, build, run, write, done; or {"timings": {...}}.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np

from reference import legacy
from reference.program import main, say
from reference.refused import Refused
from reference.trace_file import array_sha256, write_trace

SOURCES = Path(__file__).parent


def record(job, out):
    """Run the original of `job` and write its trace to `out`. Raises Refused where stack, weights
    or input are not as asked.
    """
    say(stage="import")
    legacy.apply()
    from reference import graph  # takes seconds, and needs the shims

    batch = _read_batch(job["input"])
    observed = {**graph.observed_stack(), **_digests(job["weights"], batch)}
    check(observed, job["expect"])
    say(stage="load")
    model = graph.load(job["model"], job["weights"])
    say(stage="build")
    run = graph.compile_all(model)
    batch = batch.astype(observed["floatX"])
    if job.get("time"):
        say(stage="time")
        return say(timings=graph.timings(model, run, batch))
    say(stage="run")
    outputs, pre_activations = run(batch)
    say(stage="write")
    provenance = {"model": job["model"], "lane": job["lane"], "batch_size": len(batch), **observed}
    write_trace(out, graph.layers(model, outputs, pre_activations), provenance)
    say(stage="done")


def check(observed, expected):
    """Raise Refused, naming every difference, unless what runs is what was asked for."""
    wrong = [
        f"{name} is {observed.get(name)!r}, asked for {value!r}"
        for name, value in expected.items()
        if observed.get(name) != value
    ]
    if wrong:
        raise Refused(
            f"what runs is not what was asked for: {'; '.join(wrong)}; delete its environment, "
            f"{sys.prefix}, and the next run builds it again"
        )


def sources_sha256(folder=SOURCES, more=()):
    """sha256, hex, over the recorder's own files, those of `more`, folders in it, too, so that a
    trace is never taken for one of a changed recorder.
    """
    files = sorted([*folder.glob("*.py"), folder / "keras.json"])
    for name in more:
        files += sorted((folder / name).glob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _digests(weights, batch):
    try:
        weights_sha256 = hashlib.sha256(Path(weights).read_bytes()).hexdigest()
    except OSError as error:
        raise Refused(
            f"{weights}: the weights cannot be read ({error.strerror}); check the path"
        ) from error
    return {
        "recorder_sha256": sources_sha256(),
        "weights_sha256": weights_sha256,
        "input_sha256": array_sha256(batch),
    }


def _read_batch(path):
    try:
        batch = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise Refused(f"{path}: the input cannot be read ({error}); give a float32 npy") from error
    if batch.ndim != 4 or batch.shape[1:] != (1, 96, 1366) or batch.dtype != np.float32:
        raise Refused(
            f"{path}: {batch.dtype} {batch.shape}, expected float32 (B, 1, 96, 1366): mel "
            "spectrograms in decibel"
        )
    if not len(batch) or not np.isfinite(batch).all():
        raise Refused(f"{path}: holds no clip, or NaN or infinity; make the mel spectrogram again")
    return batch


if __name__ == "__main__":
    sys.exit(main(record, __doc__, sys.argv[1:]))
