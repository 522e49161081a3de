"""Which network this is: every tensor, layer, setting and version as data, found without running a
layer.

What a step computes is not here: a source hash would fail on a renamed variable, and a run's
figures say more.
"""

import ast
import hashlib
import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from parity import room
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import Case
from parity.ports import load
from parity.recording.cache import default_folder
from parity.recording.stacks import LANES, STACKS, Stack
from parity.recording.trace import Trace, array_sha256
from parity.store import Store, key_of

DEFINITION = room("reference") / "models.py"


def identity(case: Case, trace: Trace | None = None, port: str | None = None) -> dict[str, Any]:
    """All that makes `case` the case it is, as JSON has it.

    trace : an open reference trace, which says what the original's layers are; None where none is
    at hand, and then `original` is None and `definition`, a digest of the original's source
    without comments and layout, stands in for it.
    port : "module:function" as `parity run` takes it, or None. Where the port does not describe
    itself only its layers' names are known. Raises CannotRun for unreadable weights or a port that
    cannot be imported.
    """
    said = described(port, case) if port else {"layers": None, "versions": {}}
    return {
        "weights": {"sha256": case.weights.sha256, "tensors": _tensors(case.weights.params)},
        "batch": [sha256_of(clip) for clip in case.clips],
        "declared": list(case.model.layers),
        "original": trace and _original(trace),
        "definition": definition(DEFINITION.read_text(encoding="utf-8")),
        "port": said["layers"],
        "stack": {
            "original": _stack(STACKS[case.model.stack]),
            "harness": {"numpy": version("numpy"), **said["versions"]},
        },
    }


def _tensors(params: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, list[Any]]:
    """{layer/suffix: [dtype, shape, sha256 over dtype, shape and bytes]} in the file's order."""
    return {
        f"{layer}/{suffix}": [str(array.dtype), list(array.shape), array_sha256(array)]
        for layer, arrays in params.items()
        for suffix, array in arrays.items()
    }


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


def definition(source: str) -> str:
    """sha256, hex, of a Python source as the parser sees it, docstrings left out."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()


def described(port: str, case: Case) -> dict[str, Any]:
    """{layers: [{name, settings or None}] in order, versions} of a port.

    Importing a port takes seconds, so the answer is kept beside the trace cache under a digest of
    everything it depends on, as long as the versions that it names are the installed ones.
    """
    key = _port_key(port, case.model.name, STACKS[case.model.stack].keras)
    try:
        kept = Store(default_folder().parent / "ports", ".json")
    except CannotRun:  # a cache that cannot be written only costs time
        return _describe(port, case)
    found: dict[str, Any] | None = kept.load(key)
    if found is None or found["versions"] != {name: _version(name) for name in found["versions"]}:
        found = _describe(port, case)
        with suppress(CannotRun):
            kept.write(key, json.dumps(found))
    return found


def _version(name: str) -> str | None:
    with suppress(PackageNotFoundError):
        return version(name)
    return None


def _port_key(port: str, model: str, keras: str) -> str:
    module = port.partition(":")[0]
    top = module.rpartition(".")[0] or module  # its package, with what it is likely to import
    try:
        spec = importlib.util.find_spec(top)
    except (ImportError, ValueError):
        spec = None
    folders = (spec and spec.submodule_search_locations) or []
    files = sorted(path for folder in folders for path in Path(folder).rglob("*.py"))
    if spec and spec.origin and not files:
        files = [Path(spec.origin)]
    return key_of(port, model, keras, [sha256_of(path) for path in files], sha256_of(__file__))


def _describe(port: str, case: Case) -> dict[str, Any]:
    asked = load(port, case)
    try:
        settings = asked.describe() or dict.fromkeys(asked.layers)
    except ValueError as error:
        raise CannotRun(f"--port {port}: {error}") from error
    layers = [{"name": name, "settings": values} for name, values in settings.items()]
    said = {"layers": layers, "versions": dict(asked.versions)}
    plain: dict[str, Any] = json.loads(json.dumps(said))  # as the gate's baselines hold it
    return plain
