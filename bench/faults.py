"""Planted faults: the dearest one on a model as a whole command, and all of them with two
workers.
"""

import resource
import subprocess
import sys
import tempfile
import time

DEAREST = "CRNN-conv2-tf32-operands"  # the largest sums, and a cause that is tested on all of them
# what every command pays: imports, the trace, judging the sound port, its chain
NOTHING = "CRNN-final_drop-train-phase"
ONE_S, WHOLE_S, PEAK_GIB = 8, 720, 3


def rows():
    """Seconds of the dearest fault beyond those of one that costs nothing, of the whole table, and
    memory. Originals at hand.
    """
    seconds_of("--only", NOTHING)  # the first may have to record
    least, one = (seconds_of("--only", name) for name in (NOTHING, DEAREST))
    yield (
        f"one fault ({DEAREST}), beyond judging the sound port",
        f"{one - least:.1f} s",
        f"{ONE_S} s",
    )
    yield "one fault as a whole command", f"{one:.1f} s", "–"
    whole = seconds_of()
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    yield "`make faults`, originals recorded", f"{whole:.0f} s", f"{WHOLE_S} s"
    yield "its largest process", f"{peak:.2f} GiB", f"{PEAK_GIB} GiB"


def seconds_of(*options):
    """Wall time of `parity faults`; what it says on stderr is seen, and a run that breaks a
    promise or cannot be made ends the bench.
    """
    with tempfile.TemporaryDirectory() as folder:
        started_s = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "parity", "faults", "--out", folder, *options],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        return time.perf_counter() - started_s
