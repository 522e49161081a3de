"""What a port may be, beside a Port: a mapping of callables, a Chainer chain, a PyTorch module.

Neither framework is imported here: an object of one is there only where its user imported it.
"""

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, ExitStack
from operator import attrgetter
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.port_api import Port
from parity.ports.callables import Callables

__all__ = ["Network", "adapted"]

KNOWN = (
    "a mapping of layers to callables, a chainer.Chain, a torch.nn.Module, or an object as "
    "parity/port_api.py has it"
)


class Network:
    """A network of a framework as a Port: its parts by name, and itself.

    Each part is asked by itself, in the test phase and without gradients. A part that returns
    several values gives the first. Parts that nobody names are no layers: what they do shows where
    the network as a whole is not its layers in a row.

    Parameters
    ----------
    framework : Framework
    network : object
        A chain or a module.
    layers : iterable of str
        The names that its parts may have, in the order in which they run; those that it has are its
        layers.
    """

    def __init__(self, framework: "Framework", network: Any, layers: Iterable[str]) -> None:
        self.framework, self.network = framework, network
        self.parts = framework.parts(network)
        self.layers = tuple(name for name in dict.fromkeys(layers) if name in self.parts)
        self.name = framework.title
        self.versions: Mapping[str, str] = {framework.module: framework.version()}

    def run(self, layer: str, *inputs: np.ndarray) -> Any:
        return self._asked(self.parts[layer], inputs)

    def __call__(self, *inputs: np.ndarray) -> Any:
        return self._asked(self.network, inputs) if self.framework.whole(self.network) else None

    def _asked(self, part: Any, inputs: tuple[np.ndarray, ...]) -> Any:
        with self.framework.testing(self.network):
            found = part(*map(self.framework.given, inputs))
            found = found[0] if isinstance(found, (tuple, list)) else found
            return self.framework.array(found)

    def logits(self, *inputs: np.ndarray) -> None:
        return None

    def describe(self) -> None:
        return None

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> Port:
        raise CannotRun(f"{layer}: the weights of a {self.name} network are its own")


class Framework:
    """What a framework calls things. title: for messages; module: its package."""

    title = module = kind = ""

    def loaded(self) -> Any:
        """The package, where somebody imported it."""
        return sys.modules.get(self.module)

    def version(self) -> str:
        return str(self.loaded().__version__)

    def is_of(self, found: object) -> bool:
        """Whether an object is a network of this framework."""
        raise NotImplementedError

    def parts(self, network: Any) -> dict[str, Any]:
        """{name: part}, nested ones as Keras's are called: outer/inner."""
        raise NotImplementedError

    def whole(self, network: Any) -> bool:
        """Whether it can be called as a whole."""
        return True

    def testing(self, network: Any) -> AbstractContextManager[Any]:
        """The test phase, without gradients."""
        raise NotImplementedError

    def given(self, x: np.ndarray) -> Any:
        """An array as a part takes it."""
        return x

    def array(self, found: Any) -> Any:
        """What a part returned, as an array where it is one."""
        raise NotImplementedError


class Chainer(Framework):
    """chainer.Chain, and any chainer.Link."""

    title, module = "Chainer", "chainer"

    def is_of(self, found: object) -> bool:
        return isinstance(found, self.loaded().Link)

    def parts(self, network: Any) -> dict[str, Any]:
        return {name.strip("/"): link for name, link in network.namedlinks(skipself=True)}

    def whole(self, network: Any) -> bool:
        return callable(getattr(network, "forward", None))

    def testing(self, network: Any) -> ExitStack:
        chainer, stack = self.loaded(), ExitStack()
        stack.enter_context(chainer.using_config("train", False))
        stack.enter_context(chainer.no_backprop_mode())
        return stack

    def array(self, found: Any) -> Any:
        return self.loaded().as_array(found)


class Torch(Framework):
    """torch.nn.Module."""

    title, module = "PyTorch", "torch"

    def is_of(self, found: object) -> bool:
        return isinstance(found, self.loaded().nn.Module)

    def parts(self, network: Any) -> dict[str, Any]:
        """Modules, and what `forward` does beside them, by the names of torch.fx: relu, view."""
        modules = {name.replace(".", "/"): part for name, part in network.named_modules() if name}
        try:
            graph = self.loaded().fx.symbolic_trace(network.eval()).graph
        except Exception:  # it branches on values: only its modules have names
            return modules
        made = {node.name: _Step(node, network) for node in graph.nodes if node.op in STEPS}
        return {**made, **modules}

    def testing(self, network: Any) -> Any:
        network.eval()
        return self.loaded().inference_mode()

    def given(self, x: np.ndarray) -> Any:
        return self.loaded().from_numpy(x)

    def array(self, found: Any) -> Any:
        return found.numpy(force=True) if isinstance(found, self.loaded().Tensor) else found


STEPS = ("call_function", "call_method")  # torch.fx's words for what is no module


class _Step:
    """One step of a traced `forward`, on other arrays; the sizes that it reads are theirs."""

    def __init__(self, node: Any, network: Any) -> None:
        self.node, self.network = node, network
        self.reads = [each for each in node.all_input_nodes if not _is_aside(each)]

    def __call__(self, *given: Any) -> Any:
        return self._made(self.node, dict(zip(self.reads, given, strict=True)))

    def _value(self, node: Any, known: dict[Any, Any]) -> Any:
        if node.op == "get_attr":
            return attrgetter(node.target)(self.network)
        if node not in known and not _is_aside(node):
            return next(iter(known.values()))  # some array's number of samples
        return known[node] if node in known else self._made(node, known)

    def _made(self, node: Any, known: dict[Any, Any]) -> Any:
        change = sys.modules["torch.fx.node"].map_arg
        args, more = change((node.args, node.kwargs), lambda each: self._value(each, known))
        if node.op == "call_method":
            return getattr(args[0], node.target)(*args[1:], **more)
        return node.target(*args, **more)


def _is_aside(node: Any) -> bool:
    """Whether it is no layer's array: a parameter, a size, or what is reckoned of sizes."""
    if node.op != "call_function":
        return node.op == "get_attr" or node.target in ("size", "dim", "numel")
    read = node.all_input_nodes
    return node.args[1:] == ("shape",) or (bool(read) and all(map(_is_aside, read)))


FRAMEWORKS: tuple[Framework, ...] = (Chainer(), Torch())


def adapted(
    found: Any,
    layers: Iterable[str],
    describe: Callable[[], Any] = lambda: None,
    versions: Mapping[str, str] | None = None,
) -> Port:
    """A Port of what somebody gives as one.

    Parameters
    ----------
    found : object
        See KNOWN.
    layers : iterable of str
        What the original's layers are called in it, in network order.
    describe, versions
        Of a mapping, see `Callables`.

    Raises
    ------
    TypeError
        For anything else, in words.
    """
    if isinstance(found, Mapping):
        return Callables(found, describe, versions)
    framework = next((each for each in FRAMEWORKS if each.loaded() and each.is_of(found)), None)
    if framework:
        return Network(framework, found, layers)
    if isinstance(found, Port):
        return found
    raise TypeError(f"{type(found).__name__}, expected {KNOWN}")
