"""Planted faults: the dearest one on a model against judging that model's sound port, and all of them with two workers."""

import resource
import subprocess
import sys
import tempfile
import time

from threadpoolctl import threadpool_limits

from parity import cases, stacks
from parity.clips import read_clips
from parity.faults import table, trial

DEAREST = "CRNN-conv2-tf32-operands"  # the largest sums, and a cause that is tested on all of them
ONE_S, WHOLE_S, PEAK_GIB = 8, 720, 3


def rows():
    """CPU seconds of one fault and their ratio to judging every layer of the sound port; seconds and memory of all faults."""
    with threadpool_limits(1):
        one, sound = cpu_s(next(fault for fault in table.FAULTS if fault.id == DEAREST))
    yield f"one fault ({DEAREST}), CPU seconds", f"{one:.1f} s", f"{ONE_S} s"
    yield "one fault over judging every layer of the sound port", f"{one / sound:.2f}", "–"
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        subprocess.run([sys.executable, "-m", "parity", "faults", "--out", folder], check=False, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        whole = time.perf_counter() - started_s
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    yield "`make faults`, originals recorded", f"{whole:.0f} s", f"{WHOLE_S} s"
    yield "its largest process", f"{peak:.2f} GiB", f"{PEAK_GIB} GiB"


def cpu_s(fault):
    """CPU seconds of one fault's trial, and of judging the port without it."""
    case = cases.case_for(fault.model)
    path = stacks.traces({case: read_clips(case.clips).batch}, lanes=("reference",))[case]["reference"]
    started_s = time.process_time()
    clean = trial.sound(case, path)
    sound_s = time.process_time() - started_s
    trial.sound_chain(case, path)  # shared by all faults of a model
    started_s = time.process_time()
    trial.tried(fault, case, path, clean)
    return time.process_time() - started_s, sound_s
