"""The recorded traces as a store, and the keys by which they are found."""

import os
from pathlib import Path
from typing import Any

from parity import store
from parity.errors import CannotRun
from parity.recording.trace import FORMAT, TraceError, open_trace
from parity.store import Store

DEFAULT_LIMIT_GB = 20.0


def default_folder() -> Path:
    """PARITY_CACHE, else `traces` in the user's cache folder."""
    return store.user_folder("traces", "PARITY_CACHE")


def trace_cache(folder: Path | None = None) -> Store:
    """The store of traces, by default in `default_folder`."""
    return Store(
        folder or default_folder(),
        ".h5",
        name="trace cache",
        advice="free space, choose another folder with PARITY_CACHE, or lower "
        "PARITY_CACHE_LIMIT_GB",
        limit_bytes=limit_bytes,
    )


def limit_bytes() -> int:
    """PARITY_CACHE_LIMIT_GB (10^9 bytes), 20 by default."""
    return int(positive("PARITY_CACHE_LIMIT_GB", DEFAULT_LIMIT_GB, "gigabytes") * 1e9)


def positive(variable: str, default: float, unit: str) -> float:
    """The number in an environment variable; CannotRun unless it is positive."""
    text = os.environ.get(variable) or str(default)
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not value > 0:
        raise CannotRun(f"{variable} is {text!r}; give a positive number of {unit}")
    return value


def key_of(ingredients: Any) -> str:
    """The key of a trace: sha256 of the trace format and of all that can change a number in it."""
    return store.key_of(FORMAT, ingredients)


def label_of(path: Path) -> str:
    """What a trace is of: model, lane, Keras version and number of clips."""
    try:
        with open_trace(path) as trace:
            found = trace.provenance
    except TraceError:
        return "unreadable"
    return f"{found['model']} {found['lane']} (Keras {found['keras']}, {found['batch_size']} clips)"
