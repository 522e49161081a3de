"""Lists: text files that name what a collection is made of, a line each."""

import glob
import os
from collections.abc import Iterator

from parity import untrusted
from parity.engine.urls import is_url
from parity.errors import CannotRun

KINDS = (".txt", ".m3u", ".m3u8")
LARGEST = 1 << 28  # bytes: millions of names
BETWEEN = "\t"  # the files of one key


def is_list(name: str) -> bool:
    """Whether it is a list, by its name."""
    return os.path.splitext(name)[1].lower() in KINDS and not glob.has_magic(name)


def listed(name: str, between: str | None = None) -> Iterator[str]:
    """What a list and the lists in it name, each file from its list's own folder; # begins a
    remark. between: what stands between the files of a line, where it names some. Raises CannotRun
    for one that cannot be read, or names itself.
    """
    yield from _listed(name, between, ())


def _listed(name: str, between: str | None, outer: tuple[str, ...]) -> Iterator[str]:
    here, folder = os.path.realpath(name), os.path.dirname(name)
    if here in outer:
        raise CannotRun(f"{name} is a list that names itself; take its name out")
    for line in _lines(name):
        parts = line.split(between) if between else [line]
        paths = [part if is_url(part) else os.path.join(folder, part) for part in parts]
        if len(paths) == 1 and is_list(paths[0]) and os.path.isfile(paths[0]):
            yield from _listed(paths[0], between, (*outer, here))
        else:
            yield (between or "").join(paths)


def _lines(name: str) -> Iterator[str]:
    try:
        with untrusted.opened(name) as stream:
            data = stream.read(LARGEST + 1)
    except OSError as error:
        why = error.strerror or error
        raise CannotRun(f"{name} cannot be read ({why}); give a list that may be read") from error
    if b"\0" in data or len(data) > LARGEST:
        raise CannotRun(f"{name} is no list of names; give a text file with a name a line")
    for line in data.decode("utf-8-sig", "surrogateescape").split("\n"):
        if line.strip() and not line.startswith("#"):
            yield line.strip()
