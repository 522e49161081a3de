"""Audio file -> the mel spectrograms the taggers were trained on.

The rules of keunwoochoi/music-auto_tagging-keras, audio_processor.py (compute_melgram): the centre 29.12 s, zeros after
a shorter clip. The 10-genre project, jsalbert/Music-Genre-Classification-with-Deep-Learning, also cuts a whole track
into frames of that length.
"""

from pathlib import Path

import numpy as np

from port.cut_short import what_is_missing
from port.files import FilePath
from port.mel import HOP_SAMPLES, MEL_BANDS, SAMPLE_RATE_HZ, decibel_of
from port.resampling import FRONT_ENDS
from port.sentences import shown

CLIP_SAMPLES = 349440  # 29.12 s
CLIP_FRAMES = 1 + CLIP_SAMPLES // HOP_SAMPLES  # 1366
BLOCK_SAMPLES = 1 << 18
TODAY = "today"  # the front end of librosa's current defaults but for the padding


class AudioError(ValueError):
    """Audio that cannot be read: one sentence with what, where and what to do."""


def melgram(path: FilePath, front_end: str = TODAY) -> np.ndarray:
    """Mel spectrogram of the centre 29.12 s of an audio file: float32 (1,1,96,1366), in dB of the squared mel power.

    front_end : a key of port.resampling.FRONT_ENDS. Raises AudioError where there is no sound to read.
    """
    return melgram_of(centre(load_mono(path, front_end)))


def load_mono(path: FilePath, front_end: str = TODAY) -> np.ndarray:
    """Samples (n,) float32 at 12 kHz, the mean of all channels. Raises AudioError.

    The file is read and resampled in blocks: an hour takes about 350 MB.
    """
    import soundfile

    if not Path(path).is_file():
        what = "is no file" if Path(path).exists() else "is not there"
        raise AudioError(f"{shown(path)} {what}; give an audio file (wav, flac, ogg, mp3)")
    try:
        if missing := what_is_missing(path):
            raise AudioError(f"{shown(path)} is cut short: {missing}; copy it again")
        with soundfile.SoundFile(path) as file:
            return _at_12_khz(path, file, front_end)
    except (soundfile.SoundFileError, OSError) as error:
        raise AudioError(f"{shown(path)} cannot be read as audio; give a wav, flac, ogg or mp3 file") from error


def remark_on(path: FilePath) -> str | None:
    """What the taggers miss in a readable audio file, in a sentence; None where its rate carries all they heard in training."""
    import soundfile

    rate_hz = soundfile.info(path).samplerate
    if rate_hz >= SAMPLE_RATE_HZ:
        return None
    return (f"{shown(path)} is sampled at {rate_hz} Hz: everything above {rate_hz // 2} Hz is missing, where the taggers were trained "
            f"on music up to {SAMPLE_RATE_HZ // 2} Hz; take its tags with caution or give a better copy")


def centre(samples: np.ndarray) -> np.ndarray:
    """The middle CLIP_SAMPLES of samples (n,), or all of them with zeros after."""
    missing = CLIP_SAMPLES - len(samples)
    if missing > 0:
        return np.pad(samples, (0, missing))
    start = -missing // 2
    return samples[start : start + CLIP_SAMPLES]


def frames(samples: np.ndarray) -> list[np.ndarray]:
    """samples (n,) -> list of clips (349440,), one after the other; what is left over at the end is dropped.

    As the 10-genre project cuts (utils.py, compute_melgram_multiframe). A shorter track is one clip with zeros after.
    """
    if len(samples) < CLIP_SAMPLES:
        return [centre(samples)]
    return [samples[at : at + CLIP_SAMPLES] for at in range(0, len(samples) - CLIP_SAMPLES + 1, CLIP_SAMPLES)]


def melgram_of(samples: np.ndarray) -> np.ndarray:
    """samples (349440,) float32 at 12 kHz -> (1,1,96,1366) float32, dB with reference 1.0 and a range of 80 dB."""
    if samples.shape != (CLIP_SAMPLES,):
        raise ValueError(f"a clip has {CLIP_SAMPLES} samples at {SAMPLE_RATE_HZ} Hz, not shape {samples.shape}")
    return decibel_of(samples).reshape(1, 1, MEL_BANDS, CLIP_FRAMES)


def _at_12_khz(path, file, front_end):
    resampler = None if file.samplerate == SAMPLE_RATE_HZ else FRONT_ENDS[front_end](file.samplerate)
    parts, taken = [], 0
    for block in _mono_blocks(path, file):
        parts.append(resampler.push(block) if resampler else block)
        taken += len(block)
    if not taken:
        raise AudioError(f"{shown(path)} holds no sample; give a file with sound in it")
    if resampler:
        parts.append(resampler.push(np.zeros(0, np.float32), last=True))
    whole = np.zeros(-(-taken * SAMPLE_RATE_HZ // file.samplerate), np.float32)  # librosa.resample(fix=True): rounded up
    _copy_into(whole, parts)
    return whole


def _copy_into(whole, parts):
    at = 0
    for part in parts:
        part = part[: len(whole) - at]
        whole[at : at + len(part)] = part
        at += len(part)


def _mono_blocks(path, file):
    while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):  # (n,channels)
        if not np.isfinite(block).all():
            raise AudioError(f"{shown(path)} holds NaN or infinite samples; write it again from its source")
        yield block.mean(axis=1) if file.channels > 1 else block[:, 0]
