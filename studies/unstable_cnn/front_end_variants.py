"""The front end with every choice open: sound and a FrontEnd -> mel spectrogram, and the table of
what each choice can be.

The defaults are the tagger's own (tagger/audio.py, tagger/mel.py, tagger/resampling.py), written
again so that a fault there shows.
"""

import functools
import math
from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun

SAMPLE_RATE_HZ = 12000
CLIP_SAMPLES = 349440  # 29.12 s
HOP_SAMPLES = 256
MEL_BANDS = 96
LEAST = 1e-10  # logamplitude's amin, in librosa of 2016
FULL_SCALE = 32768  # of 16-bit samples
LONGEST_S = 40.0  # a clip, and as much on either side as a shift is looked for


class FrontEnd(NamedTuple):
    """One way from sound to a mel spectrogram; every word is a key of CHOICES.

    late: samples of the source left out at its start, with as many zeros at its end: the clip is
    cut that much later.
    offset_db: what a gain adds.
    """

    late: int = 0
    sample: str = "float"
    channel: str = "mean of all"
    resampler: str = "soxr HQ"
    padding: str = "reflected"
    window: str = "Hann, 512"
    bands: str = "Slaney, equal area"
    value: str = "squared mel power"
    reference: str = "1"
    offset_db: float = 0.0
    span: str = "80 dB"


