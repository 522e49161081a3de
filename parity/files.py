"""Files written whole or not at all, and named by the sha256 of what they hold.

All rooms but the port and the recorder use this module; it imports none of them.
"""

import hashlib
import os
import tempfile
from pathlib import Path

from parity.errors import CannotRun

FilePath = str | os.PathLike[str]


def atomic_write(path: FilePath, data: bytes | str) -> None:
    """Write `data` (str as UTF-8) so that readers see the old file or the new one, never a part."""
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(
            dir=path.parent, prefix=path.name[:80], suffix=".part"
        )
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def cannot_write(path: FilePath, error: OSError) -> CannotRun:
    """The sentence for an error in writing `path`."""
    return CannotRun(
        f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
    )


def check_writable(path: FilePath | None) -> None:
    """Raise CannotRun where `path` cannot be written, before work is done that would be lost."""
    if not path:
        return
    folder, fault = Path(path).parent, None
    if not os.path.isdir(folder):
        fault = f"{folder} is not a folder; make it or choose another"
    elif os.path.isdir(path):
        fault = "it is a folder; give the name of a file"
    elif not os.access(folder, os.W_OK | os.X_OK):
        fault = f"{folder} may not be written to; choose another folder"
    if fault:
        raise CannotRun(f"{path} cannot be written: {fault}")


def sha256_of(path: FilePath) -> str:
    """sha256 of a file's bytes, hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
