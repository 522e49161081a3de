"""Audio file -> the mel spectrograms the taggers were trained on.

The rules of keunwoochoi/music-auto_tagging-keras, audio_processor.py (compute_melgram): the centre
29.12 s, zeros after a shorter clip. The 10-genre project,
jsalbert/Music-Genre-Classification-with-Deep-Learning, also cuts a whole track into frames of that
length.
"""

import numpy as np

from parity.files import FilePath
from tagger.mel import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE_HZ, decibel_of
from tagger.reading import AudioError, Sound, read
from tagger.resampling import FRONT_ENDS
from tagger.sentences import one_of

CLIP_SAMPLES = 349440  # 29.12 s
CLIP_FRAMES = 1 + CLIP_SAMPLES // HOP_SAMPLES  # 1366
TODAY = "today"  # the front end with librosa's current defaults, except for the padding
SHORT_S = 29.0  # collections of 29 s clips lack 0.12 s of a whole one, which changes nothing
FAINT_DB = 60
FAINT = 10 ** (-FAINT_DB / 10)  # mean square, of what is no constant
SILENT = 1e-9  # the same, of a second in which nothing sounds: 90 dB below full scale
SILENT_S = 3
NAMED = 5  # frames that a remark names


def melgram(path: FilePath, front_end: str = TODAY) -> np.ndarray:
    """Mel spectrogram of the centre 29.12 s of an audio file.

    Parameters
    ----------
    path : path
        wav, mp3, flac, ogg, opus, aiff, au, w64 or caf.
    front_end : {"today", "2016"}
        The resampler: soxr's, or resampy 0.2.2's.

    Returns
    -------
    numpy.ndarray, shape (1,1,96,1366), float32
        In dB of the squared mel power, reference 1.0, range 80 dB.

    Raises
    ------
    AudioError
        Where there is no sound to read.
    ValueError
        For another front end.
    """
    return melgrams(path, "centre", front_end)[0]


def melgrams(path: FilePath, frames: str, front_end: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Mel spectrograms (n,1,96,1366) of a file's clips, and what changes the worth of their tags:
    clauses with the file as their subject.

    frames : a key of CUTS. Raises AudioError and ValueError.
    """
    return _heard(path, frames, front_end, is_silence_heard=True)


def heard(path: FilePath, frames: str, front_end: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """As `melgrams`; raises AudioError also where the clips hold nothing but silence."""
    return _heard(path, frames, front_end, is_silence_heard=False)


def _heard(path, frames, front_end, is_silence_heard):
    check_options(frames, front_end)
    sound = read(path, front_end)
    clips = CUTS[frames](sound.samples)
    if not is_silence_heard and not any(clip.any() for clip in clips):
        part = "".join(f" ({why})" for why in (*sound.unheard, *sound.levels.remarks()))
        raise AudioError(
            f"{path} holds nothing but silence in its {CUTS_IN_WORDS[frames]}{part}; "
            "tags of that would mean nothing"
        )
    return _melgrams_of(path, clips), _remarks(clips, sound)


def check_options(frames: str, front_end: str) -> None:
    """Raise ValueError for an unknown cut or front end."""
    one_of("frames", frames, CUTS)
    one_of("front_end", front_end, FRONT_ENDS)


def centre(samples: np.ndarray) -> np.ndarray:
    """The middle CLIP_SAMPLES of samples (n,), or all of them with zeros after."""
    missing = CLIP_SAMPLES - len(samples)
    if missing > 0:
        return np.pad(samples, (0, missing))
    start = -missing // 2
    return samples[start : start + CLIP_SAMPLES]


def frames(samples: np.ndarray) -> list[np.ndarray]:
    """samples (n,) -> clips (349440,), one after the other; the rest is dropped.

    As the 10-genre project cuts (utils.py, compute_melgram_multiframe). A shorter track is one
    clip with zeros after.
    """
    starts = range(0, len(samples) - CLIP_SAMPLES + 1, CLIP_SAMPLES)
    return [samples[at : at + CLIP_SAMPLES] for at in starts] or [centre(samples)]


CUTS = {"centre": lambda samples: [centre(samples)], "all": frames}
CUTS_IN_WORDS = {"centre": "middle 29.12 s", "all": "frames of 29.12 s"}


def melgram_of(samples: np.ndarray) -> np.ndarray:
    """samples (349440,) float32 at 12 kHz -> (1,1,96,1366) float32 dB.

    Raises ValueError for another shape, and for samples whose decibels are not finite in float32.
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


def _melgrams_of(path: FilePath, clips: list[np.ndarray]) -> np.ndarray:
    try:
        return np.concatenate([melgram_of(clip) for clip in clips])
    except ValueError as error:
        raise AudioError(f"{path}: {error}") from error


def _remarks(clips: list[np.ndarray], sound: Sound) -> tuple[str, ...]:
    said = [f"is read in part: {why}; take its tags with caution" for why in sound.unheard]
    said += sound.levels.remarks()
    if sound.seconds < SHORT_S:
        said.append(
            f"is {sound.seconds:.2f} s long: silence is put after it, where the taggers were "
            f"trained on {CLIP_SAMPLES / SAMPLE_RATE_HZ} s of music; give more of it"
        )
    if sound.rate_hz < SAMPLE_RATE_HZ:
        said.append(
            f"is sampled at {sound.rate_hz} Hz: everything above {sound.rate_hz // 2} Hz is "
            f"missing, where the taggers were trained on music up to {SAMPLE_RATE_HZ // 2} Hz; "
            "take its tags with caution or give a better copy"
        )
    quiet = [number for number, clip in enumerate(clips) if clip.var(dtype=float) < FAINT]
    if quiet:
        so = ", and a mean over all frames has them in it" if len(clips) > 1 else ""
        said.append(
            f"holds nothing but silence, dither or noise, more than {FAINT_DB} dB below full "
            f"scale, in {_in(quiet, clips)}: tags of that mean nothing{so}; take those of other "
            "music"
        )
    elif sound.seconds >= SHORT_S and (gaps := [n for n, clip in enumerate(clips) if _gap(clip)]):
        said.append(
            f"is silent for {max(_gap(clips[number]) for number in gaps)} s of {_in(gaps, clips)}: "
            "the taggers were trained on music throughout; give a clip that is"
        )
    return tuple(said)


def _in(numbers, clips):
    """Where in a file the clips of those numbers are, in words."""
    if len(clips) == 1:
        return f"its {CUTS_IN_WORDS['centre']}"
    named = ", ".join(map(str, numbers[:NAMED])) + ", .." * (len(numbers) > NAMED)
    return f"{len(numbers)} of {len(clips)} frames ({named})"


def _gap(clip):
    """How many seconds of a clip are silent; 0 where they are few."""
    seconds = clip[: len(clip) // SAMPLE_RATE_HZ * SAMPLE_RATE_HZ].reshape(-1, SAMPLE_RATE_HZ)
    count = int((seconds.var(axis=1) < SILENT).sum())
    return count if count > SILENT_S else 0
