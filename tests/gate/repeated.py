"""`python -m tests.gate.repeated [COUNT]`: the gate COUNT times (20), and once with two BLAS threads.

Exits 1 unless all pass and every figure of the COUNT runs is the same to the last digit.
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def judged(workers, arguments):
    """(exit code, every figure, seconds, BLAS threads) of one gate on `workers` processes."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        options = ["--workers", str(workers), "--out", folder, *arguments]
        command = [sys.executable, "-m", "parity", "gate", *options]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - start
        written = Path(folder, "parity.json")
        document = json.loads(written.read_text(encoding="utf-8")) if written.exists() else {}
        if done.returncode:
            print(done.stdout, done.stderr, file=sys.stderr)
        figures = [
            (model["layers"], model["final"], model["tags"]) for model in document.get("models", [])
        ]
        return done.returncode, figures, seconds, document.get("environment", {}).get("threads")


def main():
    """Print one line per gate."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    runs = [judged(2, sys.argv[2:]) for _ in range(count)]
    runs.append(judged(1, sys.argv[2:]))
    for code, figures, seconds, threads in runs:
        same = "same figures" if figures == runs[0][1] else "other figures"
        print(f"exit {code}, {threads} BLAS threads, {same}, {seconds:.1f} s")
    steady = all(code == 0 for code, *_ in runs) and all(
        figures == runs[0][1] for _, figures, *_ in runs[:count]
    )
    sys.exit(0 if steady else 1)


if __name__ == "__main__":
    main()
