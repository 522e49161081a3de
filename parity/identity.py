"""Which network this is: every tensor, layer, setting and version as data, found without running a
layer.

What a step computes is told by figures. The digest of a port's code, `code`, fails nothing: it
would do so at a renamed variable. The gate mentions that it changed.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.files import sha256_of
from parity.model import Case
from parity.port_api import Port
from parity.recording.stacks import LANES, STACKS, Stack
from parity.recording.trace import Trace, array_sha256


def identity(case: Case, trace: Trace | None = None, port: Port | None = None) -> dict[str, Any]:
    """All that makes `case` the case it is, as JSON has it.

    trace : an open reference trace, which says what the original's layers are; None where none is
    at hand, and then `original` is None and `definition`, a digest of what Keras says of it, stands
    in for it.
    port : asked now what its settings are; where it does not say, only its layers' names are
    known. Raises CannotRun for unreadable weights, or a port that cannot describe itself.
    """
    found = {
        "weights": {"sha256": case.weights.sha256, "tensors": _tensors(case.weights.params)},
        "batch": [sha256_of(clip) for clip in case.clips],
        "declared": list(case.model.layers),
        "original": trace and _original(trace),
        "definition": _definition(case),
        "port": None,
        "code": None,
        "stack": {
            "original": _stack(STACKS[case.model.stack]),
            "harness": {},
        },
    }
    return asked(found, port) if port else found


def asked(found: dict[str, Any], port: Port) -> dict[str, Any]:
    """An identity with what the port says of itself."""
    stack = found["stack"]
    harness = {**stack["harness"], **port.versions}
    said = {"port": _described(port), "code": getattr(port, "code", None)}
    return {**found, **said, "stack": {**stack, "harness": harness}}


def _definition(case: Case) -> str:
    architecture = case.model.definition and case.model.definition.architecture
    return sha256_of(architecture) if architecture else ""


def _tensors(params: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, list[Any]]:
    """{layer/suffix: [dtype, shape, sha256 over dtype, shape and bytes]} in the file's order."""
    return {
        f"{layer}/{suffix}": [str(array.dtype), list(array.shape), array_sha256(array)]
        for layer, arrays in params.items()
        for suffix, array in arrays.items()
    }


def _described(port: Port) -> list[dict[str, Any]]:
    """A port's layers in order: {name, settings}, settings None where it does not say."""
    settings = port.describe() or dict.fromkeys(port.layers)
    layers = [{"name": name, "settings": values} for name, values in settings.items()]
    plain: list[dict[str, Any]] = json.loads(json.dumps(layers))  # as the gate's baselines hold it
    return plain


def _original(trace: Trace) -> list[dict[str, Any]]:
    """What Keras said of its layers: one row each, the configuration as a digest."""
    return [
        {
            "name": layer.name,
            "kind": layer.kind,
            "shape": list(layer.shape),
            "dtype": str(layer.dtype),
            "config": digest(layer.config)[:16],
            "inbound": list(layer.inbound),
        }
        for layer in trace.layers.values()
    ]


def _stack(stack: Stack) -> dict[str, Any]:
    lane = LANES["reference"]
    return {
        **stack.packages,
        "python": stack.python,
        "optimizer": lane.optimizer,
        "floatX": lane.floatx,
    }


def digest(value: Any) -> str:
    """sha256, hex, of a JSON value, whatever its keys' order."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
