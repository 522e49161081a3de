"""The main job: record or recall the originals, run the port on the same input, compare, and make
parity.json's document.
"""

import multiprocessing
import os
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from parity.attribution.tags import tag_tables
from parity.compare import verdict
from parity.compare.case import compare_case
from parity.document import document, model_verdict, worst_cell
from parity.errors import CannotRun
from parity.identity import identity
from parity.ports import OURS, load
from parity.provenance import environment, threads_per_worker
from parity.recording import stacks
from parity.recording.clips import read_clips
from parity.recording.trace import open_trace

KEEP_PAGES = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": str(2**33),
}  # glibc: reuse freed arrays, a tenth less time


def run(cases, *, port=OURS, layers=None, workers=2, command="", progress=None, explain=True):
    """Prove `port` on every case; returns the document. Raises CannotRun where something needed is
    missing or broken.

    port : "module:function", see ports.load.
    layers : names to judge, None for all. explain : see compare.compare_case. workers : recorders,
    and comparing processes, side by side.
    """
    for case in cases:
        _ = case.weights.params  # a broken file is said before anything is started
    heard = {case.model.name: read_clips(case.clips) for case in cases}
    traces = stacks.traces(
        {case: heard[case.model.name].batch for case in cases}, workers=workers, progress=progress
    )
    found = _compare_all(
        cases, traces, workers, progress, port=port, layers=layers, explain=explain
    )
    models = [
        model_record(case, heard[case.model.name], traces[case], found[case.model.name])
        for case in cases
    ]
    return document(
        models,
        environment=environment(threads_per_worker(min(workers, len(cases)))),
        command=command,
        port=port,
        selection=list(layers) if layers else None,
    )


def model_record(case, clips, lanes, found):
    """One model's part of the document."""
    stack = stacks.describe(case.model.stack, lanes["reference"])
    record = {
        "name": case.model.name,
        "verdict": None,
        "worst": None,
        "data": case.data,
        "weights": {"file": case.weights.path.name, "sha256": case.weights.sha256},
        "stack": stack,
        "clips": [
            {"name": name, "sha256": digest}
            for name, digest in zip(clips.names, clips.sha256, strict=True)
        ],
        "batch_size": len(clips.names),
        "first_divergence": found["first_divergence"],
        "final": found["final"],
        "oracle_truth": found["oracle_truth"],
        "identity": found["identity"],
        "layers": found["layers"],
        "attribution": found["attribution"],
        "microscope": found["microscope"],
        "tags": tag_tables(
            clips.names,
            case.model.tags,
            found["scores"],
            found["logits"],
            _rounding_only(found),
        ),
    }
    return {**record, "verdict": model_verdict(record), "worst": worst_cell(record)}


def _rounding_only(found):
    """Whether every layer rounds at most more than usual, so that rounding may be the reason for a
    swap.
    """
    allowed = {*verdict.HOLDS, verdict.EXCESS}
    return all(
        layer[mode]["verdict"] in allowed
        for layer in found["layers"]
        for mode in ("isolated", "chained")
    )


def _compare_all(cases, traces, workers, progress, **how):
    """Each case in a process of its own, `workers` side by side; the largest first, so that the
    cores end together.
    """
    workers = min(workers, len(cases))
    os.environ.update(
        {"OPENBLAS_NUM_THREADS": str(threads_per_worker(workers)), **KEEP_PAGES}
    )  # read by the children as they start
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(
        workers,
        mp_context=context,
        initializer=signal.signal,
        initargs=(signal.SIGINT, signal.SIG_IGN),
    ) as pool:
        jobs = {pool.submit(_compare_one, case, traces[case], **how): case for case in cases}
        try:
            return dict(_collect(jobs, progress))
        except (
            BaseException
        ):  # Ctrl-C or a model that cannot be compared: the others are not waited for
            for child in multiprocessing.active_children():
                child.terminate()
            raise


def _collect(jobs, progress):
    for job in as_completed(jobs):
        name = jobs[job].model.name
        try:
            yield name, job.result()
        except BrokenProcessPool as error:
            raise CannotRun(
                f"{name}: the comparing process died, most likely for want of memory; try WORKERS=1"
            ) from error
        if progress:
            progress.done(name, "compared")


def _compare_one(case, lanes, *, port, layers, explain):
    found = compare_case(case, lanes, load(port, case), layers=layers, explain=explain)
    with open_trace(lanes["reference"]) as trace:  # here, where the port is imported already
        return {**found, "identity": identity(case, trace, port)}
