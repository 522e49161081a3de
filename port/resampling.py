"""Sampling rate -> 12 kHz, block by block, so that an hour of music never lies in memory at its own rate.

Two front ends: `today` (soxr's HQ, librosa's default since 0.10) and `2016` (resampy 0.2.2's kaiser_best, its default
when the taggers were trained and ported).
"""

import functools
import math

import numpy as np

from port.mel import SAMPLE_RATE_HZ

# resampy 0.2.2, data/kaiser_best.npz: 64 zero crossings of a sinc, 512 values each, under a Kaiser window.
CROSSINGS = 64
VALUES_PER_CROSSING = 512
ROLLOFF = 0.9475937167399596
KAISER_BETA = 14.769656459379492
ROUNDS_PER_PRODUCT = 1024


class Soxr:
    """soxr_hq, the very bits of soxr.resample on the whole signal."""

    def __init__(self, rate_hz):
        import soxr

        self.stream = soxr.ResampleStream(rate_hz, SAMPLE_RATE_HZ, 1, dtype="float32", quality="soxr_hq")

    def push(self, block, last=False):
        """Samples (n,) float32 -> what they complete (m,) float32; the rest comes with the last block."""
        return self.stream.resample_chunk(block, last=last)


class Kaiser2016:
    """kaiser_best of resampy 0.2.2 (interpn.py, resample_f), in float64 and one product per phase."""

    def __init__(self, rate_hz):
        divisor = math.gcd(rate_hz, SAMPLE_RATE_HZ)
        self.phases, self.step = SAMPLE_RATE_HZ // divisor, rate_hz // divisor  # a round: `step` in, `phases` out
        self.taps, self.before = _taps(self.phases, self.step)
        self.after = self.taps.shape[1] - self.before
        self.waiting = np.zeros(self.before, np.float32)  # zeros before the first sample
        self.taken = self.given = 0

    def push(self, block, last=False):
        """Samples (n,) float32 -> what they complete (m,) float32; the rest comes with the last block."""
        self.taken += len(block)
        waiting = np.concatenate([self.waiting, block])
        if last:
            waiting = np.pad(waiting, (0, self.after + self.step))
        rounds = max(0, len(waiting) - self.before - self.after) // self.step
        parts = [self._rounds(waiting, at, min(rounds, at + ROUNDS_PER_PRODUCT)) for at in range(0, rounds, ROUNDS_PER_PRODUCT)]
        self.waiting = waiting[rounds * self.step :]
        return self._up_to_the_end(np.concatenate([np.zeros(0, np.float32), *parts]))

    def _rounds(self, waiting, first, end):
        # waiting (n,) -> (rounds x phases,): output p of a round stands at p x step / phases after the round's start.
        windows = np.lib.stride_tricks.sliding_window_view(waiting, self.taps.shape[1])
        out = np.empty((end - first, self.phases), np.float32)
        for phase, taps in enumerate(self.taps):
            start = phase * self.step // self.phases
            out[:, phase] = windows[start + first * self.step : start + end * self.step : self.step] @ taps
        return out.ravel()

    def _up_to_the_end(self, out):
        # resampy gives int(n * ratio) samples; one that the end of the signal has not reached yet would be a guess.
        out = out[: self.taken * self.phases // self.step - self.given]
        self.given += len(out)
        return out


@functools.cache
def _taps(phases, step):
    """The weights of each phase (phases, taps) on the samples around it, and how many of them lie before its sample."""
    scale = min(1.0, phases / step)
    stride = int(scale * VALUES_PER_CROSSING)  # cut to an integer, as resampy cuts it
    half = _half_window() * scale
    reach = len(half) // stride + 1
    taps = np.zeros((phases, 2 * reach))
    for phase in range(phases):
        ahead = phase * step % phases / phases * scale
        left, right = _wing(half, ahead, stride), _wing(half, scale - ahead, stride)
        taps[phase, reach - len(left) : reach] = left[::-1]
        taps[phase, reach : reach + len(right)] = right
    return taps, reach - 1


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
