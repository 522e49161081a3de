"""The page of a whole run, drawn from its JSON by a fresh process: CPU seconds and size."""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD_S, PAGE_MB, ONE_MODEL_MB = 5, 2, 1
RUN = Path("reports/out/parity.json")


def rows():
    """The run in reports/out with its companions, then its largest model alone."""
    if not RUN.exists():
        sys.exit(f"bench: {RUN} is missing; make it first (make parity)")
    with tempfile.TemporaryDirectory() as folder:
        page, one = Path(folder, "parity.html"), Path(folder, "parity.json")
        run = json.loads(RUN.read_text(encoding="utf-8"))
        what, cpu_s = f"the report of {len(run['models'])} models", _cpu_s(RUN, page)
        yield f"{what}, CPU seconds", f"{cpu_s:.1f} s", f"{BUILD_S} s"
        yield f"{what}, size", f"{_megabytes(page):.2f} MB", f"{PAGE_MB} MB"
        largest = max(run["models"], key=lambda model: len(json.dumps(model)))
        one.write_text(json.dumps({**run, "models": [largest]}), encoding="utf-8")
        _cpu_s(one, page)
        what = f"the report of {largest['name']} alone, size"
        yield what, f"{_megabytes(page):.2f} MB", f"{ONE_MODEL_MB} MB"


def _cpu_s(document, page):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "parity", "report", document, "-o", page],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _megabytes(path):
    return path.stat().st_size / 1e6
