"""Whole files or none: atomic writes, and the sha256 that names their content."""

import hashlib
import os
import tempfile
from pathlib import Path

from parity.errors import CannotRun


def atomic_write(path: str | Path, data: bytes | str) -> None:
    """Write `data` (str as UTF-8) so that readers see the old file or the new one, never a part."""
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data.encode() if isinstance(data, str) else data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
        ) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def sha256_of(path: str | Path) -> str:
    """sha256 of a file's bytes, hex."""
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
