"""Reads a recorded trace (HDF5, format 1; the layout is described in reference/trace_file.py,
which writes it).

Nothing in a trace is believed unseen: the description is checked against its digest when the file
is opened, every array against its sha256 each time it is read.
"""

import hashlib
import json
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

from parity.errors import CannotRun

FORMAT = 1
_RECORD_AGAIN = "clear it from the trace cache (python -m parity data clear) and record again"


class TraceError(CannotRun):
    """A trace that cannot be believed: another format, cut short, or edited."""


class Layer(NamedTuple):
    """One layer as Keras described it: class name, get_config(), names of the layers it reads, and
    its output's form.
    """

    name: str
    kind: str
    config: dict
    inbound: tuple
    shape: tuple
    dtype: np.dtype
    sha256: str


class Trace:
    """An open trace, a context manager. `provenance` : dict; `layers` : {name: Layer} in network
    order, InputLayer first.
    """

    def __init__(self, path):
        self.path = Path(path)
        try:
            self._file = h5py.File(self.path, "r")
        except OSError as error:
            why = (
                f"{error.strerror or 'not a whole HDF5 file'}"
                if not self.path.is_file()
                else "not a whole HDF5 file"
            )
            raise TraceError(
                f"{self.path}: the trace cannot be opened ({why}); {_RECORD_AGAIN}"
            ) from error
        try:
            self._describe()
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            self.close()
            raise TraceError(
                f"{self.path}: the trace's description is damaged ({_flat(error)}); {_RECORD_AGAIN}"
            ) from error
        except TraceError:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Close the file; arrays already read stay."""
        self._file.close()

    def read(self, name):
        """Output of layer `name`, its sha256 verified. Raises TraceError for an unknown layer or
        an edited array.
        """
        return self._verified(name, "output", self._layer(name).sha256)

    def read_pre_activation(self, name):
        """What layer `name` (a Dense) handed to its activation, its sha256 verified. Raises
        TraceError as `read` does.
        """
        self._layer(name)
        if name not in self._pre_sha256:
            raise TraceError(
                f"{self.path}: layer {name} has no pre_activation; only Dense layers are "
                "recorded with one"
            )
        return self._verified(name, "pre_activation", self._pre_sha256[name])

    def _layer(self, name):
        if name not in self.layers:
            raise TraceError(
                f"{self.path}: the trace has no layer {name}; it holds {' '.join(self.layers)}"
            )
        return self.layers[name]

    def _describe(self):
        found = self._file.attrs.get("format")
        if found != FORMAT:
            raise TraceError(
                f"{self.path}: trace format {found}, this program reads format {FORMAT}; "
                f"{_RECORD_AGAIN}"
            )
        names, provenance = (
            [str(name) for name in self._file.attrs["layer_names"]],
            self._file.attrs["provenance"],
        )
        missing = [name for name in names if f"layers/{name}/output" not in self._file]
        if missing:
            raise TraceError(
                f"{self.path}: layer {missing[0]} is listed but not there; {_RECORD_AGAIN}"
            )
        self._pre_sha256 = {
            name: self._file[f"layers/{name}/pre_activation"].attrs["sha256"]
            for name in names
            if f"layers/{name}/pre_activation" in self._file
        }
        entries = [self._entry(name) for name in names]
        if _digest(entries, provenance) != self._file.attrs["digest"]:
            raise TraceError(
                f"{self.path}: the trace's description was changed after recording; {_RECORD_AGAIN}"
            )
        self.provenance = json.loads(provenance)
        self.layers = {entry[0]: self._parse(entry) for entry in entries}

    def _entry(self, name):
        attrs = self._file[f"layers/{name}"].attrs
        return [
            name,
            *(str(attrs[key]) for key in ("class", "config", "inbound", "sha256")),
            self._pre_sha256.get(name),
        ]

    def _parse(self, entry):
        name, kind, config, inbound, sha256, _ = entry
        output = self._file[f"layers/{name}/output"]
        return Layer(
            name,
            kind,
            json.loads(config),
            tuple(json.loads(inbound)),
            output.shape,
            output.dtype,
            sha256,
        )

    def _verified(self, name, dataset, sha256):
        try:
            array = self._file[f"layers/{name}/{dataset}"][()]
        except (OSError, RuntimeError) as error:
            raise TraceError(
                f"{self.path}: {name}/{dataset} cannot be read ({_flat(error)}); {_RECORD_AGAIN}"
            ) from error
        if array_sha256(array) != sha256:
            raise TraceError(
                f"{self.path}: {name}/{dataset} was changed after recording; {_RECORD_AGAIN}"
            )
        return array


def open_trace(path):
    """Open the trace at `path`. Raises TraceError for one that is missing, cut short, of another
    format, or edited.
    """
    return Trace(path)


def array_sha256(array):
    """sha256, hex, over dtype, shape and raw bytes: `<f4(2, 50)` and then the elements in C
    order.
    """
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def _digest(entries, provenance):
    return hashlib.sha256(json.dumps([FORMAT, entries, provenance]).encode()).hexdigest()


def _flat(error):
    return " ".join(str(error).split())
