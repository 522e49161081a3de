"""The taggers under onnxruntime beside our Chainer port: the forward pass, a cold start, an export.

`python -m bench.onnx_speed`: in .tox/onnx, which `make rescue` builds. Timings alternate, medians.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

LEAST = {"CRNN": 1.4, "CNN0": 1.7, "CNN": 1.7}  # times as fast
BATCHES, RUNS = (2, 8), 5
COLD_S, EXPORT_S, PROOF_S = 1.2, 5, 30
PYTHON = Path(".tox/onnx/bin/python")
PROGRAM = "python -m bench.onnx_speed"


def rows():
    """(what, figure, limit) of each; from an environment of its own."""
    if not PYTHON.exists():
        yield PROGRAM, "not measured: make rescue builds .tox/onnx", ""
        return
    done = subprocess.run(
        [PYTHON, "-m", "bench.onnx_speed"], capture_output=True, text=True, check=True
    )
    for line in done.stdout.splitlines():
        yield tuple(line.split("\t"))


def measured():
    """The same, measured here."""
    import chainer

    from parity import model
    from parity.fixtures import seeded
    from parity.port.architectures import MEL_SHAPE
    from parity.rescue import written
    from tagger.model import load

    with tempfile.TemporaryDirectory() as folder:
        for name, least in LEAST.items():
            case = model.case_for(name)
            start = time.perf_counter()
            data = written(case).SerializeToString(deterministic=True)
            exported = time.perf_counter() - start
            path = Path(folder) / f"{name}.onnx"
            path.write_bytes(data)
            port, net = load(name, case.weights.path), load(name, path)
            for clips in BATCHES:
                x = np.random.default_rng(0).standard_normal((clips, *MEL_SHAPE), np.float32)
                with chainer.using_config("train", False), chainer.no_backprop_mode():
                    times = [[_timed(each.predict, x) for each in (port, net)] for _ in range(RUNS)]
                ours, theirs = (statistics.median(side) for side in zip(*times[1:], strict=True))
                what = f"{name}, {clips} clips: onnxruntime's time over the port's"
                yield what, f"{theirs / ours:.2f}", f"{1 / least:.2f}"
        yield "parity export of the largest tagger", f"{exported:.2f} s", f"{EXPORT_S} s"
        song = seeded.audio(1)[0]
        path = Path(folder) / "CRNN.onnx"
        command = [sys.executable, "-m", "tagger", "tag", song, "--weights", path]
        cold = min(_timed(subprocess.run, command, capture_output=True) for _ in range(RUNS))
        yield (
            "tagger tag --engine onnx, one clip, cold start included",
            f"{cold:.2f} s",
            f"{COLD_S} s",
        )
        command = [sys.executable, "-m", "parity", "rescue", "CRNN", "-o", path, "--report", folder]
        proofs = [_timed(subprocess.run, command, capture_output=True) for _ in range(2)]
        yield "parity rescue CRNN, traces recorded", f"{proofs[-1]:.1f} s", f"{PROOF_S} s"


def _timed(work, *given, **more):
    start = time.perf_counter()
    work(*given, **more)
    return time.perf_counter() - start


if __name__ == "__main__":
    for row in measured():
        print(*row, sep="\t", flush=True)
