"""Sampling rate -> 12 kHz, block by block: an hour of music is never in memory at its own rate.

Two front ends: `today` (soxr's HQ, librosa's default since 0.10) and `2016` (resampy 0.2.2's
kaiser_best, its default when the taggers were trained and ported).
"""

import functools
import math

import numpy as np

from tagger.mel import SAMPLE_RATE_HZ

# resampy 0.2.2, data/kaiser_best.npz: 64 zero crossings of a sinc under a Kaiser window.
CROSSINGS = 64
VALUES_PER_CROSSING = 512
ROLLOFF = 0.9475937167399596
KAISER_BETA = 14.769656459379492
ROUNDS_PER_PRODUCT = 1024


class Soxr:
    """soxr_hq, the very bits of soxr.resample on the whole signal."""

    def __init__(self, rate_hz):
        import soxr

        self.stream = soxr.ResampleStream(
            rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="soxr_hq"
        )

    def push(self, block, last=False):
        """Samples (n,) float32 -> what they complete (m,); the rest comes with the last block."""
        return self.stream.resample_chunk(block, last=last)


class Kaiser2016:
    """kaiser_best of resampy 0.2.2 (interpn.py, resample_f), in float64, a product per phase."""

    def __init__(self, rate_hz):
        divisor = math.gcd(rate_hz, SAMPLE_RATE_HZ)
        # A round: `step` samples in, `phases` out.
        self.phases, self.step = SAMPLE_RATE_HZ // divisor, rate_hz // divisor
        self.taps, self.before = _taps(self.phases, self.step)
        self.after = self.taps.shape[1] - self.before
        self.taps_late = _taps_late(self.phases, self.step)
        # Zeros before the first sample; a late round starts one earlier.
        self.waiting = np.zeros(self.before + 1, np.float32)
        self.taken = self.given = self.rounds = 0
        self.time = 0.0  # where resampy's running sum stands, in samples of the input

    def push(self, block, last=False):
        """Samples (n,) float32 -> what they complete (m,); the rest comes with the last block."""
        self.taken += len(block)
        waiting = np.concatenate([self.waiting, block])
        if last:
            waiting = np.pad(waiting, (0, self.after + self.step))
        rounds = max(0, len(waiting) - 1 - self.before - self.after) // self.step
        parts = [
            self._rounds(waiting, at, min(rounds, at + ROUNDS_PER_PRODUCT))
            for at in range(0, rounds, ROUNDS_PER_PRODUCT)
        ]
        self.waiting = waiting[rounds * self.step :]
        return self._up_to_the_end(np.concatenate([np.zeros(0, np.float32), *parts]))

    def _rounds(self, waiting, first, end):
        # waiting (n,) -> (rounds x phases,): output p is p x step / phases after its round's start.
        windows = np.lib.stride_tricks.sliding_window_view(waiting, self.taps.shape[1])
        out = np.empty((end - first, self.phases), np.float32)
        for phase, taps in enumerate(self.taps):
            start = 1 + phase * self.step // self.phases
            places = slice(start + first * self.step, start + end * self.step, self.step)
            out[:, phase] = windows[places] @ taps
        late = self._rounds_late(end - first)
        out[late, 0] = windows[(first + late) * self.step] @ self.taps_late
        return out.ravel()

    def _rounds_late(self, count):
        """The next rounds at whose start resampy's running sum is below its whole number."""
        steps = np.full(count * self.phases, 1 / (self.phases / self.step))
        times = np.cumsum(np.r_[self.time, steps])
        exact = (self.rounds + np.arange(count)) * self.step
        self.time, self.rounds = times[-1], self.rounds + count
        return np.flatnonzero(times[: -1 : self.phases] < exact)

    def _up_to_the_end(self, out):
        # resampy gives int(n * ratio) samples; one beyond the end of the signal would be a guess.
        out = out[: self.taken * self.phases // self.step - self.given]
        self.given += len(out)
        return out


@functools.cache
def _taps(phases, step):
    """The weights (phases, taps) on the samples around a phase; how many lie before its sample."""
    scale = min(1.0, phases / step)
    taps = [_taps_ahead(phase * step % phases / phases, scale) for phase in range(phases)]
    return np.array(taps), len(taps[0]) // 2 - 1


@functools.cache
def _taps_late(phases, step):
    """The weights where the sum of resampy's steps has come out just below the next sample, which
    its int() then misses.

    The cut stride leaves the wings not quite joined: without this, samples of a music clip at
    these instants are 6e-4 off.
    """
    return _taps_ahead(1 - 1e-12, min(1.0, phases / step))


def _taps_ahead(ahead, scale):
    # ahead in [0, 1): how far the output stands after its sample.
    stride = int(scale * VALUES_PER_CROSSING)  # cut to an integer, as resampy cuts it
    half = _half_window() * scale
    reach = len(half) // stride + 1
    left, right = _wing(half, ahead * scale, stride), _wing(half, scale - ahead * scale, stride)
    return np.concatenate(
        [np.zeros(reach - len(left)), left[::-1], right, np.zeros(reach - len(right))]
    )


def _wing(half, ahead, stride):
    # The window at ahead, ahead + stride .., between its values linearly.
    place = ahead * VALUES_PER_CROSSING
    at = int(place) + stride * np.arange((len(half) - int(place)) // stride)
    return half[at] + (place - int(place)) * (half[np.minimum(at + 1, len(half) - 1)] - half[at])


@functools.cache
def _half_window():
    values = CROSSINGS * VALUES_PER_CROSSING
    sinc = ROLLOFF * np.sinc(ROLLOFF * np.linspace(0, CROSSINGS, values + 1))
    return sinc * np.kaiser(2 * values + 1, KAISER_BETA)[values:]


FRONT_ENDS = {"today": Soxr, "2016": Kaiser2016}
