"""The tagger as a program: a cold first result, the published port's formulas, both cores on
decoding, memory over many files.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import chainer
import numpy as np

from bench.port_speed import TIMED, stock
from parity.fixtures import seeded
from parity.fixtures.store import DATA_VARIABLE, WEIGHTS
from parity.port.architectures import MEL_SHAPE
from parity.port.stock import replacements
from parity.port.weights import load

COLD_S, STOCK_SHARE, GROWTH_MIB = 4, 1 / 1.2, 20
CORES_SHARE = 0.75  # two workers' wall time over one's, where nothing else runs on the machine
BATCH, CLIPS, FILES, RUNS = 8, 64, 1000, 3
RATE_HZ = 44100


def rows():
    """Figures of this machine; the weights are stand-ins, since they do not change the work."""
    with tempfile.TemporaryDirectory() as folder:
        song = Path(folder, "song.wav")
        _write_song(song)
        weights = {model: _stand_in(model, folder) for model in TIMED}
        yield (
            "first result of one 30 s clip, cold process, default HDF5",
            f"{cold_seconds(song, folder):.1f} s",
            f"{COLD_S} s",
        )
        for model, path in weights.items():
            what = (
                f"batch of {BATCH} ({model}): the port over the published port's formulas on "
                "stock links"
            )
            yield what, f"{batch_share(model, path):.2f}", f"{STOCK_SHARE:.2f}"
        share, cores = threads_share(song)
        yield (
            (
                f"mel spectrograms of {CLIPS} clips: two threads over one ({cores:.1f} cores "
                "were given)"
            ),
            f"{share:.2f}",
            CORES_SHARE,
        )
        yield (
            f"memory: growth from the 100th to the {FILES}th file",
            f"{growth_mib(song):.0f} MiB",
            f"{GROWTH_MIB} MiB",
        )


def _stand_in(model, folder):
    """Stand-in weights where the tagger looks for the published ones of `model` when PARITY_DATA
    names `folder`.
    """
    path = Path(folder, WEIGHTS[model])
    path.parent.mkdir(exist_ok=True)
    return seeded.weights(model, folder).rename(path)


def cold_seconds(song, folder):
    """Median seconds of `python -m tagger tag` on one clip, with the weights that it finds in
    PARITY_DATA.
    """
    command, environment = (
        [sys.executable, "-W", "ignore", "-m", "tagger", "tag", song],
        os.environ | {DATA_VARIABLE: folder},
    )
    runs = (
        lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
        for _ in range(RUNS)
    )
    return statistics.median(map(_timed, runs))


def published(model, weights):
    """The network of `model` out of stock Chainer links, normalised by the published port's
    formulas (port/stock.py).
    """
    steps = {
        name: _on_arrays(step)
        for name, step in replacements(model, weights)["published BatchNormalization"].items()
    }
    return stock(model, steps)


def _on_arrays(step):
    return lambda x: step(chainer.as_array(x))


def batch_share(model, weights):
    """Seconds of the port's forward pass over those of the published port's formulas, in
    alternation, medians.
    """
    x = np.random.default_rng(0).standard_normal((BATCH, *MEL_SHAPE), dtype=np.float32)
    networks = load(model, weights), published(model, weights)
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        seconds = [
            [_timed(lambda network=network: network(x)) for network in networks]
            for _ in range(RUNS + 1)
        ][1:]
    ours, theirs = (statistics.median(times) for times in zip(*seconds, strict=True))
    return ours / theirs


def threads_share(song):
    """(seconds of two decoding threads over those of one, for CLIPS clips; CPU seconds of the two
    over their wall time).

    The best of alternating runs. Where the machine is busy the two get one core or less, and the
    first figure says nothing.
    """
    from tagger import tagging

    runs = {1: [], 2: []}
    for _ in range(RUNS):
        for workers, timed in runs.items():
            tagging.WORKERS, spent = workers, time.process_time()
            wall = _timed(lambda: list(tagging.decoded([song] * CLIPS)))
            timed.append((wall, (time.process_time() - spent) / wall))
    (alone, _), (together, cores) = (min(timed) for timed in runs.values())
    return together / alone, cores


def growth_mib(song):
    """How much more memory the tagger's process holds after FILES files than after 100."""
    from tagger.tagging import score_files

    held = []
    for number, _ in enumerate(score_files(_constant, [song] * FILES), 1):
        if number in (100, FILES):
            held.append(_resident_bytes())
    return (held[1] - held[0]) / 2**20


def _constant(clips):
    """Scores that cost nothing, so that the files are what is measured."""
    return np.full((len(clips), 10), 0.5, np.float32)


def _resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _write_song(path):
    samples = np.random.default_rng(0).normal(0, 0.1, 30 * RATE_HZ)
    with wave.open(str(path), "wb") as song:
        song.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
        song.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
