"""A port in a process of its own: it gets inputs only, and gives whole answers or none.

The process has no file of the harness's open, no expected array, and its own stdout and stderr;
what comes over its channel is believed only as the answer to the question that was asked last.
"""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from parity import processes
from parity.errors import CannotRun
from parity.naming import Names
from parity.port_api import HABITS, Ended, Question, Raised, is_array
from parity.ports.wire import Channel, Damaged, new_memory
from parity.settings import setting

if TYPE_CHECKING:
    from parity.ports.command import Command
    from parity.ports.here import Here

TIMEOUT = "PARITY_PORT_TIMEOUT_S"
LOOK_S = 0.2  # between two looks at a process that does not answer
BOOT = (
    "import json, sys; keep, paths = json.loads(sys.argv[1]); sys.path[:] = keep * sys.path + paths"
    "; from parity.ports.child import serve; serve(*map(int, sys.argv[2:]))"
)


class Process:
    """The running process, asked one question at a time. It ends with its last user.

    python : of another environment, where not of this one.
    """

    def __init__(self, who: str, python: Path | None = None) -> None:
        self.who, self.timeout_s = who, setting(TIMEOUT)
        self.forgotten: list[int] = []  # ports that nobody asks any more
        self.over: Ended | None = None
        self._dead = False
        line, theirs = socket.socketpair()
        line.settimeout(LOOK_S)
        to, fro = new_memory(), new_memory()
        given = (theirs.fileno(), fro, to)
        command = [str(python or sys.executable), "-u", "-X", "faulthandler", "-c", BOOT]
        # another environment's own packages come first: there may be some beside the harness's
        paths = [str(Path(__file__).parents[2])] if python else [*map(str, sys.path)]
        self.process = processes.start(
            [*command, json.dumps([python is not None, paths]), *map(str, given)],
            pass_fds=given,
            env={key: text for key, text in os.environ.items() if not key.startswith("PARITY_")},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        theirs.close()
        self.channel = Channel(line, to, fro)
        assert self.process.stdout
        self.printed = processes.Printed(self.process.stdout)
        self.close = weakref.finalize(self, _end, self.process, line, to, fro)

    def ask(self, doing: str, asked: str, **arguments: Any) -> Any:
        """The answer to a question. doing: what the port does meanwhile, as `while ...` says it.

        Raises Raised for what the port says or raises instead, Ended where it gives no answer.
        """
        if self.over:
            raise self.over
        token, until = secrets.token_hex(8), time.monotonic() + self.timeout_s

        def look() -> None:
            if self._dead:  # since before the last look: nothing is under way any more
                raise EOFError
            self._dead = self.process.poll() is not None
            if time.monotonic() > until:
                raise TimeoutError

        forgotten, self.forgotten = self.forgotten, []
        try:
            self.channel.send(token, [asked, forgotten, arguments])
            found, said = self.channel.receive(look)
            if found != token:
                raise Damaged("another answer than the one that is due")
            (how, what), *_ = said.items()
        except TimeoutError:
            longer = f"give it longer with --port-timeout SECONDS, or {TIMEOUT}"
            self._ends(f"did not answer within {self.timeout_s:g} s", doing, longer)
        except (EOFError, OSError):
            self._ends(self._how(), doing)
        except (Damaged, AttributeError, ValueError) as error:
            self._ends(f"wrote into the harness's own channel ({error})", doing)
        if how == "leaves":
            self._ends(what, doing)
        if how != "gives":
            raise Raised(what, how == "refuses", f"{self.who}: while {doing}, it")
        return what

    def damaged(self, doing: str) -> NoReturn:
        """Say that an answer has not the form that it must have."""
        self._ends("gave a damaged answer", doing)

    def said(self) -> str:
        """What the port printed, as the end of a message, once the process has said all."""
        self.close()
        return self.printed.said(LOOK_S)

    def _ends(
        self, what: str, doing: str, advice: str = "a port answers, and leaves its process alone"
    ) -> NoReturn:
        text = f"{self.who}: the port {what} while {doing}, so nothing is proved; {advice}"
        self.over = Ended(text + self.said())
        raise self.over

    def _how(self) -> str:
        """How the process ended."""
        try:
            code = self.process.wait(LOOK_S)
        except subprocess.TimeoutExpired:
            return "closed the harness's own channel"
        if code < 0:
            return f"was killed by {signal.Signals(-code).name}"
        return f"ended its process (exit code {code})"


def _end(process: "subprocess.Popen[bytes]", line: socket.socket, *memories: int) -> None:
    """Kill the process and all it started, and let go of what was shared with it."""
    processes.stop(process)
    line.close()
    for memory in memories:
        os.close(memory)


class Elsewhere:
    """A Port whose every call runs in its Process; anew: the same one in another process.

    code : the digest of its source, where it is Python; own : the layers as the port calls them;
    names : what the original calls them.
    """

    def __init__(
        self,
        process: "Process | Command | Here",
        said: Mapping[str, Any],
        anew: "Callable[[], Elsewhere] | None" = None,
        names: Names | None = None,
    ) -> None:
        self.process, self.anew = process, anew
        self.number, self.name = int(said["number"]), str(said["name"])
        self.versions: Mapping[str, str] = {
            str(key): str(text) for key, text in said["versions"].items()
        }
        self.code = str(said["code"]) if said.get("code") else None
        self.layers = tuple(map(str, said["layers"]))
        self.own, self.names = frozenset(self.layers), names or Names()
        self.lacks: Mapping[str, str] = said.get("lacks", {})

    def with_calls(self, nodes: Iterable[str]) -> None:
        """Let every call of a layer that it has be one of its layers, by the original's name."""
        called = {node: self._called(node) for node in nodes}
        known = {name for several in called.values() for name in several}
        have = (node for node, several in called.items() if self.own.issuperset(several))
        self.layers = (*have, *(name for name in self.layers if name not in known))

    def _called(self, node: str) -> list[str]:
        """What the port calls a layer's call: some have each under its name, most have none."""
        return self.names.of(node, self.own)

    def prepare(self, questions: Iterable[Question]) -> None:
        """See port_api.prepare."""
        process: Any = self.process
        if not hasattr(process, "prepare"):
            return
        rows: list[Any] = [(self._called(layer), inputs) for layer, inputs in questions]
        while rows:
            process.prepare([(of[0], inputs) for of, inputs in rows])
            given = [(of[1:], process.known(of[0], x)) for of, x in rows if len(of) > 1]
            rows = [(of, [y]) for of, y in given if y is not None]

    def __del__(self) -> None:
        self.process.forgotten.append(self.number)

    def watched(self, layer: str, *inputs: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """The output of one layer, and the port's habits, keys of HABITS."""
        shown: list[str] = []
        for name in self._called(layer):
            doing = f"its {name} was asked"
            match self._ask(doing, "run", layer=name, inputs=inputs):
                case [actual, list(habits)] if is_array(actual) and HABITS.keys() >= set(habits):
                    inputs, shown = (actual,), [*shown, *habits]
                case _:
                    self.process.damaged(doing)
        return inputs[0], list(dict.fromkeys(shown))

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        return self.watched(layer, *inputs)[0]

    def __call__(self, *inputs: np.ndarray) -> np.ndarray | None:
        return self._ask("it was called as a whole", "call", inputs=inputs)

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        return self._ask("its logits were asked", "logits", inputs=inputs)

    def inside(self, layer: str, x: np.ndarray, **given: np.ndarray) -> Any:
        doing = f"its {layer} was looked into"
        (name, *more) = self._called(layer)
        return None if more else self._ask(doing, "inside", layer=name, x=x, given=given)

    def fast(self, *inputs: np.ndarray) -> dict[str, np.ndarray] | None:
        """What it computes once its runtime has fused layers, at those that are left; None where
        its runtime fuses none.
        """
        doing = "it ran with its layers fused"
        found = self._ask(doing, "fast", inputs=inputs)
        if found is None or (isinstance(found, dict) and all(map(is_array, found.values()))):
            return found
        self.process.damaged(doing)

    def describe(self) -> Mapping[str, Mapping[str, object]] | None:
        doing = "it described itself"
        try:
            found = self._ask(doing, "describe")
        except Raised as error:
            raise CannotRun(f"{error}{self.process.said()}") from error
        if found is None or isinstance(found, dict):
            return found
        self.process.damaged(doing)

    @contextmanager
    def threads(self, count: int) -> Iterator[None]:
        """Let its process use so many BLAS threads meanwhile."""
        doing = "it was given another number of threads"
        self._ask(doing, "threads", count=count)
        try:
            yield
        finally:
            self._ask(doing, "threads", count=0)

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "Elsewhere":
        doing, name = f"it was given other weights for {layer}", self._called(layer)[0]
        said = self._ask(doing, "with_weights", layer=name, changes=changes)
        return Elsewhere(self.process, said, names=self.names)

    def _ask(self, doing: str, asked: str, **arguments: Any) -> Any:
        return self.process.ask(doing, asked, port=self.number, **arguments)
