"""The clips a user gives: mel spectrograms (.npy) or audio files, checked and put into one
batch.
"""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.files import sha256_of

SHAPE = (1, 1, 96, 1366)  # B, C, F, T
SHAPES = tuple(SHAPE[leading:] for leading in range(3))
FLOAT_BYTES = (4, 8)  # float32 and float64, in either byte order
AUDIO_SUFFIXES = (".mp3", ".wav", ".flac", ".ogg")


class Clips(NamedTuple):
    """What all models are given. batch : float32 (B, 1, 96, 1366), decibels; names and sha256 (of
    the files) : length B.
    """

    batch: np.ndarray
    names: tuple
    sha256: tuple


def read_clips(paths):
    """Read .npy mel spectrograms and audio files into one batch, in the order given.

    Raises CannotRun where one is missing, empty, cut short, pickled, of another kind, shape or
    dtype, or not finite.
    """
    paths = [Path(path) for path in paths]
    if not paths:
        raise CannotRun(
            "no clips were given; name at least one mel spectrogram (.npy) or audio file"
        )
    spectrograms = [read_clip(path) for path in paths]
    return Clips(
        np.concatenate(spectrograms), _names(paths), tuple(sha256_of(path) for path in paths)
    )


def batch(paths):
    """The batch alone: float32 (B, 1, 96, 1366)."""
    return read_clips(paths).batch


def read_clip(path):
    """One clip's mel spectrogram: float32 (1, 1, 96, 1366), decibels. Raises CannotRun as
    `read_clips` does.
    """
    path = Path(path)
    readers = {".npy": _read_npy} | dict.fromkeys(AUDIO_SUFFIXES, _hear)
    if path.suffix.lower() not in readers:
        raise CannotRun(
            f"{path}: not a clip by its name; give a mel spectrogram (.npy) or audio "
            f"({', '.join(AUDIO_SUFFIXES)})"
        )
    _check_there(path)
    return _checked(path, readers[path.suffix.lower()](path))


def _check_there(path):
    try:
        size_bytes = path.stat().st_size if path.is_file() else None
        with open(path, "rb"):
            pass
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: no such file; give a mel spectrogram (.npy) or an audio file"
        ) from error
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be read ({error.strerror}); check that it is a file you may read"
        ) from error
    if size_bytes == 0:
        raise CannotRun(f"{path}: the file is empty; copy or make it anew")


def _read_npy(path):
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError, SyntaxError, MemoryError) as error:
        raise CannotRun(
            f"{path}: {_why_unreadable(path, error)}; save a float32 or float64 array "
            "with numpy.save"
        ) from error


def _why_unreadable(path, error):
    with open(path, "rb") as stream:
        is_npy = stream.read(6) == b"\x93NUMPY"
    if not is_npy:
        return "not a .npy file (pickles are not read)"
    return (
        "holds pickled objects, which are not read"
        if "allow_pickle" in str(error)
        else "the file is cut short or damaged"
    )


def _hear(path):
    from tagger.audio import melgram  # late: decoding and its libraries take seconds to import

    try:
        return melgram(path)
    except (
        OSError,
        ValueError,
    ) as error:  # tagger.audio.AudioError, a ValueError, says it in one sentence
        raise CannotRun(str(error)) from error


def _checked(path, array):
    if not isinstance(array, np.ndarray):  # numpy.load opens an archive under any name
        raise CannotRun(
            f"{path}: an archive of several arrays (.npz), not one mel spectrogram; save "
            "one with numpy.save"
        )
    if array.dtype.kind != "f" or array.dtype.itemsize not in FLOAT_BYTES:
        raise CannotRun(
            f"{path}: dtype {array.dtype}, expected float32 or float64 decibels; convert it first"
        )
    if array.shape not in SHAPES:
        raise CannotRun(
            f"{path}: shape {array.shape}, expected {SHAPE}: 96 mel bands by 1366 frames "
            "(29.12 s at 12 kHz); "
            "give one such spectrogram a file, or the audio itself"
        )
    with np.errstate(over="ignore"):
        spectrogram = np.ascontiguousarray(array, dtype=np.float32).reshape(SHAPE)
    if not np.isfinite(spectrogram).all():
        bad = np.argwhere(~np.isfinite(spectrogram))
        raise CannotRun(
            f"{path}: {len(bad)} values are NaN, infinite or beyond float32, the first at "
            f"mel band {bad[0][2]}, "
            f"frame {bad[0][3]}; compute it anew"
        )
    return spectrogram


def _names(paths):
    """The files' names without suffix; with their number in the batch where two are alike."""
    stems = [path.stem for path in paths]
    uses = Counter(stems)
    return tuple(
        stem if uses[stem] == 1 else f"{stem} ({number})"
        for number, stem in enumerate(stems, start=1)
    )
