"""Audio file -> the mel spectrograms the taggers were trained on.

The rules of keunwoochoi/music-auto_tagging-keras, audio_processor.py (compute_melgram): the centre
29.12 s, zeros after a shorter clip. The 10-genre project,
jsalbert/Music-Genre-Classification-with-Deep-Learning, also cuts a whole track into frames of that
length.
"""

import numpy as np

from parity.port.files import FilePath
from parity.port.sentences import one_of, shown
from tagger.mel import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE_HZ, decibel_of
from tagger.reading import AudioError, read
from tagger.resampling import FRONT_ENDS

CLIP_SAMPLES = 349440  # 29.12 s
CLIP_FRAMES = 1 + CLIP_SAMPLES // HOP_SAMPLES  # 1366
TODAY = "today"  # the front end of librosa's current defaults but for the padding
NAMED = 5  # frames that a remark names


def melgram(path: FilePath, front_end: str = TODAY) -> np.ndarray:
    """Mel spectrogram of the centre 29.12 s of an audio file: float32 (1,1,96,1366), in dB of the
    squared mel power.

    front_end : a key of tagger.resampling.FRONT_ENDS. Raises AudioError where there is no sound to
    read, ValueError for another front end.
    """
    mel, _ = melgram_and_remarks(path, front_end)
    return mel


def melgram_and_remarks(
    path: FilePath, front_end: str = TODAY
) -> tuple[np.ndarray, tuple[str, ...]]:
    """`melgram`, and sentences on what the taggers cannot hear in it."""
    clips, rate_hz = clips_of(path, "centre", front_end)
    return _melgrams_of(path, clips), _remarks(path, clips, rate_hz)


def heard(
    path: FilePath, frames: str = "centre", front_end: str = TODAY
) -> tuple[np.ndarray, tuple[str, ...]]:
    """(mel spectrograms (n,1,96,1366) float32 of a file's clips in dB, sentences on what the
    taggers cannot hear in them).

    frames : a key of CUTS. Raises AudioError, also where the clips hold nothing but silence.
    """
    clips, rate_hz = clips_of(path, frames, front_end)
    if not any(clip.any() for clip in clips):
        raise AudioError(
            f"{shown(path)} holds nothing but silence in its {CUTS_IN_WORDS[frames]}; "
            "tags of that would mean nothing"
        )
    return _melgrams_of(path, clips), _remarks(path, clips, rate_hz)


def clips_of(path: FilePath, frames: str, front_end: str = TODAY) -> tuple[list[np.ndarray], int]:
    """(list of clips (349440,) float32 at 12 kHz, the file's own rate in Hz); frames : a key of
    CUTS. Raises AudioError, ValueError.
    """
    check_options(frames, front_end)
    samples, rate_hz = read(path, front_end)
    return CUTS[frames](samples), rate_hz


def check_options(frames: str = "centre", front_end: str = TODAY) -> None:
    """Raise ValueError, with one sentence, for a cut or a front end that there is not."""
    one_of("frames", frames, CUTS)
    one_of("front_end", front_end, FRONT_ENDS)


def load_mono(path: FilePath, front_end: str = TODAY) -> np.ndarray:
    """Samples (n,) float32 at 12 kHz, the mean of all channels. Raises AudioError; ValueError for
    a front end that there is not.
    """
    check_options(front_end=front_end)
    samples, _ = read(path, front_end)
    return samples


def centre(samples: np.ndarray) -> np.ndarray:
    """The middle CLIP_SAMPLES of samples (n,), or all of them with zeros after."""
    missing = CLIP_SAMPLES - len(samples)
    if missing > 0:
        return np.pad(samples, (0, missing))
    start = -missing // 2
    return samples[start : start + CLIP_SAMPLES]


def frames(samples: np.ndarray) -> list[np.ndarray]:
    """samples (n,) -> list of clips (349440,), one after the other; what is left over at the end
    is dropped.

    As the 10-genre project cuts (utils.py, compute_melgram_multiframe). A shorter track is one
    clip with zeros after.
    """
    if len(samples) < CLIP_SAMPLES:
        return [centre(samples)]
    return [
        samples[at : at + CLIP_SAMPLES]
        for at in range(0, len(samples) - CLIP_SAMPLES + 1, CLIP_SAMPLES)
    ]


CUTS = {"centre": lambda samples: [centre(samples)], "all": frames}
CUTS_IN_WORDS = {"centre": "middle 29.12 s", "all": "frames of 29.12 s"}


def melgram_of(samples: np.ndarray) -> np.ndarray:
    """samples (349440,) float32 at 12 kHz -> (1,1,96,1366) float32, dB with reference 1.0 and a
    range of 80 dB.

    Raises ValueError for another shape, and for samples so large that their decibels are not
    finite in float32.
    """
    if samples.shape != (CLIP_SAMPLES,):
        raise ValueError(
            f"a clip has {CLIP_SAMPLES} samples at {SAMPLE_RATE_HZ} Hz, not shape {samples.shape}"
        )
    with np.errstate(over="ignore", invalid="ignore"):
        decibel = decibel_of(samples)
    if not np.isfinite(decibel).all():
        raise ValueError(
            f"samples reach {np.abs(samples).max():.3g}, where 1 is full scale; scale them to it"
        )
    return decibel.reshape(1, 1, MEL_BANDS, CLIP_FRAMES)


def _melgrams_of(path, clips):
    try:
        return np.concatenate([melgram_of(clip) for clip in clips])
    except ValueError as error:
        raise AudioError(f"{shown(path)}: {error}") from error


def _remarks(path, clips, rate_hz):
    silent = [number for number, clip in enumerate(clips) if not clip.any()]
    return tuple(filter(None, (_on_rate(path, rate_hz), _on_silence(path, silent, len(clips)))))


def _on_rate(path, rate_hz):
    if rate_hz >= SAMPLE_RATE_HZ:
        return None
    return (
        f"{shown(path)} is sampled at {rate_hz} Hz: everything above {rate_hz // 2} Hz is "
        "missing, where the taggers were trained "
        f"on music up to {SAMPLE_RATE_HZ // 2} Hz; take its tags with caution or give a better copy"
    )


def _on_silence(path, silent, count):
    if not silent:
        return None
    named = ", ".join(map(str, silent[:NAMED])) + ", .." * (len(silent) > NAMED)
    return (
        f"{shown(path)} holds nothing but silence in {len(silent)} of {count} frames "
        f"({named}): their tags mean nothing, "
        "and a mean over all frames has them in it; take the tags of the other frames"
    )
