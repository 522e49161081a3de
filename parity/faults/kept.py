"""What an interrupted run of the faults already knew: one JSON file beside its output, keyed by
all a record depends on.
"""

import hashlib
import json
from importlib.metadata import version
from pathlib import Path

from parity.files import atomic_write, sha256_of
from parity.recording.trace import open_trace

PROJECT = Path(__file__).parents[2]
SOURCES = ("parity", "port", "tagger")


class Kept:
    """Records by key, in the file `path`; one that cannot be read is an empty one, for all in it
    can be had again.
    """

    def __init__(self, path):
        self.path = Path(path)
        try:
            self._records = dict(json.loads(self.path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            self._records = {}

    def find(self, key):
        """The record kept under `key`, or None."""
        return self._records.get(key)

    def add(self, key, record):
        """Keep a record, at once and on disk. Raises CannotRun where the folder cannot be
        written.
        """
        self._records[key] = record
        atomic_write(self.path, json.dumps(self._records))

    def forget(self, keys=None):
        """A run is whole: what it kept under `keys` is needed no more; None: a run of everything,
        which leaves nothing to go on with.
        """
        self._records = (
            {}
            if keys is None
            else {key: record for key, record in self._records.items() if key not in keys}
        )
        if self._records:
            atomic_write(self.path, json.dumps(self._records))
        else:
            self.path.unlink(missing_ok=True)


def code_digest():
    """sha256, hex, of everything that makes a record but the data: the harness, the port and what
    they compute with.
    """
    files = sorted(path for folder in SOURCES for path in (PROJECT / folder).rglob("*.py"))
    parts = [
        *(sha256_of(path) for path in files),
        *(version(name) for name in ("numpy", "chainer")),
    ]
    return hashlib.sha256("".join(parts).encode()).hexdigest()


def trace_digest(path):
    """sha256, hex, of what a trace says of itself: its provenance (weights, input, stack) and
    every layer's digest.
    """
    with open_trace(path) as trace:
        said = [trace.provenance, {name: layer.sha256 for name, layer in trace.layers.items()}]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def key_of(fault, code, trace):
    """The key of one fault's record."""
    return hashlib.sha256("\n".join((fault.id, code, trace)).encode()).hexdigest()
