"""With what a run was made: versions, BLAS, threads, machine. Read without importing what it
names.
"""

import os
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import parity


def environment(threads: int, versions: Mapping[str, str]) -> dict[str, Any]:
    """The run's surroundings as the JSON wants them. threads : BLAS threads of each comparing
    process; versions : of what the port computes with, {name: version}.
    """
    return {
        "parity": parity.__version__,
        "commit": commit(Path(__file__).parents[1]),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        **versions,
        "blas": _blas(),
        "threads": threads,
        "os": platform.platform(),
        "cpu": _cpu(),
    }


def commit(folder: Path) -> str | None:
    """The commit that is checked out in a folder, hex; None where it is no clone."""
    try:
        home = folder / ".git"
        if home.is_file():  # of a worktree: it names the place
            home = folder / home.read_text().removeprefix("gitdir:").strip()
        head = (home / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head
        name = head.removeprefix("ref:").strip()
        shared = home / "commondir"
        places = [home, home / shared.read_text().strip()] if shared.exists() else [home]
        for place in places:
            if (place / name).exists():
                return (place / name).read_text().strip()
        packed = (places[-1] / "packed-refs").read_text().splitlines()
        return next((line.split()[0] for line in packed if line.endswith(f" {name}")), None)
    except OSError:
        return None


def threads_per_worker(workers: int) -> int:
    """BLAS threads each of `workers` side-by-side processes may use."""
    return max(1, len(os.sched_getaffinity(0)) // workers)


def _blas() -> str:
    """The BLAS library NumPy loaded: name, version and the kernels it chose for this processor."""
    from threadpoolctl import threadpool_info

    loaded = [
        f"{pool['internal_api']} {pool['version']} ({pool['architecture']})"
        for pool in threadpool_info()
        if pool["user_api"] == "blas" and "numpy" in pool["filepath"]
    ]
    return ", ".join(loaded) or "unknown"


def _cpu() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.machine(),
    )
