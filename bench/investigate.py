"""`make investigate` with the originals' answers in the cache, with everything kept, and cold where
BENCH_COLD is set (that takes long).

In the cache are then the live recordings, their judgement and the noise, but no answer to a
question, as after an edit of the code that answers them.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from parity.recording.cache import default_folder
from parity.studies.unstable_cnn.questions import QUESTIONS

COLD_S, AT_HAND_S, KEPT_S = 600, 60, 15


def rows():
    """PARITY_DATA decides whether on real data or on stand-ins. The first run fills the cache
    where it is empty.
    """
    with tempfile.TemporaryDirectory() as folder:
        if os.environ.get("BENCH_COLD"):
            yield "cold `make investigate`", f"{seconds(Path(folder, 'cold')):.0f} s", f"{COLD_S} s"
        cache = (
            Path(folder, "cold") if os.environ.get("BENCH_COLD") else default_folder().parents[1]
        )
        seconds(cache)
        at_hand = without_answers(cache, Path(folder, "at hand"))
        yield (
            "`make investigate` with what the originals gave at hand",
            f"{seconds(at_hand):.0f} s",
            f"{AT_HAND_S} s",
        )
        yield "`make investigate` with everything kept", f"{seconds(at_hand):.0f} s", f"{KEPT_S} s"


def without_answers(cache, folder):
    """A cache folder of the same files without any answer to a question."""
    own = cache / "music-tagger-parity" / "traces"
    for path in (*own.glob("*.h5"), *(own / "investigations").glob("*.*")):
        if path.is_file() and path.name.split(".")[0] not in QUESTIONS:
            copy = folder / path.relative_to(cache)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
    return folder


def seconds(cache):
    """Wall seconds of one whole run with that cache folder; it ends the benchmark where nothing
    could be answered.
    """
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder, "investigation.json"))
        command = [sys.executable, "-m", "parity", "investigate", "-o", out]
        started_s = time.perf_counter()
        subprocess.run(
            command,
            env={**os.environ, "PARITY_CACHE": str(cache)},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        return time.perf_counter() - started_s
