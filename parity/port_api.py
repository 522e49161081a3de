"""What a port is to the harness, and the one place where it is asked.

Arrays go in and arrays come out, so that a port may as well live in another process.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np

from parity.errors import CannotRun

__all__ = ["Answer", "Port", "answer", "ask", "inside", "output"]


@runtime_checkable
class Port(Protocol):
    """A network in any framework, one layer at a time and as its users call it.

    Attributes
    ----------
    name : str
        What messages call it.
    versions : Mapping[str, str]
        What it computes with, `{"chainer": "7.8.1"}`, by the names of the installed distributions.
    layers : tuple of str
        Its layers as Keras names them, in the order in which it runs them.
    """

    name: str
    versions: Mapping[str, str]
    layers: tuple[str, ...]

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        """The output of one layer, of as many inputs as the original's layer has."""
        ...

    def __call__(self, *inputs: np.ndarray) -> np.ndarray | None:
        """The scores as users of the port get them, or None where there is no such call."""
        ...

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        """The last layer's sums before its activation, of that layer's inputs, or None."""
        ...

    def describe(self) -> Mapping[str, Mapping[str, object]] | None:
        """Each layer's settings, as JSON has them, or None."""
        ...

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "Port":
        """The same port with some parameters of one layer replaced: {Keras's suffix: array}."""
        ...


class Answer(NamedTuple):
    """What a port was given and gave; `fault` says in a sentence why it gave nothing."""

    inputs: tuple[np.ndarray, ...]
    actual: np.ndarray | None
    fault: str | None = None

    @property
    def x(self) -> np.ndarray | None:
        """The only input, or the first; None where the chain was broken before."""
        return self.inputs[0] if self.inputs else None


def answer(port: Port, layer: str, *inputs: np.ndarray) -> Answer:
    """What a layer of `port` makes of `inputs`; whatever goes wrong becomes the answer's fault."""
    if layer not in port.layers:
        return Answer(inputs, None, f"the port has no layer {layer}")
    return ask(f"the port's {layer}", partial(port.run, layer), *inputs)


def output(port: Port, layer: str, *inputs: np.ndarray) -> np.ndarray:
    """The same for who cannot go on without it: the array, or CannotRun with the fault."""
    found = answer(port, layer, *inputs)
    if found.actual is None:
        raise CannotRun(found.fault)
    return found.actual


def inside(
    port: Port, layer: str, x: np.ndarray, **given: np.ndarray
) -> Mapping[str, np.ndarray] | None:
    """What a layer computes of x on the way and does not return, by name: the gates and states of
    a recurrent one, a batch's statistics. None where the port has no method `inside`, or that
    shows nothing here.
    """
    look = getattr(port, "inside", None)
    return look and look(layer, x, **given)


def ask(who: str, call: Callable[..., Any], *inputs: np.ndarray, optional: bool = False) -> Answer:
    """Call a part of a port. optional : it may return None, which is no fault."""
    try:
        actual = call(*inputs)
    except Exception as error:  # whatever a port raises is its fault, and the run goes on
        said = " ".join(str(error).split())
        return Answer(inputs, None, f"{who} raised {type(error).__name__}: {said}")
    if isinstance(actual, np.ndarray) or (optional and actual is None):
        return Answer(inputs, actual)
    return Answer(inputs, None, f"{who} returned {type(actual).__name__}, expected a NumPy array")
