"""Whole files or none: what is written under a temporary name first."""

import hashlib
import os
import tempfile
from pathlib import Path

from parity.port.sentences import shown

FilePath = str | os.PathLike[str]


class CannotWrite(ValueError):
    """A file that cannot be written: one sentence."""


def sha256_of(path: FilePath) -> str:
    """sha256 of a file, hex."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def check_writable(path: FilePath | None) -> None:
    """Raise CannotWrite where `path` is given and cannot be written, before work is done that
    could not be kept.
    """
    if not path:
        return
    folder = Path(path).parent
    faults = (
        (not os.path.isdir(folder), f"{shown(folder)} is no folder; make it or choose another"),
        (os.path.isdir(path), "it is a folder; give the name of a file"),
        (
            not os.access(folder, os.W_OK | os.X_OK),
            f"{shown(folder)} may not be written to; choose another folder",
        ),
    )
    for is_so, what in faults:
        if is_so:
            raise CannotWrite(f"{shown(path)} cannot be written: {what}")


def write_atomically(path: FilePath, data: bytes | str) -> None:
    """Write bytes or str (utf-8) to `path`, so that readers see the old file or the new one.
    Raises CannotWrite.
    """
    path, temporary = Path(path), None
    try:
        descriptor, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=path.name[:80], suffix=".part"
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CannotWrite(
            f"{shown(path)} cannot be written ({error.strerror}); free space or choose "
            "another folder"
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
