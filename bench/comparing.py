"""Comparing one model's layers (oracle, bounds, drift) against the port's own passes, in one
process of one BLAS thread.

Both modes are compared, isolated and chained, and the port runs once for each: two comparisons
over two passes.
"""

import time

from threadpoolctl import threadpool_limits

from bench.fast_run import forward_s
from parity import ports
from parity.compare.measure import compare_layer
from parity.compare.walk import walk
from parity.kinds import layer_case
from parity.model import DEFAULT_MODELS, case_for
from parity.recording import recordings
from parity.recording.clips import read_clips
from parity.recording.trace import open_trace

LIMIT = 6


def rows():
    """One row per model: seconds of comparing its walked layers over seconds of walking the
    chain.
    """
    for name in DEFAULT_MODELS:
        case = case_for(name)
        lanes = recordings.traces({case: read_clips(case.clips).batch}, lanes=["reference"])[case]
        with threadpool_limits(1):  # as in a run, whose workers share the cores
            comparing, forward = _times(case, lanes["reference"])
        yield (
            f"{name}: comparing over the port's forward pass",
            f"{comparing / (2 * forward):.1f}",
            LIMIT,
        )


def _times(case, reference):
    params, port = case.weights.params, ports.load(ports.OURS, case)
    comparing = 0.0
    with open_trace(reference) as trace:
        keras = trace.provenance["keras"]
        batch = trace.read("input_1")
        forward_s(port, batch)  # the first pass pays for imports and memory
        forward = min(forward_s(port, batch) for _ in range(3))
        for step in walk(trace, port):
            start = time.perf_counter()
            own = params.get(step.layer.name, {})
            of = layer_case(step.layer, own, step.x, keras)
            compare_layer(of, step.expected, step.isolated.actual, step.chained)
            comparing += time.perf_counter() - start
    return comparing, forward
