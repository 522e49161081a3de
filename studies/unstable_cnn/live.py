"""The original on many batches, live (`python -m reference.batches`): one process for all of them.

Its answer is kept in the cache folder by content, as traces are.
"""

from pathlib import Path

import h5py
import numpy as np

from parity.errors import CannotRun
from parity.recording import stacks
from parity.recording.cache import default_folder, key_of
from parity.recording.job import Job, check_batch, weights_sha256
from parity.recording.scheduler import record_all
from parity.recording.trace import array_sha256
from parity.store import Store
from parity.studies.unstable_cnn.calls import LOGITS, Run
from parity.studies.unstable_cnn.kept import program


def original(case, batches, **options):
    """{label: Run} of the live original of `case`, called on one batch after the other in the
    order given, in one process.

    batches: {label: (B, 1, 96, 1366) float32, decibel}. Options: keep: names of layers, by default
    the last one; optimizer: Theano's, by default fast_run; stack: a name of stacks.STACKS, by
    default the case's; most: keep only so many values of each clip's output, at equal distances,
    (B, most); threads: of BLAS and OpenMP, by default 1; progress: of parity.progress.
    Raises CannotRun where it cannot be run, or the input is of another shape or dtype, or not
    finite.
    """
    return originals({None: {"case": case, "batches": batches, **options}})[None]


def originals(wanted, workers=2):
    """{name: what `original` returns} for {name: its arguments}, run side by side."""
    jobs = {name: _asked(**asked) for name, asked in wanted.items()}
    kept = Store(default_folder() / "investigations", ".h5")
    missing = {key: job for key, job in jobs.values() if kept.find(key) is None}
    progress = next((asked.get("progress") for asked in wanted.values()), None)
    record_all(missing, kept, workers=workers, progress=progress)
    return {
        name: read(kept.path(key), wanted[name]["case"].model.layers)
        for name, (key, _) in jobs.items()
    }


def _asked(
    case, batches, keep=None, optimizer="fast_run", stack=None, most=None, threads=1, progress=None
):
    """(key, Job) of one recorder's answer."""
    for batch in batches.values():
        check_batch(batch)
    unknown = [name for name in keep or () if name not in case.model.layers]
    if unknown:
        raise CannotRun(
            f"{case.model.name} has no layer {unknown[0]}; it has {', '.join(case.model.layers)}"
        )
    job = _job(case, stack or case.model.stack, optimizer, batches, threads)
    more = {"batches": _rows(batches), "keep": list(keep or case.model.layers[-1:]), "most": most}
    key = key_of(
        {
            "model": job.model,
            "program": program(),
            "weights": weights_sha256(job.weights),
            "clips": array_sha256(job.batch),
            **more,
            **job.expect,
        }
    )
    return key, job._replace(program="reference.batches", more=more)


def _job(case, stack, optimizer, batches, threads):
    """A Job on the distinct clips of all batches."""
    stack = stacks.STACKS[stack]
    lane = next(
        (
            lane
            for lane in stacks.LANES.values()
            if (lane.floatx, lane.optimizer) == ("float32", optimizer)
        ),
        stacks.Lane(optimizer, "float32", optimizer),
    )
    expect = {**stack.expect(lane), **stacks.SETTINGS, "threads": str(threads)}
    clips = {array_sha256(clip): clip for batch in batches.values() for clip in batch}
    return Job(
        case.model.name,
        stack,
        lane,
        Path(case.weights).absolute(),
        np.stack(list(clips.values())),
        expect,
    )


def _rows(batches):
    """[[label, [which of the distinct clips, ...]], ...], clips numbered as they first occur."""
    number = {}
    return [
        [label, [number.setdefault(array_sha256(clip), len(number)) for clip in batch]]
        for label, batch in batches.items()
    ]


def read(path, layers):
    """{label: Run}, in the order of the calls; layers: of the model. Raises CannotRun where the
    file cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            groups = [file[str(at)] for at in range(len(file))]
            return {group.attrs["label"]: _run(group, layers) for group in groups}
    except (OSError, KeyError) as error:
        raise CannotRun(
            f"{path}: the recorded calls cannot be read; remove that file and run again"
        ) from error


def _run(group, layers):
    outputs = {name: group["outputs"][name][()] for name in layers if name in group["outputs"]}
    if "logits" in group:
        outputs[LOGITS.format(layers[-1])] = group["logits"][()]
    arriving = {name: tuple(array[()]) for name, array in group["arriving"].items()}
    marks = [
        tuple(group.attrs[f"{what}_{when}"] for when in ("before", "after"))
        for what in ("parameters", "others")
    ]
    return Run(outputs, arriving, *marks)
