"""The tagger as a program: a cold first result, the published port's formulas, both cores on decoding, memory over many files."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import chainer
import numpy as np

from bench.port_speed import stock
from port.models import MEL_SHAPE, Tagger
from port.weights import save_npz

COLD_S, STOCK_SHARE, GROWTH_MIB = 4, 1 / 1.2, 20
CORES_SHARE = 0.75  # two workers' wall time over one's, where nothing else runs on the machine
BATCH, CLIPS, FILES, RUNS = 8, 64, 1000, 3
RATE_HZ = 44100


def rows():
    """Figures of this machine; the weights are random, since they do not change the work."""
    with tempfile.TemporaryDirectory() as folder:
        song, weights = Path(folder, "song.wav"), Path(folder, "crnn.npz")
        _write_song(song)
        save_npz(weights, Tagger("CRNN"))
        yield "first result of one 30 s clip, cold process", f"{cold_seconds(song, weights):.1f} s", f"{COLD_S} s"
        yield f"batch of {BATCH} (CRNN): the port over stock links", f"{batch_share():.2f}", f"{STOCK_SHARE:.2f}"
        share, cores = threads_share(song)
        yield f"mel spectrograms of {CLIPS} clips: two threads over one ({cores:.1f} cores were given)", f"{share:.2f}", CORES_SHARE
        yield f"memory: growth from the 100th to the {FILES}th file", f"{growth_mib(song):.0f} MiB", f"{GROWTH_MIB} MiB"


def cold_seconds(song, weights):
    """Median seconds of `python -m port tag` on one clip."""
    command = [sys.executable, "-W", "ignore", "-m", "port", "tag", "--weights", weights, song]
    return statistics.median(_timed(lambda: subprocess.run(command, check=True, stdout=subprocess.DEVNULL)) for _ in range(RUNS))


def batch_share():
    """Seconds of the port's forward pass over those of stock links, in alternation, medians."""
    x = np.random.default_rng(0).standard_normal((BATCH, *MEL_SHAPE), dtype=np.float32)
    networks = Tagger("CRNN"), stock("CRNN")
    with chainer.using_config("train", False), chainer.no_backprop_mode():
        seconds = [[_timed(lambda network=network: network(x)) for network in networks] for _ in range(RUNS + 1)][1:]
    ours, theirs = (statistics.median(times) for times in zip(*seconds, strict=True))
    return ours / theirs


def threads_share(song):
    """(seconds of two decoding threads over those of one, for CLIPS clips; CPU seconds of the two over their wall time).

    The best of alternating runs. Where the machine is busy the two get one core or less, and the first figure says nothing.
    """
    from port import tagging

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
    from port.tagging import score_files

    tagger, held = _Constant(), []
    for number, _ in enumerate(score_files(tagger, [song] * FILES), 1):
        if number in (100, FILES):
            held.append(_resident_bytes())
    return (held[1] - held[0]) / 2**20


class _Constant:
    """A network that costs nothing, so that the files are what is measured."""

    def __call__(self, clips):
        return chainer.Variable(np.full((len(clips), 10), 0.5, np.float32))


def _resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _write_song(path):
    import soundfile

    samples = np.random.default_rng(0).normal(0, 0.1, 30 * RATE_HZ)
    soundfile.write(path, samples, RATE_HZ, subtype="PCM_16")


def _timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
