"""The original on many batches, live (`python -m reference.batches`): one process for all of them.

Its answer is kept in the cache folder by content, as traces are.
"""

import numpy as np

from parity.errors import CannotRun
from parity.recording import stacks
from parity.recording.cache import key_of
from parity.recording.job import Job, check_batch, weights_sha256
from parity.recording.scheduler import record_all
from parity.recording.trace import array_sha256
from parity.store import Store
from parity.studies.unstable_cnn import cache, runs


def run(wanted, workers=2):
    """{name: {label: Run}} for {name: keyword arguments}, `workers` processes side by side.

    Arguments: case; batches: {label: (B, 1, 96, 1366) float32, decibel}, called in the order given;
    keep: names of layers, by default the last one; optimizer: Theano's, by default fast_run; stack:
    a name of stacks.STACKS, by default the case's; most: keep only so many values of each clip's
    output, at equal distances, (B, most); threads: of BLAS and OpenMP, by default 1; progress: of
    parity.progress.
    Raises CannotRun where one cannot be run, or its input is of another shape or dtype, or not
    finite.
    """
    jobs = {name: _job(**asked) for name, asked in wanted.items()}
    store = Store(cache.folder(), ".h5")
    missing = {key: job for key, job in jobs.values() if store.find(key) is None}
    progress = next((asked.get("progress") for asked in wanted.values()), None)
    record_all(missing, store, workers=workers, progress=progress)
    return {
        name: runs.read(store.path(key), wanted[name]["case"].model.layers)
        for name, (key, _) in jobs.items()
    }


def _job(
    case, batches, keep=None, optimizer="fast_run", stack=None, most=None, threads=1, progress=None
):
    """(key, Job) of one recorder, on the distinct clips of all batches."""
    layers = case.model.layers
    for batch in batches.values():
        check_batch(batch)
    unknown = [name for name in keep or () if name not in layers]
    if unknown:
        raise CannotRun(f"{case.model.name} has no layer {unknown[0]}; it has {', '.join(layers)}")
    lanes = (lane for lane in stacks.LANES.values() if lane.floatx == "float32")
    lane = next(
        (lane for lane in lanes if lane.optimizer == optimizer),
        stacks.Lane(optimizer, "float32", optimizer),
    )
    stack = stacks.STACKS[stack or case.model.stack]
    expect = {**stack.expect(lane), **stacks.SETTINGS, "threads": str(threads)}
    clips = {array_sha256(clip): clip for batch in batches.values() for clip in batch}
    number = {digest: at for at, digest in enumerate(clips)}
    more = {
        "batches": [
            [label, [number[array_sha256(clip)] for clip in batch]]
            for label, batch in batches.items()
        ],
        "keep": list(keep or layers[-1:]),
        "most": most,
    }
    case = case._replace(model=case.model._replace(stack=stack.name))
    batch = np.stack(list(clips.values()))
    job = Job.asking(case, lane, batch, expect, more, program="reference.batches")
    key = key_of(
        {
            "model": job.model,
            "program": cache.program(),
            "weights": weights_sha256(job.weights),
            "clips": array_sha256(job.batch),
            **more,
            **expect,
        }
    )
    return key, job
