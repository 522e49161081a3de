"""`parity probe` for three models: how long it takes, and that its verdicts are the same on every
BLAS kernel and with one thread or two.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_S, SEED = 10, "20160618"
CORES = ("Prescott", "Nehalem", "Sandybridge", "Haswell", "Zen", "SkylakeX")


def rows():
    """Seconds and CPU seconds of one command, cold; then how many verdicts and readings differ."""
    usual, wall_s, cpu_s = probed()
    yield "`parity probe`, three models, cold start included, s", f"{wall_s:.1f}", LIMIT_S
    yield "the same, CPU s", f"{cpu_s:.1f}", "-"
    for core in CORES:
        other, *_ = probed(OPENBLAS_CORETYPE=core)
        yield (
            f"layers that answer otherwise with OpenBLAS' kernels for {core}",
            differ(usual, other),
            0,
        )
    other, *_ = probed("--workers", "1")
    yield "layers that answer otherwise with two threads instead of one", differ(usual, other), 0


def probed(*options, **environment):
    """({(model, layer): verdict, form and what was read exactly}, seconds, CPU seconds)."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "parity", "probe", "--seed", SEED, "--out", folder]
        before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*command, *options], env={**os.environ, **environment}, capture_output=True)
        wall_s, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
        document = json.loads((Path(folder) / "probes.json").read_text())
    used = (now - then for now, then in zip(after[:2], before[:2], strict=True))
    return found(document), wall_s, sum(used)


def found(document):
    """What has to be the same on every processor."""
    return {
        (model["name"], layer["name"]): (
            layer["probed"]["verdict"],
            layer["probed"]["form"],
            [read["sha256"] for read in layer["probed"]["read"]],
        )
        for model in document["models"]
        for layer in model["layers"]
    }


def differ(one, other):
    """How many layers' findings are not the same."""
    return sum(one[key] != other.get(key) for key in one)
