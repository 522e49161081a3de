"""Ports from callables: an ordered mapping of them, or another port with some layers replaced."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.port_api import Port


class Callables:
    """Steps layer name -> callable(*arrays) -> array as a Port.

    The last step may have an attribute `logits`, a callable of the same inputs that stops before
    the activation. There is no call of the whole, so nothing is claimed of one.
    """

    name = "callables"

    def __init__(
        self,
        steps: Mapping[str, Callable[..., Any]],
        describe: Callable[[], Mapping[str, Mapping[str, object]] | None] = lambda: None,
        versions: Mapping[str, str] | None = None,
    ):
        self.steps, self.layers, self.describe = steps, tuple(steps), describe
        self.versions = versions or {}

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        found: np.ndarray = self.steps[layer](*inputs)
        return found

    def __call__(self, *inputs: np.ndarray) -> None:
        return None

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        last = getattr(self.steps[self.layers[-1]], "logits", None) if self.layers else None
        return last and last(*inputs)

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "Callables":
        raise CannotRun(f"{layer}: the weights of a mapping of callables cannot be changed")


class Replaced:
    """`port` with other callables, {layer: callable(*arrays) -> array}, in the place of its own.

    Nobody calls it as a whole, and a last layer that is replaced gives no logits.
    """

    def __init__(self, port: Port, steps: Mapping[str, Callable[..., Any]]):
        self.port, self.steps = port, steps
        self.name, self.versions, self.layers = port.name, port.versions, port.layers

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        own = self.steps.get(layer)
        return own(*inputs) if own else self.port.run(layer, *inputs)

    def __call__(self, *inputs: np.ndarray) -> None:
        return None

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        return None if self.layers[-1] in self.steps else self.port.logits(*inputs)

    def describe(self) -> Mapping[str, Mapping[str, object]] | None:
        return self.port.describe()

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "Replaced":
        return Replaced(self.port.with_weights(layer, changes), self.steps)
