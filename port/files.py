"""Whole files or none: what is written under a temporary name first."""

import os
import tempfile
from pathlib import Path

from port.sentences import shown


class CannotWrite(ValueError):
    """A file that cannot be written: one sentence."""


def write_atomically(path, data):
    """Write bytes or str (utf-8) to `path`, so that readers see the old file or the new one. Raises CannotWrite."""
    path, temporary = Path(path), None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name[:80], suffix=".part")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data.encode("utf-8", "surrogateescape") if isinstance(data, str) else data)
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise CannotWrite(f"{shown(path)} cannot be written ({error.strerror}); free space or choose another folder") from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)
