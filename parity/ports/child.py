"""What runs in a port's own process: imports the port, and answers what the harness asks of it.

Foreign code is called here and nowhere else. Whatever it does to this process, the harness takes
nothing for an answer but a whole one.
"""

import contextlib
import importlib
import os
import socket
import traceback
import weakref
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from parity.port_api import inside, is_array, raised, returned, watch
from parity.ports import ONNX
from parity.ports.adapters import adapted
from parity.ports.callables import Callables
from parity.ports.wire import Channel
from parity.source import code_of

LINES = 12  # of a traceback: the last ones
# whose lines are left out of it
LEFT_OUT = (__file__, watch.__code__.co_filename, Callables.run.__code__.co_filename,
            importlib.__file__, "<frozen importlib")  # fmt: skip


ONNX_FILE = ("parity.ports.onnx_file", "", "opened")
LACKING = (
    "this environment has no {}, which runs ONNX files; use .tox/onnx/bin/python, which "
    "`make rescue` builds, or install requirements/onnx.txt"
)


class Refused(Exception):
    """The port cannot be had or gives nothing, in words that need no traceback."""


class Served:
    """One port, and others made of it with other weights, by number."""

    def __init__(self) -> None:
        self.ports: list[Any] = []
        self.owners: dict[tuple[int, str], Callable[[], Any]] = {}
        self.module: Any = None
        self.make: Any = None
        self.shown: set[str] = set()
        self.limits: Any = None

    def open(self, name: str) -> None:
        """Import the port "module:function", or what runs the ONNX file that is named."""
        module, _, function = ONNX_FILE if name.endswith(ONNX) else name.partition(":")
        try:
            self.module = importlib.import_module(module)
        except (ImportError, ValueError) as error:
            missing = getattr(error, "name", None) or module
            if name.endswith(ONNX) and missing in ("onnx", "onnxruntime"):
                raise Refused(LACKING.format(missing)) from error
            if f"{module}.".startswith(f"{missing}."):  # no fault in the module: there is none
                raise Refused(str(error)) from error
            raise
        self.make = getattr(self.module, function, None)
        if not callable(self.make):
            raise Refused(f"module {module!r} has no function {function!r}")
        if name.endswith(ONNX):
            self.make = partial(self.make, name)

    def start(self, model: str, weights: str, keras: str, layers: list[str]) -> Any:
        """Call its function, and make a Port of what it returns."""
        more = {"layers": layers} if isinstance(self.make, partial) else {}
        found = self.make(model, Path(weights), keras, **more)
        describe = getattr(self.module, "describe", lambda *_: None)
        versions = getattr(self.module, "versions", None)
        try:
            return self._known(adapted(found, layers, partial(describe, model, keras), versions))
        except TypeError as error:
            said = f"{self.make.__module__}:{self.make.__name__} returned"
            raise Refused(f"{said} {error}") from error

    def _known(self, port: Any) -> dict[str, Any]:
        self.ports.append(port)
        versions = {"numpy": version("numpy"), **port.versions}
        source = getattr(self.module, "__file__", None)
        code = code_of(Path(source)) if source else None
        said: dict[str, Any] = {"name": str(port.name), "versions": versions, "code": code}
        said["lacks"] = {str(name): str(why) for name, why in getattr(port, "lacks", {}).items()}
        return {"number": len(self.ports) - 1, "layers": list(port.layers), **said}

    def run(self, port: int, layer: str, inputs: list[np.ndarray]) -> Any:
        """[the answer, the habits]."""
        actual, habits = watch(self.ports[port].run, layer, *inputs)
        if not is_array(actual):
            raise Refused(returned(actual))
        owner = actual
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        before = self.owners.get((port, layer), lambda: None)()
        if before is not None and np.may_share_memory(before, owner):
            habits.append("same-buffer")
        self.owners[port, layer] = weakref.ref(owner)  # alive next time only if the port keeps it
        return [actual, habits]

    def call(self, port: int, inputs: list[np.ndarray]) -> Any:
        return self.ports[port](*inputs)

    def logits(self, port: int, inputs: list[np.ndarray]) -> Any:
        return self.ports[port].logits(*inputs)

    def fast(self, port: int, inputs: list[np.ndarray]) -> Any:
        return getattr(self.ports[port], "fast", lambda *_: None)(*inputs)

    def inside(self, port: int, layer: str, x: np.ndarray, given: Any) -> Any:
        return inside(self.ports[port], layer, x, **given)

    def describe(self, port: int) -> Any:
        return self.ports[port].describe()

    def threads(self, port: int, count: int) -> None:
        """Let BLAS use so many threads, or, with 0, as many as before."""
        from threadpoolctl import threadpool_limits

        if hasattr(self.ports[port], "use_threads"):  # of a runtime with threads of its own
            self.ports[port].use_threads(count)
        if self.limits:
            self.limits.restore_original_limits()
        self.limits = threadpool_limits(count) if count else None

    def with_weights(self, port: int, layer: str, changes: Any) -> Any:
        return self._known(self.ports[port].with_weights(layer, changes))

    def answer(self, asked: str, arguments: dict[str, Any]) -> dict[str, Any]:
        """{"gives"}, or {"refuses"} or {"raises"} in words, or {"leaves"}, for what ends a
        program.
        """
        try:
            return {"gives": getattr(self, asked)(**arguments)}
        except Refused as why:
            return {"refuses": str(why)}
        except BaseException as error:
            if _package(type(error).__module__) == _package(getattr(self.module, "__name__", None)):
                return {"refuses": raised(error).partition(": ")[2]}  # in the port's own words
            self._show(error)
            return {"raises" if isinstance(error, Exception) else "leaves": raised(error)}

    def _show(self, error: BaseException) -> None:
        """Print the port's own traceback, once."""
        frames = error.__traceback__
        while frames and frames.tb_frame.f_code.co_filename.startswith(LEFT_OUT):
            frames = frames.tb_next
        lines = "".join(traceback.format_exception(type(error), error, frames)).splitlines()
        story = "\n".join(lines[-LINES:])
        if story not in self.shown:
            self.shown.add(story)
            os.write(2, f"{story}\n".encode(errors="replace"))


def _package(module: str | None) -> str:
    return (module or "").partition(".")[0]


def serve(line: int, own: int, theirs: int) -> None:
    """Answer on the socket `line` until it closes."""
    channel, served, me = Channel(socket.socket(fileno=line), own, theirs), Served(), os.getpid()
    with contextlib.suppress(EOFError):
        while True:
            token, (asked, forgotten, arguments) = channel.receive()
            for number in forgotten:
                served.ports[number] = None
            said = served.answer(asked, arguments)
            if os.getpid() != me:  # the port forked, and this is the copy
                os._exit(0)
            try:
                channel.send(token, said)
            except TypeError as error:
                channel.send(token, {"refuses": f"returned {error}"})
