"""What explaining adds to comparing a clean run: CPU seconds of one process and one BLAS thread,
traces at hand.
"""

import time

from threadpoolctl import threadpool_limits

from parity import known, ports
from parity.model import DEFAULT_MODELS, case_for
from parity.proving import compare_case
from parity.recording.clips import read_clips

ADDED_S, WORKERS = 15, 2  # that a run of the three models may add, whose processes share two cores


def rows():
    """One row per model: comparing every layer with explanations over without; then what the three
    add to a run.
    """
    added_s = 0.0
    for name in DEFAULT_MODELS:
        case = case_for(name)
        lanes = known.traces({case: read_clips(case.clips).batch})[case]
        with threadpool_limits(1):  # as in a run, whose workers share the cores
            cpu_s(case, lanes, explain=False)  # the first time pays for imports and memory
            explained, bare = (cpu_s(case, lanes, explain=explain) for explain in (True, False))
        added_s += explained - bare
        yield f"{name}: comparing with explanations over without", f"{explained / bare:.2f}", "–"
    yield (
        f"explaining adds to a run of the three, CPU seconds over {WORKERS} workers",
        f"{added_s / WORKERS:.1f} s",
        f"{ADDED_S} s",
    )


def cpu_s(case, lanes, explain):
    """CPU seconds of one comparison of all layers."""
    started_s = time.process_time()
    compare_case(case, lanes, ports.load(ports.OURS, case), explain=explain)
    return time.process_time() - started_s
