"""Explaining a clean run against comparing it alone: CPU seconds of one process and one BLAS thread, traces at hand."""

import time

from threadpoolctl import threadpool_limits

from parity import cases, run, stacks
from parity.clips import read_clips
from parity.compare import compare_case

LIMIT = 1.75  # a warm run may take 20 s, and explaining may add 15 s


def rows():
    """One row per model: comparing every layer with explanations over without."""
    for name in cases.DEFAULT_MODELS:
        case = cases.case_for(name)
        lanes = stacks.traces({case: read_clips(case.clips).batch})[case]
        with threadpool_limits(1):  # as in a run, whose workers share the cores
            cpu_s(case, lanes, explain=False)  # the first time pays for imports and memory
            share = cpu_s(case, lanes, explain=True) / cpu_s(case, lanes, explain=False)
        yield f"{name}: comparing with explanations over without", f"{share:.2f}", LIMIT


def cpu_s(case, lanes, explain):
    """CPU seconds of one comparison of all layers."""
    started_s = time.process_time()
    compare_case(case, lanes, run.load_steps(run.PORT, case), explain=explain)
    return time.process_time() - started_s
