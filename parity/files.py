"""Whole files or none: atomic writes, and the sha256 that names their content."""

import hashlib
import os
import tempfile
from pathlib import Path

from parity.errors import CannotRun


def atomic_write(path, data):
    """Write `data` (bytes or str, utf-8) to `path` so that readers see the old file or the new
    one, never a part.

    Raises CannotRun where the folder cannot be written.
    """
    path = Path(path)
    data = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    finally:
        Path(temporary).unlink(missing_ok=True)


def sha256_of(path):
    """sha256 of a file's bytes, hex."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
