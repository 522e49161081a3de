"""The clips a user gives, as one batch: mel spectrograms (.npy), or audio files.

The harness decodes no audio itself. It asks the tagger's front end, which is not under test, and
every output says so.
"""

import glob
import hashlib
import importlib
import os
from collections import Counter
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np

from parity import untrusted
from parity.engine.listing import is_list
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import Case
from parity.recording.trace import array_sha256

# Imported when audio is given: its libraries take seconds.
FRONT_END, FINDER = "tagger.audio:melgrams", "tagger.inputs:audio_files"
CUT = ("centre", "today")  # which part of a recording, by which front end
SPECTROGRAM = ".npy"
SHAPE = (1, 1, 96, 1366)  # B, C, F, T
SHAPES = tuple(SHAPE[leading:] for leading in range(3))
FLOAT_BYTES = (4, 8)  # float32 and float64, in either byte order


class Clips(NamedTuple):
    """The input of all models: float32 (B, 1, 96, 1366) dB, and each file's name and sha256.

    remarks : of each file, what changes the worth of its tags.
    read_by : who read the audio among them, None where there is none. others : the inputs beside
    the first, of an original that has several; then `batch` and they are of any shape.
    """

    batch: np.ndarray
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    remarks: tuple[tuple[str, ...], ...]
    read_by: str | None = None
    others: tuple[np.ndarray, ...] = ()

    @property
    def inputs(self) -> tuple[np.ndarray, tuple[np.ndarray, ...]]:
        """The first input and the others, as recordings take them."""
        return self.batch, self.others


def clip_files(given: Iterable[str]) -> tuple[list[str], list[str]]:
    """Files, folders, patterns and lists -> files, and sentences on what else was there.

    They hold spectrograms and what the tagger takes for audio. Raises CannotRun.
    """
    paths, said = [], []
    for name in given:
        is_file = os.path.lexists(name) or not glob.has_magic(name)
        if is_file and not (os.path.isdir(name) or is_list(name)):
            paths.append(name)
            continue
        found = asked(FINDER)([name], also=[SPECTROGRAM])
        if found.errors:
            raise CannotRun(str(found.errors[0]))
        paths += map(str, found.paths)
        said += [f"{name}: {sentence}" for sentence in found.passed_over()]
    return paths, said


def read_clips(paths: Iterable[str | PathLike[str]]) -> Clips:
    """Read .npy mel spectrograms and audio files into one batch, in the order given.

    Raises CannotRun where one is missing, empty, cut short, pickled, of another kind, shape or
    dtype, or not finite.
    """
    files = [Path(path) for path in paths]
    if not files:
        raise CannotRun(
            "no clips were given; name at least one mel spectrogram (.npy) or audio file"
        )
    clips, remarks = zip(*map(_read, files), strict=True)
    is_audio = any(map(_is_audio, files))
    read_by = FRONT_END.partition(".")[0] if is_audio else None
    digests = tuple(sha256_of(path) for path in files)
    return Clips(np.concatenate(clips), _names(files), digests, remarks, read_by)


def clips_of(cases: Iterable[Case]) -> dict[Case, Clips]:
    """What each case is run on; files that several are run on are read once."""
    cases = list(cases)
    wanted = dict.fromkeys((case.clips, case.model.of_clips) for case in cases)
    read = {key: (read_clips if key[1] else read_inputs)(key[0]) for key in wanted}
    return {case: read[case.clips, case.model.of_clips] for case in cases}


def read_inputs(paths: Iterable[str | PathLike[str]]) -> Clips:
    """Read arrays (.npy), one for each input of a model, of as many samples each; floats become
    float32. Raises CannotRun.
    """
    arrays = [_input(Path(path)) for path in paths]
    counts = {len(array) for array in arrays}
    if len(counts) != 1:
        held = ", ".join(map(str, map(len, arrays)))
        raise CannotRun(f"the inputs hold {held} samples; give as many in each")
    count = counts.pop()
    digests = [
        hashlib.sha256("".join(array_sha256(array[at]) for array in arrays).encode()).hexdigest()
        for at in range(count)
    ]
    names = tuple(f"sample {at + 1}" for at in range(count))
    return Clips(arrays[0], names, tuple(digests), ((),) * count, None, tuple(arrays[1:]))


