"""`make parity` in a fresh clone: cold (environments and traces empty, packages cached), then
warm, with the largest process.
"""

import os
import resource
import subprocess
import tempfile
import time
from pathlib import Path

COLD_S, WARM_S, EXPLAINING_S, PEAK_GIB = 480, 20, 15, 3


def rows():
    """Clone the committed project, run it twice; PARITY_DATA decides whether on real data or on
    stand-ins.
    """
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder, "clone")
        subprocess.run(["git", "clone", "--quiet", ".", clone], check=True)
        environment = {**os.environ, "PARITY_CACHE": str(Path(folder, "traces"))}
        cold, bare, explained = (
            _seconds(clone, environment, *options) for options in ((), ("ARGS=--no-explain",), ())
        )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    yield "cold `make parity`", f"{cold:.0f} s", f"{COLD_S} s"
    yield "warm `make parity`, without explanations", f"{bare:.1f} s", f"{WARM_S} s"
    yield "explaining adds", f"{explained - bare:.1f} s", f"{EXPLAINING_S} s"
    yield "largest process of either", f"{peak:.2f} GiB", f"{PEAK_GIB} GiB"


def _seconds(clone, environment, *options):
    start = time.perf_counter()
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["make", "parity", *options], cwd=clone, env=environment, check=True, **quiet)
    return time.perf_counter() - start
