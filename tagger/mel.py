"""Samples -> mel spectrogram in dB, with librosa's numbers, whose import takes seconds.

librosa 0.11: stft and amplitude_to_db of core/spectrum.py, mel of filters.py (Slaney's scale and
norm).
"""

import functools

import numpy as np

SAMPLE_RATE_HZ = 12000
FFT_SAMPLES = 512
HOP_SAMPLES = 256
MEL_BANDS = 96
DYNAMIC_RANGE_DB = 80.0  # nothing lies further below a clip's loudest value
LEAST_POWER = 1e-5
PADDING = "reflect"  # librosa's default of 2016; zeros since 0.9

LINEAR_HZ_PER_MEL = 200 / 3  # Slaney's scale: linear up to 1 kHz, then logarithmic
LOGARITHMIC_FROM_HZ = 1000.0
LOG_STEP = np.log(6.4) / 27


def decibel_of(samples: np.ndarray) -> np.ndarray:
    """samples (n,) float32 at 12 kHz -> (96, 1 + n // 256) float32 dB, reference 1, range 80 dB.

    The decibels are of the squared mel power: keunwoochoi/music-auto_tagging-keras gives power
    where an amplitude belongs.
    """
    squared = np.square(_filters() @ _power(samples))  # (F,T)
    decibel = 10 * np.log10(np.maximum(np.float32(LEAST_POWER**2), squared))
    return np.maximum(decibel, decibel.max() - np.float32(DYNAMIC_RANGE_DB))


def _power(samples: np.ndarray) -> np.ndarray:
    """samples (n,) -> power spectra (257,T) of Hann windows around every 256th sample."""
    padded = np.pad(samples, FFT_SAMPLES // 2, mode=PADDING)
    windows = np.lib.stride_tricks.sliding_window_view(padded, FFT_SAMPLES)[::HOP_SAMPLES]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(FFT_SAMPLES) / FFT_SAMPLES)
    return np.square(np.abs(np.fft.rfft(hann * windows).astype(np.complex64))).T


@functools.cache
def _filters() -> np.ndarray:
    """Triangles of equal area over the spectrum: (96,257) float32."""
    edges = _mel_frequencies_hz()
    slopes = edges[:, None] - np.linspace(0, SAMPLE_RATE_HZ / 2, 1 + FFT_SAMPLES // 2)
    widths = np.diff(edges)[:, None]
    triangles = np.minimum(-slopes[:-2] / widths[:-1], slopes[2:] / widths[1:])
    triangles = np.maximum(0, triangles).astype(np.float32)
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


def _mel_frequencies_hz() -> np.ndarray:
    """The 98 edges of the 96 bands, evenly spaced in mel from 0 to 6000 Hz."""
    turn = LOGARITHMIC_FROM_HZ / LINEAR_HZ_PER_MEL
    top = turn + np.log(SAMPLE_RATE_HZ / 2 / LOGARITHMIC_FROM_HZ) / LOG_STEP
    mel = np.linspace(0, top, MEL_BANDS + 2)
    return np.where(
        mel < turn, LINEAR_HZ_PER_MEL * mel, LOGARITHMIC_FROM_HZ * np.exp(LOG_STEP * (mel - turn))
    )
