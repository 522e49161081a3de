"""Ports by name: what `--port module:function` stands for."""

import importlib
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any

from parity.errors import CannotRun
from parity.model import Case
from parity.port_api import Port
from parity.ports.callables import Callables
from parity.recording.stacks import STACKS

OURS = "parity.port.proof:steps"


def load(port: str, case: Case) -> Port:
    """The port "module:function" of a case, called as function(model, weights, keras release).

    The release is that of the case's stack; the function returns a Port, or an ordered mapping
    layer name -> callable; its module may offer `describe(model, keras)`, {layer: {setting:
    value}}, and `versions`. Raises CannotRun where it cannot be imported or refuses the weights.
    """
    module, function = _imported(port)
    model, keras = case.model.name, STACKS[case.model.stack].keras
    try:
        found = function(model, case.weights, keras)
    except (OSError, ValueError) as error:
        raise CannotRun(str(error)) from error
    if isinstance(found, Port):
        return found
    describe = getattr(module, "describe", lambda *_: None)
    return Callables(found, partial(describe, model, keras), getattr(module, "versions", None))


def _imported(port: str) -> tuple[ModuleType, Callable[..., Any]]:
    name, _, function = port.partition(":")
    try:
        module = importlib.import_module(name)
        return module, getattr(module, function)
    except (ImportError, AttributeError, ValueError) as error:
        raise CannotRun(
            f"--port {port}: {error}; give module:function, for example {OURS}"
        ) from error
