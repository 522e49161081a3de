"""Audio file -> samples at 12 kHz, in blocks. Whatever a file holds, what goes wrong with it is
one AudioError.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from parity.port.files import FilePath
from parity.port.sentences import shown
from tagger.cut_short import NO_AUDIO, fault_of
from tagger.mel import SAMPLE_RATE_HZ
from tagger.resampling import FRONT_ENDS

if TYPE_CHECKING:
    import soundfile

BLOCK_SAMPLES = 1 << 18
RATES_HZ = range(
    1000, 1000001
)  # beyond them a header is damaged, and resampling would take all memory


class AudioError(ValueError):
    """Audio that cannot be read: one sentence with what, where and what to do."""


def read(path: FilePath, front_end: str) -> tuple[np.ndarray, int]:
    """(samples (n,) float32 at 12 kHz, the mean of all channels; the file's own rate in Hz).
    Raises AudioError.

    The file is read and resampled in blocks: an hour takes about 350 MB.
    """
    with _opened(path) as file:
        return _at_12_khz(path, file, front_end), file.samplerate


def unforeseen(path: FilePath, error: Exception) -> AudioError:
    """The sentence for an error that no one expected of an audio file; it names the kind, so that
    it can be reported.
    """
    return AudioError(
        f"{shown(path)} cannot be read as audio ({type(error).__name__}: {shown(error)}); "
        "give another copy of it"
    )


@contextmanager
def _opened(path) -> Iterator["soundfile.SoundFile"]:
    import soundfile

    try:
        if fault := _no_file(path) or fault_of(path):
            raise AudioError(f"{shown(path)} {fault}")
        with soundfile.SoundFile(os.fsencode(path)) as file:  # bytes: a name may be no utf-8
            yield file
    except AudioError:
        raise
    except OSError as error:
        raise AudioError(
            f"{shown(path)} cannot be read ({error.strerror}); give a file that may be read"
        ) from error
    except soundfile.SoundFileError as error:
        raise AudioError(f"{shown(path)} {NO_AUDIO}") from error
    except (
        Exception
    ) as error:  # soundfile, soxr and NumPy have errors of their own for what a damaged header says
        raise unforeseen(path, error) from error


def _no_file(path):
    """Why there is no file to read, and what to do; None where there is one. Raises OSError where
    that cannot be seen.
    """
    try:
        status = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return "is not there; give an audio file (wav, flac, ogg, mp3)"
    if not stat.S_ISREG(status.st_mode):
        return "is no file; give an audio file (wav, flac, ogg, mp3)"
    return None if status.st_size else "is empty; copy it again"


def _at_12_khz(path, file, front_end):
    if file.samplerate not in RATES_HZ:
        raise AudioError(
            f"{shown(path)} says that it is sampled at {file.samplerate} Hz, which no "
            "recording is; copy it again"
        )
    resampler = (
        None if file.samplerate == SAMPLE_RATE_HZ else FRONT_ENDS[front_end](file.samplerate)
    )
    parts, taken = [], 0
    for block in _mono_blocks(path, file):
        parts.append(resampler.push(block) if resampler else block)
        taken += len(block)
    if not taken:
        raise AudioError(f"{shown(path)} holds no sample; give a file with sound in it")
    if resampler:
        parts.append(resampler.push(np.zeros(0, np.float32), last=True))
    whole = np.zeros(
        -(-taken * SAMPLE_RATE_HZ // file.samplerate), np.float32
    )  # librosa.resample(fix=True): rounded up
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
            raise AudioError(
                f"{shown(path)} holds NaN or infinite samples; write it again from its source"
            )
        yield block.mean(axis=1) if file.channels > 1 else block[:, 0]
