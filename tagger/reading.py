"""Audio file -> samples at 12 kHz, in blocks. Whatever is wrong with a file is one AudioError."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from parity.files import FilePath
from tagger.cut_short import NO_AUDIO, fault_of
from tagger.mel import SAMPLE_RATE_HZ
from tagger.resampling import FRONT_ENDS

if TYPE_CHECKING:
    import soundfile

BLOCK_SAMPLES = 1 << 18
# With another rate a header is damaged, and resampling would take all memory.
RATES_HZ = range(1000, 1000001)
SUCH_AS = "give an audio file (wav, flac, ogg, mp3)"


class AudioError(ValueError):
    """Audio that cannot be read: one sentence with what, where and what to do."""


def read(path: FilePath, front_end: str) -> tuple[np.ndarray, int]:
    """Samples (n,) float32 at 12 kHz, the mean of all channels; and the file's own rate in Hz.

    The file is read and resampled in blocks: an hour takes about 350 MB. Raises AudioError.
    """
    with _opened(path) as file:
        return _at_12_khz(path, file, front_end), file.samplerate


def unforeseen(path: FilePath, error: Exception) -> AudioError:
    """The sentence for an error that no one expected; it names the kind, to be reported."""
    return AudioError(
        f"{path} cannot be read as audio ({type(error).__name__}: {error}); give another copy of it"
    )


@contextmanager
def _opened(path: FilePath) -> Iterator["soundfile.SoundFile"]:
    import soundfile

    try:
        if fault := _no_file(path) or fault_of(path):
            raise AudioError(f"{path} {fault}")
        with soundfile.SoundFile(os.fsencode(path)) as file:  # bytes: a name may be no utf-8
            yield file
    except AudioError:
        raise
    except OSError as error:
        raise AudioError(
            f"{path} cannot be read ({error.strerror}); give a file that may be read"
        ) from error
    except soundfile.SoundFileError as error:
        raise AudioError(f"{path} {NO_AUDIO}") from error
    except Exception as error:  # errors of soundfile, soxr and NumPy for a damaged header
        raise unforeseen(path, error) from error


def _no_file(path: FilePath) -> str | None:
    """Why there is no file to read, and what to do; None where there is one. Raises OSError."""
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return f"is not there; {SUCH_AS}"
    if not stat.S_ISREG(status.st_mode):
        return f"is no file; {SUCH_AS}"
    return None if status.st_size else "is empty; copy it again"


def _at_12_khz(path: FilePath, file: "soundfile.SoundFile", front_end: str) -> np.ndarray:
    rate_hz = file.samplerate
    if rate_hz not in RATES_HZ:
        raise AudioError(
            f"{path} says that it is sampled at {rate_hz} Hz, which no recording is; copy it again"
        )
    resampler = None if rate_hz == SAMPLE_RATE_HZ else FRONT_ENDS[front_end](rate_hz)
    parts, taken = [], 0
    for block in _mono_blocks(path, file):
        parts.append(resampler.push(block) if resampler else block)
        taken += len(block)
    if not taken:
        raise AudioError(f"{path} holds no sample; give a file with sound in it")
    if resampler:
        parts.append(resampler.push(np.zeros(0, np.float32), last=True))
    # librosa.resample(fix=True): rounded up, cut or filled with zeros.
    whole, at = np.zeros(-(-taken * SAMPLE_RATE_HZ // rate_hz), np.float32), 0
    for part in parts:
        part = part[: len(whole) - at]
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def _mono_blocks(path: FilePath, file: "soundfile.SoundFile") -> Iterator[np.ndarray]:
    while len(block := file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)):  # (n,channels)
        if not np.isfinite(block).all():
            raise AudioError(
                f"{path} holds NaN or infinite samples; write it again from its source"
            )
        yield block.mean(axis=1) if file.channels > 1 else block[:, 0]
