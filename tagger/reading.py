"""Audio file -> samples at 12 kHz, in blocks. Whatever is wrong with a file is one AudioError."""

import itertools
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

import numpy as np

from parity.files import FilePath
from tagger.containers import Fault
from tagger.decoding import Block, Recording
from tagger.levels import Levels
from tagger.mel import SAMPLE_RATE_HZ
from tagger.resampling import FRONT_ENDS

# With another rate a header is damaged, and resampling would take all memory.
RATES_HZ = range(1000, 1000001)
SUCH_AS = "give an audio file (wav, flac, ogg, mp3)"


class AudioError(ValueError):
    """Audio that cannot be read: one sentence with what, where and what to do."""


class Sound(NamedTuple):
    """What was read of a file.

    samples : (n,) float32 at 12 kHz, the mean of all channels.
    rate_hz : the file's own, the lowest where it has several.
    seconds : how long it is.
    levels : how loud its channels are.
    unheard : what of it could not be decoded, in words.
    """

    samples: np.ndarray
    rate_hz: int
    seconds: float
    levels: Levels
    unheard: tuple[str, ...]


def read(path: FilePath, front_end: str) -> Sound:
    """The Sound of a file, read and resampled in blocks: an hour takes about 430 MB.

    Raises AudioError.
    """
    levels, rates_hz, parts = Levels(), [], []
    with _opened(path) as recording:
        for rate_hz, blocks in itertools.groupby(recording, lambda block: block.rate_hz):
            rates_hz.append(rate_hz)
            parts.append(_at_12_khz(_mono(blocks, levels), rate_hz, front_end))
        if not sum(map(len, parts)):
            raise Fault("holds no sample; give a file with sound in it")
        samples = np.concatenate(parts) if len(parts) > 1 else parts[0]
        return Sound(samples, min(rates_hz), recording.heard_s, levels, tuple(recording.unheard))


def decoded(path: FilePath) -> list[Block]:
    """A file's samples at its own rate, in blocks. Raises AudioError."""
    with _opened(path) as recording:
        return list(recording)


def unforeseen(path: FilePath, error: Exception) -> AudioError:
    """The sentence for an error that no one expected; it names the kind, to be reported."""
    return AudioError(
        f"{path} cannot be read as audio ({type(error).__name__}: {error}); give another copy of it"
    )


@contextmanager
def _opened(path: FilePath) -> Iterator[Recording]:
    try:
        if fault := _no_file(path):
            raise Fault(fault)
        with open(path, "rb") as stream:
            yield Recording(stream)
    except Fault as fault:
        raise AudioError(f"{path} {fault}") from fault
    except OSError as error:
        raise AudioError(
            f"{path} cannot be read ({error.strerror}); give a file that may be read"
        ) from error
    except Exception as error:  # of the decoder, soxr and NumPy for a damaged header
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


def _at_12_khz(blocks: Iterable[np.ndarray], rate_hz: int, front_end: str) -> np.ndarray:
    """Blocks (n,) of one rate -> (m,) float32 at 12 kHz."""
    if rate_hz not in RATES_HZ:
        raise Fault(
            f"says that it is sampled at {rate_hz} Hz, which no recording is; copy it again"
        )
    resampler = None if rate_hz == SAMPLE_RATE_HZ else FRONT_ENDS[front_end](rate_hz)
    parts, taken = [], 0
    for block in blocks:
        parts.append(resampler.push(block) if resampler else block)
        taken += len(block)
    if resampler:
        parts.append(resampler.push(np.zeros(0, np.float32), last=True))
    # librosa.resample(fix=True): rounded up, cut or filled with zeros.
    whole, at = np.zeros(-(-taken * SAMPLE_RATE_HZ // rate_hz), np.float32), 0
    for part in parts:
        part = part[: len(whole) - at]
        whole[at : at + len(part)] = part
        at += len(part)
    return whole


def _mono(blocks: Iterable[Block], levels: Levels) -> Iterator[np.ndarray]:
    """Blocks (n,channels) -> (n,), the mean; their levels are taken on the way."""
    for block in blocks:
        if not np.isfinite(block.samples).all():
            raise Fault("holds NaN or infinite samples; write it again from its source")
        mono = block.samples.mean(axis=1) if block.samples.shape[1] > 1 else block.samples[:, 0]
        levels.take(block.samples, mono)
        yield mono
