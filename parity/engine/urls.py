"""Files that are not on this machine: object stores, archives and the web, by way of fsspec."""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

from parity.errors import CannotRun

HERE = "file://"
LARGEST, AT_A_TIME = 1 << 32, 1 << 20  # bytes: hours of music


def is_url(name: str | os.PathLike[str]) -> bool:
    """Whether it names what is in an object store, an archive or the web."""
    return "://" in os.fspath(name)


def local(name: str, leave: ExitStack) -> str:
    """The path of a file: its own, or of a copy of what is at a URL for as long as `leave` lasts.

    Raises CannotRun where it cannot be fetched.
    """
    if not is_url(name):
        return name
    if name.startswith(HERE):
        return name.removeprefix(HERE)
    import fsspec

    folder = leave.enter_context(tempfile.TemporaryDirectory())
    path = Path(folder, f"file{Path(name.partition('::')[0]).suffix:.9}")
    try:
        with fsspec.open(name) as source, open(path, "wb") as target:
            while part := source.read(AT_A_TIME):
                if target.tell() > LARGEST:
                    raise ValueError(f"it is larger than {LARGEST >> 30} GiB")
                target.write(part)
    except Exception as error:  # of the store behind the URL, whatever that is
        why = " ".join(f"{type(error).__name__}: {error}".split())
        raise CannotRun(f"{name}: cannot be fetched ({why}); check that it is there") from error
    return str(path)
