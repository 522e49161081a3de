"""The gate over all models with cached traces, and its identity check, which runs nothing."""

import subprocess
import sys
import tempfile
import time

GATE_S, IDENTITY_S = 15, 2


def rows():
    """The second of two gates each: the first may record, or describe the port."""
    for what, options, most in (
        ("gate, traces cached", [], GATE_S),
        ("its identity check", ["--identity-only"], IDENTITY_S),
    ):
        seconds = [_seconds(options) for _ in range(2)][1]
        yield what, f"{seconds:.1f} s", f"{most} s"


def _seconds(options):
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        command = [sys.executable, "-m", "parity", "gate", "--out", folder, *options]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - start
