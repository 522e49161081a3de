"""The port's forward pass against the original's compiled with fast_run, one thread each, one
after the other in one run.
"""

import time

from threadpoolctl import threadpool_limits

from parity import ports
from parity.model import DEFAULT_MODELS, case_for
from parity.recording import recordings
from parity.recording.clips import read_clips
from parity.recording.job import Job

LIMIT, RUNS = 1.3, 5


def rows():
    """One row per model: the port's median pass over the original's second `predict`, wall
    seconds.
    """
    for name in DEFAULT_MODELS:
        case = case_for(name)
        batch = read_clips(case.clips).batch
        original = recordings.timings(Job.of_case(case, "noise", batch))["predict"]["wall_s"]
        port = ports.load(ports.OURS, case)
        with threadpool_limits(1):
            own = sorted(forward_s(port, batch) for _ in range(RUNS))[RUNS // 2]
        yield (
            f"{name}: the port's forward pass over Keras and Theano's fast_run",
            f"{own / original:.2f}",
            LIMIT,
        )


def forward_s(port, batch):
    """Seconds of one pass of the port's layers, in order."""
    start = time.perf_counter()
    for name in port.layers:
        batch = port.run(name, batch)
    return time.perf_counter() - start
