"""Collections: tagging into a table over printing, and what proving adds to recording, in CPU
seconds, which other work on the machine moves least; two workers over one, by the clock.
"""

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from bench import clips
from parity.corpus.proving import Proving
from parity.engine import job as engine
from parity.model import DEFAULT_MODELS, case_for
from parity.ports import OURS

FILES, COPIES, PROVED = 128, 4, 3
TAGGING, PROVING, WORKERS = 1 / 1.5, 1.3, 1 / 1.7
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def rows():
    """Figures of this machine."""
    with tempfile.TemporaryDirectory() as folder:
        clips.main(folder, str(FILES))
        for model in ("CRNN", "CNN"):
            printed, _ = _tagged(model, folder, [])
            written, _ = _tagged(model, folder, _into(folder, 0))
            yield (
                f"{model}: tagging {FILES} files into a table over printing them, CPU seconds",
                f"{written / printed:.2f}",
                f"{TAGGING:.2f}",
            )
        with tempfile.TemporaryDirectory() as many:
            for file in Path(folder).glob("*.wav"):
                for copy in range(COPIES):
                    os.link(file, Path(many, f"{copy}-{file.name}"))
            one_s, two_s = (_tagged("CNN", many, _into(folder, count))[1] for count in (1, 2))
        yield (
            f"CNN: {COPIES * FILES} files by two workers over one, where nothing else runs "
            f"({one_s:.0f} s)",
            f"{two_s / one_s:.2f}",
            f"{WORKERS:.2f}",
        )
        for name in DEFAULT_MODELS:
            recording, more = proving(name, sorted(map(str, Path(folder).glob("*.wav"))))
            yield (
                f"{name}: proving a clip of a collection over recording it, CPU seconds "
                f"({recording:.1f} s)",
                f"{1 + more / recording:.2f}",
                PROVING,
            )


def _into(folder, workers):
    table = Path(folder, "tags.csv")
    table.unlink(missing_ok=True)
    return ["--workers", str(workers), "--out", str(table)]


def _tagged(model, folder, more):
    """(CPU seconds, seconds) of tagging with weights that are stand-ins."""
    command = [sys.executable, "-W", "ignore", "-m", "tagger", "tag", "--seeded", "-m", model]
    before, start_s = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*command, *more, folder], check=True, capture_output=True)
    taken_s, after = time.perf_counter() - start_s, resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return cpu_s, taken_s


def proving(name, files):
    """(CPU seconds of the recorders, of port and comparison) for each clip, after the first."""
    engine.keep_pages()
    with threadpool_limits(1):
        work = Proving.of(case_for(name), OURS, 1, 0).open()
        try:
            work(files[:1])
            before = _seconds(work)
            work(files[1 : 1 + PROVED])
            after = _seconds(work)
        finally:
            work.close()
    return tuple((late - early) / PROVED for late, early in zip(after, before, strict=True))


def _seconds(work):
    recorders = [each.process.pid for each in work.originals.lanes.values()]
    port = work.port.process.process.pid
    return sum(map(_of, recorders)), _of(os.getpid()) + _of(port)


def _of(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return TICK_S * (int(fields[11]) + int(fields[12]))


if __name__ == "__main__":
    for row in rows():
        print(row)
