"""Writes the trace: every layer's output with what Keras says of the layer, in one HDF5 file
(format 1).

root attributes     format, layer_names (network order), provenance (JSON), digest /layers/<name>
attributes class, config (JSON), inbound (JSON), sha256 of `output`; datasets `output` and, for
Dense,
                    `pre_activation` with its own attribute sha256
Equal content gives equal bytes. parity/trace.py is the reader; the two share no code, only this
description.
"""

import hashlib
import json
import os
import tempfile
from collections import namedtuple

import h5py
import numpy as np

from reference.refused import Refused

FORMAT = 1

Layer = namedtuple("Layer", "name kind config inbound output pre_activation")


def array_sha256(array):
    """sha256, hex, over dtype, shape and raw bytes: `<f4(2, 50)` and then the elements in C
    order.
    """
    digest = hashlib.sha256(f"{array.dtype.str}{array.shape}".encode())
    digest.update(np.ascontiguousarray(array))
    return digest.hexdigest()


def trace_digest(entries, provenance):
    """sha256, hex, over provenance and ordered entries [name, class, config, inbound, sha256,
    pre_activation sha256 or None].
    """
    return hashlib.sha256(json.dumps([FORMAT, entries, provenance]).encode()).hexdigest()


def write_trace(path, layers, provenance):
    """Write `layers` (Layer tuples in network order) and `provenance` (a dict) to `path`: the
    whole file or none.

    Raises Refused where the folder is full or cannot be written.
    """
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=os.path.dirname(path) or ".", suffix=".part")
        os.close(descriptor)
        with h5py.File(temporary, "w") as file:
            _fill(file, layers, json.dumps(provenance, sort_keys=True))
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:  # h5py reports a failed flush as RuntimeError
        raise Refused(
            f"{path}: cannot be written ({' '.join(str(error).split())}); free space or "
            "use another folder"
        ) from error
    finally:
        if temporary and os.path.exists(temporary):
            os.unlink(temporary)


def _fill(file, layers, provenance):
    entries = [_add(file.create_group(f"layers/{layer.name}"), layer) for layer in layers]
    file.attrs["format"] = FORMAT
    file.attrs["layer_names"] = np.array(
        [layer.name for layer in layers], dtype=h5py.string_dtype()
    )
    file.attrs["provenance"] = provenance
    file.attrs["digest"] = trace_digest(entries, provenance)


def _add(group, layer):
    config, inbound = (
        json.dumps(layer.config, default=lambda value: value.tolist()),
        json.dumps(layer.inbound),
    )
    output_sha256 = array_sha256(layer.output)
    group.attrs.update(
        {"class": layer.kind, "config": config, "inbound": inbound, "sha256": output_sha256}
    )
    group["output"] = layer.output
    pre_sha256 = None
    if layer.pre_activation is not None:
        pre_sha256 = array_sha256(layer.pre_activation)
        group["pre_activation"] = layer.pre_activation
        group["pre_activation"].attrs["sha256"] = pre_sha256
    return [layer.name, layer.kind, config, inbound, output_sha256, pre_sha256]
