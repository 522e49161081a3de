"""Silence for decoders that write to descriptor 2: libmpg123 has several lines on a damaged MP3."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr

STDERR = 2  # the descriptor


@contextmanager
def decoders_silenced() -> Iterator[None]:
    """Descriptor 2 leads nowhere; what Python writes to sys.stderr still goes where it went."""
    if sys.stderr is None:  # started without one
        yield
        return
    sys.stderr.flush()
    kept = os.dup(STDERR)
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), STDERR)
    try:
        with os.fdopen(
            kept, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False
        ) as ours:
            stream = ours if _is_descriptor_2(sys.stderr) else sys.stderr
            with redirect_stderr(stream):
                yield
    finally:
        os.dup2(kept, STDERR)
        os.close(kept)


def _is_descriptor_2(stream):
    try:
        return stream.fileno() == STDERR
    except (AttributeError, OSError, ValueError):  # a stream that is no file, as a test's may be
        return False