def _input(path: Path) -> np.ndarray:
    if not path.is_file():
        raise CannotRun(f"{path}: no such file; give an array saved by numpy.save")
    array = _read_npy(path)
    if array.dtype.kind not in "fiub" or array.ndim < 2 or not array.size:
        raise CannotRun(
            f"{path}: {array.dtype} {array.shape}, expected numbers of shape (samples, ...); save "
            "such an array with numpy.save"
        )
    array = array.astype(np.float32 if array.dtype.kind == "f" else np.int32)
    if not np.isfinite(array).all():
        raise CannotRun(f"{path}: holds NaN or infinity; compute it anew")
    return array


def batch(paths: Iterable[str | PathLike[str]]) -> np.ndarray:
    """The batch alone: float32 (B, 1, 96, 1366)."""
    return read_clips(paths).batch


def read_clip(path: str | PathLike[str]) -> np.ndarray:
    """One clip's mel spectrogram: float32 (1, 1, 96, 1366) dB. Raises CannotRun."""
    return _read(Path(path))[0]


def _is_audio(path: Path) -> bool:
    return path.suffix.lower() != SPECTROGRAM


def _read(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    """One clip's spectrogram and remarks."""
    try:
        with untrusted.opened(path) as stream:
            is_empty = not stream.read(1)
    except FileNotFoundError as error:
        raise CannotRun(
            f"{path}: no such file; give a mel spectrogram (.npy) or an audio file"
        ) from error
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be read ({error.strerror}); check that it is a file you may read"
        ) from error
    if is_empty:
        raise CannotRun(f"{path}: the file is empty; copy or make it anew")
    found, remarks = _heard(path) if _is_audio(path) else (_read_npy(path), ())
    return _checked(path, found), remarks


def _read_npy(path: Path) -> np.ndarray:
    try:
        return untrusted.npy(path)
    except OSError as error:
        raise CannotRun(
            f"{path}: {error.strerror}; save a float32 or float64 array with numpy.save"
        ) from error


def asked(name: str) -> Callable:
    """A function of the tagger, MODULE:NAME, which is imported now."""
    module, _, function = name.partition(":")
    return getattr(importlib.import_module(module), function)


def _heard(path: Path) -> tuple[np.ndarray, tuple[str, ...]]:
    try:
        return asked(FRONT_END)(path, *CUT)
    except (OSError, ValueError) as error:  # an AudioError, a ValueError, is one sentence
        raise CannotRun(str(error)) from error


def _checked(path: Path, array: np.ndarray) -> np.ndarray:
    if array.dtype.kind != "f" or array.dtype.itemsize not in FLOAT_BYTES:
        raise CannotRun(
            f"{path}: dtype {array.dtype}, expected float32 or float64 decibels; convert it first"
        )
    if array.shape not in SHAPES:
        raise CannotRun(
            f"{path}: shape {array.shape}, expected {SHAPE}: 96 mel bands by 1366 frames "
            "(29.12 s at 12 kHz); give one such spectrogram a file, or the audio itself"
        )
    with np.errstate(over="ignore"):
        spectrogram = np.ascontiguousarray(array, dtype=np.float32).reshape(SHAPE)
    bad = np.argwhere(~np.isfinite(spectrogram))
    if len(bad):
        raise CannotRun(
            f"{path}: {len(bad)} values are NaN, infinite or beyond float32, the first at "
            f"mel band {bad[0][2]}, frame {bad[0][3]}; compute it anew"
        )
    return spectrogram


def _names(paths: list[Path]) -> tuple[str, ...]:
    """The files' names without suffix; with their number in the batch where two are alike."""
    stems = [path.stem for path in paths]
    uses = Counter(stems)
    return tuple(
        stem if uses[stem] == 1 else f"{stem} ({number})"
        for number, stem in enumerate(stems, start=1)
    )
