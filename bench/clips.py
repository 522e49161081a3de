"""Clips of many kinds, to try a whole collection on: `python -m bench.clips FOLDER [COUNT]`.

Windows of the published clips where they are at hand, and synthesised ones: speech-like, noise of
three colours, tones, clicks, silence; too loud and too quiet. Seeded: the same each time.
"""

import sys
import wave
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

RATE_HZ = 12000
SAMPLES = 349440


def main(folder: str, count: str = "200") -> None:
    """Write the clips."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, samples in clips(int(count)):
        with wave.open(str(Path(folder, f"{name}.wav")), "wb") as clip:
            clip.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            clip.writeframes((samples * 32767).clip(-32768, 32767).astype("<i2").tobytes())


def clips(count: int) -> Iterator[tuple[str, np.ndarray]]:
    """(name, samples (349440,) in [-1, 1]) of `count` clips, kind after kind in turn."""
    music = _published()
    kinds: dict[str, Callable[[np.random.Generator], np.ndarray]] = {
        **{f"music-{name}": lambda rng, whole=whole: _window(rng, whole) for name, whole in music},
        **{
            f"loud-{name}": lambda rng, whole=whole: 20 * _window(rng, whole)
            for name, whole in music
        },
        **{
            f"quiet-{name}": lambda rng, whole=whole: _window(rng, whole) / 500
            for name, whole in music
        },
        "speech": _speech,
        "white": lambda rng: rng.normal(0, 0.1, SAMPLES),
        "pink": lambda rng: _coloured(rng, 0.5),
        "brown": lambda rng: _coloured(rng, 1.0),
        "tones": _tones,
        "clicks": lambda rng: (rng.random(SAMPLES) < 1e-4) * rng.normal(0, 0.5, SAMPLES),
        "half-silent": lambda rng: np.where(np.arange(SAMPLES) < SAMPLES // 2, 0, _tones(rng)),
        "nearly-silent": lambda rng: rng.integers(-1, 2, SAMPLES) / 32767,
        "full-scale": lambda rng: np.sign(_tones(rng)),
    }
    for at in range(count):
        kind = list(kinds)[at % len(kinds)]
        yield f"{at:04d}-{kind}", kinds[kind](np.random.default_rng(at))


def _published() -> list[tuple[str, np.ndarray]]:
    """The published clips at 12 kHz, where they are here."""
    from parity.fixtures import store
    from tagger.reading import read

    found = []
    for name in ("thejazzpiano", "actionable"):
        if path := store.find(f"audio/bensound-{name}.wav"):
            found.append((name, read(path, "today").samples))
    return found


def _window(rng: np.random.Generator, whole: np.ndarray) -> np.ndarray:
    return np.roll(whole, -int(rng.integers(len(whole))))[:SAMPLES]


def _coloured(rng: np.random.Generator, slope: float) -> np.ndarray:
    spectrum = np.fft.rfft(rng.normal(0, 1, SAMPLES))
    spectrum[1:] /= np.arange(1, len(spectrum)) ** slope
    spectrum[0] = 0
    samples = np.fft.irfft(spectrum, SAMPLES)
    return 0.3 * samples / np.abs(samples).max()


def _tones(rng: np.random.Generator) -> np.ndarray:
    time_s = np.arange(SAMPLES) / RATE_HZ
    notes = [np.sin(2 * np.pi * hz * time_s) for hz in rng.uniform(60, 4000, 5)]
    return 0.15 * np.sum(notes, axis=0)


def _speech(rng: np.random.Generator) -> np.ndarray:
    """Voiced syllables with pauses: a pulse train of falling pitch through three formants."""
    samples, at = np.zeros(SAMPLES), 0
    while at < SAMPLES:
        length = int(rng.uniform(0.08, 0.35) * RATE_HZ)
        time_s = np.arange(length) / RATE_HZ
        pitch_hz = rng.uniform(90, 220) * (1 - 0.3 * time_s)
        phase = np.cumsum(pitch_hz) / RATE_HZ
        formants = rng.uniform((300, 900, 2200), (800, 2000, 3000))
        harmonics = np.arange(1, 26)
        near = np.exp(-(((harmonics[:, None] * pitch_hz.mean() - formants) / 150) ** 2)).sum(axis=1)
        syllable = (near[:, None] * np.sin(2 * np.pi * harmonics[:, None] * phase)).sum(axis=0)
        syllable *= np.hanning(length)
        end = min(at + length, SAMPLES)
        samples[at:end] = syllable[: end - at]
        at = end + int(rng.exponential(0.1) * RATE_HZ)
    return 0.4 * samples / np.abs(samples).max()


if __name__ == "__main__":
    main(*sys.argv[1:])
