"""Reads a recorded trace (HDF5, format 1), as reference/trace_file.py writes and describes it.

Nothing in a trace is believed unseen: the description is checked against its digest when the file
is opened, every array against its sha256 each time it is read.
"""

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from parity import untrusted
from parity.errors import CannotRun
from parity.naming import Names

FORMAT = 1
_RECORD_AGAIN = "clear it from the trace cache (python -m parity data clear) and record again"


class TraceError(CannotRun):
    """A trace that cannot be believed: another format, cut short, or edited."""


class Layer(NamedTuple):
    """One layer as Keras described it: `kind` is its class, `config` its get_config()."""

    name: str
    kind: str
    config: dict[str, Any]
    inbound: tuple[str, ...]  # the layers it reads
    shape: tuple[int, ...]
    dtype: np.dtype
    sha256: str
    ask: Any = None  # (inputs, draws) -> what the original answers; see parity.recording.asking


class Trace:
    """An open trace, for a `with`.

    Attributes
    ----------
    path : Path
    provenance : dict
        What ran: model, lane, versions, flags, digests.
    layers : dict
        {name: Layer} in network order, the input first.
    digest : str
        sha256, hex, of all this and of every output's own.
    """

    def __init__(self, path: str | Path, fresh: bool = False):
        self.path, self._open, self._fresh = Path(path), ExitStack(), fresh
        self._ends: dict[str, str] = {}  # of groups: whose output is theirs
        try:
            self._file = self._open.enter_context(untrusted.hdf5(self.path))
        except untrusted.Damaged as error:
            raise self._error(f"the trace {error}") from error
        except OSError as error:
            missing = error.strerror and not self.path.is_file()
            why = error.strerror if missing else "not a whole HDF5 file"
            raise self._error(f"the trace cannot be opened ({why})") from error
        try:
            self._describe()
        except (OSError, RuntimeError, KeyError, ValueError, TypeError) as error:
            self.close()
            raise self._error(f"the trace's description is damaged ({_flat(error)})") from error
        except TraceError:
            self.close()
            raise

    def __enter__(self) -> "Trace":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; arrays already read stay."""
        self._open.close()

    def read(self, name: str) -> np.ndarray:
        """The output of a layer; TraceError for an unknown layer or an edited array."""
        name = self._ends.get(name, name)
        return self._verified(name, "output", self._layer(name).sha256)

    def grouped(self, names: Names) -> "Trace":
        """The same trace, each group of fused layers as one layer of its last one's output."""
        self._ends = {name: group[-1] for name, group in names.groups.items()}
        self.layers = names.layers(self._recorded) if self._ends else self._recorded
        return self

    def has_pre_activation(self, name: str) -> bool:
        """Whether the trace holds what a layer handed to its activation."""
        return name in self._pre_sha256

    def read_pre_activation(self, name: str) -> np.ndarray:
        """What a Dense layer handed to its activation; TraceError as `read`."""
        self._layer(name)
        if name not in self._pre_sha256:
            raise TraceError(
                f"{self.path}: layer {name} has no pre_activation; only Dense layers are "
                "recorded with one"
            )
        return self._verified(name, "pre_activation", self._pre_sha256[name])

    def _layer(self, name: str) -> Layer:
        if name not in self._recorded:
            raise TraceError(
                f"{self.path}: the trace has no layer {name}; it holds {' '.join(self._recorded)}"
            )
        return self._recorded[name]

    def _describe(self) -> None:
        attrs = self._file.attrs
        if (found := attrs.get("format")) != FORMAT:
            raise self._error(f"trace format {found}, this program reads format {FORMAT}")
        names, provenance = untrusted.texts(self._file, "layer_names"), attrs["provenance"]
        missing = [name for name in names if f"layers/{name}/output" not in self._file]
        if missing:
            raise self._error(f"layer {missing[0]} is listed but not there")
        self._pre_sha256 = {
            name: self._file[f"layers/{name}/pre_activation"].attrs["sha256"]
            for name in names
            if f"layers/{name}/pre_activation" in self._file
        }
        entries = [self._entry(name) for name in names]
        written = json.dumps([FORMAT, entries, provenance])
        self.digest = hashlib.sha256(written.encode()).hexdigest()
        if self.digest != attrs["digest"]:
            raise self._error("the trace's description was changed after recording")
        self.provenance: dict[str, Any] = json.loads(provenance)
        self.layers = self._recorded = {entry[0]: self._parse(*entry) for entry in entries}

    def _entry(self, name: str) -> list[Any]:
        attrs = self._file[f"layers/{name}"].attrs
        said = (str(attrs[key]) for key in ("class", "config", "inbound", "sha256"))
        return [name, *said, self._pre_sha256.get(name)]

    def _parse(
        self, name: str, kind: str, config: str, inbound: str, sha256: str, _: str | None
    ) -> Layer:
        output = self._file[f"layers/{name}/output"]
        reads = tuple(json.loads(inbound))
        return Layer(name, kind, json.loads(config), reads, output.shape, output.dtype, sha256)

    def _verified(self, name: str, dataset: str, sha256: str) -> np.ndarray:
        try:
            array: np.ndarray = self._file[f"layers/{name}/{dataset}"][()]
        except (OSError, RuntimeError) as error:
            raise self._error(f"{name}/{dataset} cannot be read ({_flat(error)})") from error
        if not self._fresh and array_sha256(array) != sha256:
            raise self._error(f"{name}/{dataset} was changed after recording")
        return array

    def _error(self, what: str) -> TraceError:
        return TraceError(f"{self.path}: {what}; {_RECORD_AGAIN}")


def open_trace(path: str | Path, fresh: bool = False) -> Trace:
    """Open a recorded trace.

    Parameters
    ----------
    path : path-like
        An HDF5 file of format 1.
    fresh : bool
        Whether a recorder of this process wrote it a moment ago, in a folder of its own: then its
        arrays are not hashed again.

    Returns
    -------
    Trace
        Its description is verified; each array is when it is read.

    Raises
    ------
    TraceError
        Where the file is missing, cut short, of another format, or edited.

    Examples
    --------
    >>> with open_trace(path) as trace:  # doctest: +SKIP
    ...     trace.read("output").shape
    (2, 50)
    """
    return Trace(path, fresh)


def array_sha256(array: np.ndarray) -> str:
    """sha256, hex, of dtype, shape and raw bytes: `<f4(2, 50)`, then the elements in C order."""
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _flat(error: Exception) -> str:
    return " ".join(str(error).split())
