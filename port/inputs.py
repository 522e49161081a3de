"""What the command line is given -> audio files, in a steady order."""

import glob
from collections.abc import Iterable
from pathlib import Path

from port.audio import AudioError, shown
from port.files import FilePath

SUFFIXES = {".wav", ".mp3", ".flac", ".ogg", ".oga", ".aif", ".aiff"}


def audio_files(given: Iterable[FilePath]) -> tuple[list[Path], list[AudioError]]:
    """Files, folders (searched below, by suffix) and patterns -> (list of paths, list of AudioError), each file once."""
    paths, errors = [], []
    for name in map(str, given):
        try:
            paths += _expanded(name)
        except AudioError as error:
            errors.append(error)
    return list(dict.fromkeys(paths)), errors


def below(folder: FilePath) -> list[Path]:
    """All audio files below a folder, sorted by name."""
    return sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())


def _expanded(name):
    if not name:
        return _none("an empty name", "is no file")
    if Path(name).is_dir():
        return below(name) or _none(name, "holds no audio file")
    if not Path(name).exists() and glob.has_magic(name):
        return [Path(found) for found in sorted(glob.glob(name, recursive=True))] or _none(name, "matches no file")
    return [Path(name)]


def _none(name, what):
    raise AudioError(f"{shown(name)} {what}; give wav, flac, ogg or mp3 files, or a folder that holds some")
