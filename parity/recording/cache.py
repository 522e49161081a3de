"""The recorded traces as a store, and the keys by which they are found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from parity import store
from parity.recording.trace import FORMAT, TraceError, open_trace
from parity.settings import setting
from parity.store import Store


def default_folder() -> Path:
    """A folder of our own in PARITY_CACHE, else in the user's cache folder."""
    return store.own_folder("PARITY_CACHE") / "traces"


def limit_bytes() -> int:
    """PARITY_CACHE_LIMIT_GB (10^9 bytes)."""
    return int(setting("PARITY_CACHE_LIMIT_GB") * 1e9)


def trace_cache(folder: Path | None = None, limit_bytes: Callable[[], int] = limit_bytes) -> Store:
    """The store of traces, by default in `default_folder`."""
    return Store(
        folder or default_folder(),
        ".h5",
        name="trace cache",
        advice="free space, choose another folder with PARITY_CACHE, or lower "
        "PARITY_CACHE_LIMIT_GB",
        limit_bytes=limit_bytes,
    )


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
