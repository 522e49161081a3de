"""Ports by name: what `--port module:function` stands for."""

from functools import partial
from importlib import util
from typing import TYPE_CHECKING, Any

from parity.errors import CannotRun
from parity.naming import nearest, parts
from parity.port_api import Raised

if TYPE_CHECKING:
    from pathlib import Path

    from parity.model import Case
    from parity.ports.command import Command
    from parity.ports.here import Here
    from parity.ports.process import Elsewhere, Process

OURS = "parity.port.proof:steps"  # of the taggers
PREFIX = "command: "  # of a port that is a command
ONNX = ".onnx"  # ends the path of a port that is an ONNX file
BUILT = "parity.port.from_keras:steps"  # of any other model


def opened(port: str) -> "Process | Command":
    """The process of the port "module:function", with its module imported; CannotRun where that
    cannot be.
    """
    from parity.ports.process import Process  # here: the port's own process imports this package

    if port.startswith(PREFIX):
        from parity.ports.command import Command

        return Command(port.removeprefix(PREFIX), ())
    who = f"--port {port}"
    process = Process(who, _elsewhere(port))
    try:
        process.ask("it was imported", "open", name=port)
    except Raised as error:
        if error.refused:
            advice = "" if port.endswith(ONNX) else f"; give module:function, for example {OURS}"
            raise CannotRun(f"{who}: {error.said}{advice}") from error
        raise CannotRun(f"{error}{process.said()}") from error
    return process


def _elsewhere(port: str) -> "Path | None":
    """Where this Python has no Chainer, as a newer one cannot have: the Python of an environment
    that has it, for our own ports.
    """
    if port not in (OURS, BUILT) or util.find_spec("chainer"):
        return None
    from parity.recording.environments import built

    return built("chainer")


def of_case(port: Any, case: "Case") -> Any:
    """The port that is meant: one that was asked for, the project's, or the one that is built."""
    if port != OURS:
        return port
    return case.model.port or BUILT


def load(port: Any, case: "Case", process: "Process | Command | Here | None" = None) -> "Elsewhere":
    """The port of a case, running in a process of its own until nobody holds it any more.

    Parameters
    ----------
    port : str or object
        "module:function", the path of an ONNX file, or PREFIX and a command (see ports.command). A
        function is called as function(model, path of the weights, keras release), the release being
        that of the case's stack. It returns what `adapters.adapted` takes; where that is an ordered
        mapping of layer names to callables, its module may offer `describe(model, keras)`, {layer:
        {setting: value}}, and `versions`. For an original that somebody gave, `model` is the path
        of its architecture. Anything but text is such an object itself, which stays here.
    case : Case
        What it is to compute, and what the port calls its layers.
    process : Process, optional
        Of this port, opened already: to ask many cases who they are, it need not start anew.

    Returns
    -------
    Elsewhere
        A Port. Whatever its process does but answer, a call of it raises CannotRun.

    Raises
    ------
    CannotRun
        Where it cannot be imported, refuses the weights, or lacks layers that it is said to have.

    Examples
    --------
    >>> load("mypackage.mymodule:steps", case).layers  # doctest: +SKIP
    ('conv1', 'bn1', 'output')
    """
    from parity.ports.process import Elsewhere
    from parity.recording.stacks import STACKS

    model, port = case.model.name, of_case(port, case)
    named = [name for layer in case.model.layers for name in case.names.of(layer)]
    layers = list(dict.fromkeys(named))
    if not isinstance(port, str):
        from parity.ports.here import Here

        process = Here(port)
    elif port.startswith(PREFIX):
        from parity.ports.command import Command

        process = Command(port.removeprefix(PREFIX), layers)
    elif process is None or process.who != f"--port {port}":
        process = opened(port)
    asked = {
        "model": case.model.asked,
        "weights": str(case.weights),
        "keras": STACKS[case.model.stack].keras,
        "layers": layers,
    }
    try:
        said = process.ask(f"it was called for {model}", "start", **asked)
    except Raised as error:
        why = error.said if error.refused else f"{error}{process.said()}"
        raise CannotRun(why) from error
    anew = partial(load, port, case) if isinstance(port, str) else None
    found = Elsewhere(process, said, anew, case.names)
    for name, own in (*case.names.own, *case.names.fused):
        for part in parts(own):
            nearest(f"layer of the port for {name}", part, found.own, f"{case.names.where}: ")
    if case.model.asked_by or case.names.where:
        found.with_calls(case.model.layers)
    if not found.layers:
        raise CannotRun(f"{process.who}: it has no layers of {model}, so nothing can be proved")
    return found
