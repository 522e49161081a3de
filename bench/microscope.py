"""The microscope on one model against comparing that model with explanations: CPU seconds in one
process of one BLAS thread.
"""

import time

from threadpoolctl import threadpool_limits

from bench.explaining import cpu_s
from parity import known
from parity.model import DEFAULT_MODELS, case_for
from parity.recording.clips import read_clips
from parity.studies.microscope.examination import examine


def rows():
    """One row per model; the train phase, which needs no model, is left out."""
    for name in DEFAULT_MODELS:
        case = case_for(name)
        lanes = known.traces({case: read_clips(case.clips).batch})[case]
        with threadpool_limits(1):
            examine(case, lanes["reference"])  # the first time pays for imports and memory
            started_s = time.process_time()
            examine(case, lanes["reference"])
            share = (time.process_time() - started_s) / cpu_s(case, lanes, explain=True)
        yield f"{name}: the microscope over comparing with explanations", f"{share:.2f}", "–"
