"""What the command line is given -> audio files, in a steady order."""

import glob
import os
from collections.abc import Iterable
from pathlib import Path

from parity.port.files import FilePath
from parity.port.sentences import shown
from tagger.reading import AudioError

SUFFIXES = {
    ".wav",
    ".mp3",
    ".flac",
    ".ogg",
    ".oga",
    ".opus",
    ".aif",
    ".aiff",
    ".au",
    ".w64",
    ".caf",
}


def audio_files(given: Iterable[FilePath]) -> tuple[list[Path], list[AudioError]]:
    """Files, folders (searched below, by suffix) and patterns -> (list of paths, list of
    AudioError), each file once.
    """
    paths, errors = [], []
    for name in map(os.fspath, given):
        found, faults = _expanded(name)
        paths += found
        errors += faults
    return list(dict.fromkeys(paths)), errors


def below(folder: FilePath) -> tuple[list[Path], list[AudioError]]:
    """(all audio files below a folder, sorted by name; AudioErrors for folders that may not be
    read, or that none is there).
    """
    paths, errors = [], []
    for parent, _, names in os.walk(folder, onerror=lambda error: errors.append(_closed(error))):
        paths += [
            Path(parent, name)
            for name in names
            if _is_audio(name) and os.path.isfile(os.path.join(parent, name))
        ]
    return sorted(paths), errors or ([] if paths else [_none(folder, "holds no audio file")])


def _expanded(name):
    if not name:
        return [], [_none("an empty name", "is no file")]
    if os.path.isdir(name):
        return below(name)
    if not os.path.lexists(name) and glob.has_magic(name):
        return _matching(name)
    return [Path(name)], []


def _matching(pattern):
    """As the shell would give them one by one, but for files of other kinds, which a pattern such
    as * has among the rest.
    """
    matches = sorted(glob.glob(pattern, recursive=True))
    paths, errors = audio_files(name for name in matches if os.path.isdir(name) or _is_audio(name))
    return paths, errors or (
        [] if paths else [_none(pattern, "matches no audio file" if matches else "matches no file")]
    )


def _is_audio(name):
    return os.path.splitext(name)[1].lower() in SUFFIXES


def _closed(error):
    return AudioError(
        f"{shown(error.filename)} cannot be read ({error.strerror}); give a folder that may be read"
    )


def _none(name, what):
    return AudioError(
        f"{shown(name)} {what}; give wav, flac, ogg or mp3 files, or a folder that holds some"
    )
