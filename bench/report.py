"""Building the page of a whole run from its JSON, in CPU seconds of a fresh process: reading,
charts, templates, writing.
"""

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

BUILD_S, PAGE_MB, ONE_MODEL_MB = 5, 2, 1
RUN = Path("reports/out/parity.json")


def rows():
    """CPU seconds and size for the run in reports/out and what lies beside it; its size for the
    first model alone.
    """
    if not RUN.exists():
        sys.exit(f"bench: {RUN} is not there to be drawn; make it first (make parity)")
    with tempfile.TemporaryDirectory() as folder:
        page, one = Path(folder, "parity.html"), Path(folder, "parity.json")
        run = json.loads(RUN.read_text(encoding="utf-8"))
        yield (
            f"the report of {len(run['models'])} models, CPU seconds",
            f"{_cpu_s(RUN, page):.1f} s",
            f"{BUILD_S} s",
        )
        yield "its size", f"{_megabytes(page):.2f} MB", f"{PAGE_MB} MB"
        largest = max(run["models"], key=lambda model: len(json.dumps(model)))
        one.write_text(json.dumps({**run, "models": [largest]}), encoding="utf-8")
        _cpu_s(one, page)
        yield (
            f"the report of {largest['name']} alone, size",
            f"{_megabytes(page):.2f} MB",
            f"{ONE_MODEL_MB} MB",
        )


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
