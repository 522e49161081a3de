"""Files, folders and patterns -> audio files, in a steady order."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from parity.files import FilePath
from tagger.reading import AudioError

SUFFIXES = set(
    [".wav", ".mp3", ".flac", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".au", ".w64", ".caf"]
)

Found = tuple[list[Path], list[AudioError]]


def audio_files(given: Iterable[FilePath]) -> Found:
    """Audio files of files, folders (searched below, by suffix) and patterns, each file once."""
    paths, errors = [], []
    for name in map(os.fspath, given):
        found, faults = _expanded(name)
        paths += found
        errors += faults
    return list(dict.fromkeys(paths)), errors


def below(folder: FilePath) -> Found:
    """All audio files below a folder, sorted; an error where it may not be read or has none."""
    paths, errors = [], []

    def closed(error: OSError) -> None:
        errors.append(
            AudioError(
                f"{error.filename} cannot be read ({error.strerror}); "
                "give a folder that may be read"
            )
        )

    for parent, _, names in os.walk(folder, onerror=closed):
        audio = (Path(parent, name) for name in names if _is_audio(name))
        paths += [path for path in audio if os.path.isfile(path)]
    return sorted(paths), errors or _unless(paths, folder, "holds no audio file")


def _expanded(name: str) -> Found:
    if not name:
        return [], _unless([], "an empty name", "is no file")
    if os.path.isdir(name):
        return below(name)
    if os.path.lexists(name) or not glob.has_magic(name):
        return [Path(name)], []
    # As the shell would give them one by one, except for files of other kinds.
    matches = sorted(glob.glob(name, recursive=True))
    paths, errors = audio_files(
        match for match in matches if os.path.isdir(match) or _is_audio(match)
    )
    what = "matches no audio file" if matches else "matches no file"
    return paths, errors or _unless(paths, name, what)


def _is_audio(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _unless(paths: list[Path], name: FilePath, what: str) -> list[AudioError]:
    sentence = f"{name} {what}; give wav, flac, ogg or mp3 files, or a folder that holds some"
    return [] if paths else [AudioError(sentence)]
