"""With what a run was made: versions, BLAS, threads, machine. Read without importing what it
names.
"""

import os
import platform
from importlib.metadata import version
from pathlib import Path

import parity


def environment(threads, versions):
    """The run's surroundings as the JSON wants them. threads : BLAS threads of each comparing
    process; versions : of what the port computes with, {name: version}.
    """
    return {
        "parity": parity.__version__,
        "python": platform.python_version(),
        "numpy": version("numpy"),
        **versions,
        "blas": _blas(),
        "threads": threads,
        "os": platform.platform(),
        "cpu": _cpu(),
    }


def threads_per_worker(workers):
    """BLAS threads each of `workers` side-by-side processes may use."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _blas():
    """The BLAS library NumPy loaded: name, version and the kernels it chose for this processor."""
    from threadpoolctl import threadpool_info

    loaded = [
        pool
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    return (
        ", ".join(
            f"{pool['internal_api']} {pool['version']} ({pool['architecture']})" for pool in loaded
        )
        or "unknown"
    )


def _cpu():
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