class Track:
    """A sound: samples (n, channels) float32, full scale 1, at rate_hz."""

    def __init__(self, samples, rate_hz):
        self.samples, self.rate_hz, self._kept, self._spectrum = samples, rate_hz, {}, (None, None)

    def at_12_khz(self, front_end):
        """(m,) float32, as long whatever `late` leaves out (librosa's fix=True: rounded up)."""
        key = front_end[: FrontEnd._fields.index("resampler") + 1]
        if key not in self._kept:
            self._kept[key] = self._resampled(front_end)
        return self._kept[key]

    def magnitude(self, front_end):
        """(bins, 1366): the magnitudes of the spectra of the centre 29.12 s."""
        from tagger.audio import centre

        key = front_end[: FrontEnd._fields.index("window") + 1]
        if key != self._spectrum[0]:
            self._spectrum = key, magnitude(centre(self.at_12_khz(front_end)), front_end)
        return self._spectrum[1]

    def _resampled(self, front_end):
        mono = _SAMPLES[front_end.sample](_CHANNELS[front_end.channel](self.samples))
        whole = np.zeros(-(-len(mono) * SAMPLE_RATE_HZ // self.rate_hz), np.float32)
        before = np.zeros(max(0, -front_end.late), np.float32)
        found = np.concatenate([before, mono[max(0, front_end.late) :]])[: len(mono)]
        if self.rate_hz != SAMPLE_RATE_HZ:
            found = np.ascontiguousarray(found, np.float32)
            found = _RESAMPLERS[front_end.resampler](found, self.rate_hz)[: len(whole)]
        whole[: len(found)] = found
        return whole


def read(path):
    """The Track of an audio file's middle; CannotRun where it holds no readable sound."""
    from tagger.reading import AudioError, decoded

    try:
        blocks = decoded(path)
    except AudioError as error:
        raise CannotRun(str(error)) from error
    if len({(block.rate_hz, block.samples.shape[1]) for block in blocks}) > 1:
        raise CannotRun(f"{path}: changes its sampling rate or channels; give one recording")
    samples = np.concatenate([block.samples for block in blocks] or [np.zeros((0, 1), np.float32)])
    rate_hz = blocks[0].rate_hz if blocks else SAMPLE_RATE_HZ
    least = 2 * len(_WINDOWS["Hann, 1024"]) * rate_hz / SAMPLE_RATE_HZ
    if len(samples) < least or not np.isfinite(samples).all():
        raise CannotRun(
            f"{path}: too short, or with samples that are not finite; give a file with sound in it"
        )
    return Track(middle(samples, rate_hz), rate_hz)


def middle(samples, rate_hz):
    """The middle LONGEST_S of samples (n, channels), cut in whole rounds of the resampler."""
    step = rate_hz // math.gcd(rate_hz, SAMPLE_RATE_HZ)
    rounds = max(0, len(samples) - round(LONGEST_S * rate_hz)) // (2 * step)
    return samples[rounds * step : len(samples) - rounds * step]


def spectrogram(track, front_end):
    """(96, 1366) float64, decibel: the centre 29.12 s of a Track."""
    return decibel(track.magnitude(front_end), front_end)


def magnitude(samples, front_end, every=1):
    """Samples (n,) at 12 kHz -> magnitudes (bins, T), float64, of every `every`th frame."""
    window = _WINDOWS[front_end.window]
    padded = np.pad(samples, len(window) // 2, mode=_PADDINGS[front_end.padding])
    frames = np.lib.stride_tricks.sliding_window_view(padded, len(window))[:: HOP_SAMPLES * every]
    return np.abs(np.fft.rfft(window * frames)).T


def decibel(magnitudes, front_end):
    """(bins, T) -> (96, T) float64."""
    of_spectrum, of_mel = _VALUES[front_end.value]
    mel = filters(*_BANDS[front_end.bands], 2 * len(magnitudes) - 2) @ magnitudes**of_spectrum
    found = _REFERENCES[front_end.reference](10 * np.log10(np.maximum(LEAST, mel**of_mel)))
    found = found + front_end.offset_db
    return np.maximum(found, found.max() - _SPANS[front_end.span])


@functools.cache
def filters(scale, is_equal_area, top_hz, fft_samples):
    """Triangles (96, bins), float64. Scales: Slaney's Auditory Toolbox; HTK's book, 5.4."""
    to_mel, to_hz = _SCALES[scale]
    edges = to_hz(np.linspace(0, to_mel(top_hz), MEL_BANDS + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, 1 + fft_samples // 2)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return triangles * (2 / (edges[2:] - edges[:-2]))[:, None] if is_equal_area else triangles


def choices(front_end, channels):
    """[(field, name, FrontEnd)] of every other choice that so many channels can show."""
    return [
        (field, name, front_end._replace(**{field: name}))
        for field, names in CHOICES.items()
        for name in names
        if name != getattr(front_end, field) and (field != "channel" or channels > 1)
    ]


def _hann(samples, is_periodic=True):
    return 0.5 - 0.5 * np.cos(
        2 * np.pi * np.arange(samples) / (samples if is_periodic else samples - 1)
    )


def _in_16_bits(units):
    return np.clip(units, -FULL_SCALE, FULL_SCALE - 1) / np.float32(FULL_SCALE)


def _slaney_hz(mel):
    return np.where(mel < 15, 200 / 3 * mel, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))


def _slaney_mel(hz):
    return 3 * hz / 200 if hz < 1000 else 15 + 27 * math.log(hz / 1000) / math.log(6.4)


def _pushed(name):
    """A resampler of the port on a whole signal."""

    def resample(samples, rate_hz):
        from tagger.resampling import FRONT_ENDS

        resampler = FRONT_ENDS[name](rate_hz)
        return np.concatenate(
            [resampler.push(samples), resampler.push(np.zeros(0, np.float32), last=True)]
        )

    return resample


def _soxr(quality):
    def resample(samples, rate_hz):
        import soxr

        return soxr.resample(samples, rate_hz, SAMPLE_RATE_HZ, quality)

    return resample


def _fourier(samples, rate_hz):
    """scipy.signal.resample: the spectrum cut at its new half rate, or filled with zeros."""
    count = -(-len(samples) * SAMPLE_RATE_HZ // rate_hz)
    fewer = min(count, len(samples))
    spectrum = np.fft.rfft(samples)[: fewer // 2 + 1]
    if fewer % 2 == 0:  # the half rate's own value stands for both sides of it
        spectrum[-1] *= 2 if count < len(samples) else 0.5
    return np.float32(np.fft.irfft(spectrum, count) * (count / len(samples)))


def _polyphase(samples, rate_hz):
    """scipy.signal.resample_poly: a low pass of twenty zeros and a Kaiser window of beta 5."""
    common = math.gcd(rate_hz, SAMPLE_RATE_HZ)
    up, down = SAMPLE_RATE_HZ // common, rate_hz // common
    half = 10 * max(up, down)
    taps = np.sinc(np.arange(-half, half + 1) / max(up, down)) * np.kaiser(2 * half + 1, 5)
    taps *= up / taps.sum()
    reach = half // up + 1  # in samples, to either side
    found = np.empty(-(-len(samples) * up // down), np.float32)
    padded = np.pad(samples, (reach, reach + down))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)
    for phase in range(up):  # outputs `up` apart have the same taps, on samples `down` apart
        first, late = divmod(phase * down, up)
        of_tap = half + late + up * np.arange(reach, -reach - 1, -1)
        here = np.where((of_tap >= 0) & (of_tap <= 2 * half), taps[of_tap.clip(0, 2 * half)], 0)
        count = len(found[phase::up])
        found[phase::up] = around[first::down][:count] @ here
    return found


_SCALES = {
    "Slaney": (_slaney_mel, _slaney_hz),
    "HTK": (lambda hz: 2595 * math.log10(1 + hz / 700), lambda mel: 700 * (10 ** (mel / 2595) - 1)),
}
_SAMPLES = {
    "float": lambda mono: mono,
    "16 bits, rounded": lambda mono: _in_16_bits(np.rint(mono * FULL_SCALE)),
    "16 bits, cut off": lambda mono: _in_16_bits(np.trunc(mono * FULL_SCALE)),
}
_CHANNELS = {
    "mean of all": lambda samples: samples.mean(axis=1),
    "the first": lambda samples: samples[:, 0],
    "sum of all": lambda samples: samples.sum(axis=1),
}
_RESAMPLERS = {
    "soxr HQ": _pushed("today"),
    "resampy's kaiser_best": _pushed("2016"),
    "soxr VHQ": _soxr("VHQ"),
    "soxr MQ": _soxr("MQ"),
    "soxr LQ": _soxr("LQ"),
    "soxr QQ": _soxr("QQ"),
    "scipy, Fourier": _fourier,
    "scipy, polyphase": _polyphase,
}
_PADDINGS = {"reflected": "reflect", "zeros": "constant", "the edge held": "edge"}
_WINDOWS = {
    "Hann, 512": _hann(512),
    "Hann, 512, symmetric": _hann(512, is_periodic=False),
    "Hann, 1024": _hann(1024),
    "Hamming, 512": 0.08 + 0.92 * _hann(512),
    "rectangular, 512": np.ones(512),
}
_BANDS = {
    "Slaney, equal area": ("Slaney", True, 6000.0),
    "Slaney, equal height": ("Slaney", False, 6000.0),
    "HTK, equal area": ("HTK", True, 6000.0),
    "HTK, equal height": ("HTK", False, 6000.0),
    "Slaney, up to 5.5 kHz": ("Slaney", True, 5500.0),
}
_VALUES = {
    "squared mel power": (2, 2),
    "mel power": (2, 1),
    "mel magnitude": (1, 1),
    "squared mel magnitude": (1, 2),
}  # exponents
_REFERENCES = {
    "1": lambda found: found,
    "the loudest": lambda found: found - found.max(),
    "1, samples as 16-bit integers": lambda found: found + 40 * np.log10(FULL_SCALE),
}
_SPANS = {"80 dB": 80.0, "60 dB": 60.0, "100 dB": 100.0, "none": np.inf}
CHOICES = {
    "sample": _SAMPLES,
    "channel": _CHANNELS,
    "resampler": _RESAMPLERS,
    "padding": _PADDINGS,
    "window": _WINDOWS,
    "bands": _BANDS,
    "value": _VALUES,
    "reference": _REFERENCES,
    "span": _SPANS,
}
