"""What a corpus is made of: files, folders, patterns and lists -> the keys of what is proved."""

import glob
import os
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path

from parity.engine.listing import BETWEEN, is_list, listed
from parity.engine.urls import is_url
from parity.errors import CannotRun
from parity.recording.clips import FINDER, SPECTROGRAM, asked


def clips(given: Collection[str]) -> tuple[list[str], list[str]]:
    """Music for the taggers: its files, and sentences on what else was there. Raises CannotRun."""
    for name in given:
        if not (is_url(name) or glob.has_magic(name) or os.path.lexists(name)):
            raise CannotRun(f"{name}: no such file or folder; name a folder, list or pattern")
    found = asked(FINDER)(given, also=[SPECTROGRAM])
    said = [str(error) for error in found.errors]
    if not found.paths:
        raise CannotRun(said[0] if said else "no clips were given; name a folder, list or pattern")
    return [os.fspath(path) for path in found.paths], [*said, *found.passed_over()]


def arrays(given: Iterable[str]) -> list[str]:
    """Inputs (.npy) of another network: files, folders, patterns and lists, which name a file a
    line, or one for each input with tabs between. Raises CannotRun.
    """
    found = dict.fromkeys(key for name in given for key in _expanded(name))
    if not found:
        raise CannotRun("no .npy is in what was given; name files saved by numpy.save")
    return list(found)


def _expanded(name: str) -> Iterator[str]:
    path = Path(name)
    if path.is_dir():
        yield from sorted(map(str, path.rglob(f"*{SPECTROGRAM}")))
    elif glob.has_magic(name) and not path.exists():
        yield from sorted(glob.glob(name, recursive=True))
    elif is_list(name):
        yield from listed(name, BETWEEN)
    else:
        yield name
