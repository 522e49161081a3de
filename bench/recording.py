"""Recording every layer against plain `predict`: CPU seconds of the second call of each, same
flags, in one process.
"""

from parity.model import DEFAULT_MODELS, case_for
from parity.recording import recordings
from parity.recording.clips import read_clips
from parity.recording.job import Job

LIMIT = 1.25


def rows():
    """One row per model, in the reference lane (optimizer None)."""
    for name in DEFAULT_MODELS:
        case = case_for(name)
        wish = Job.of_case(case, "reference", read_clips(case.clips).batch)
        seconds = {
            what: times["cpu_s"]
            for what, times in recordings.timings(wish).items()
            if what != "bitwise_equal"
        }
        yield (
            f"{name}: recording all layers over predict",
            f"{seconds['all_layers'] / seconds['predict']:.2f}",
            LIMIT,
        )
