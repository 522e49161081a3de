"""An original in memory, for examples and tests: what a recorded trace gives, without Keras."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from parity.kinds import value
from parity.kinds.moving import INPUT
from parity.model import Case, Model, Weights
from parity.recording.trace import Layer

__all__ = ["InMemory", "formulas", "stand_in"]

Row = tuple[str, str, dict[str, Any]]
Params = Mapping[str, Mapping[str, np.ndarray]]


class InMemory:
    """A chain of layers that is run once, as `recording.trace.Trace` gives a recorded one.

    Parameters
    ----------
    x : np.ndarray
        The batch, in the dtype of the lane that this stands for.
    rows : iterable of (name, Keras class, configuration)
        The layers in network order.
    steps : mapping
        {name: callable(array) -> array}; the last may have `logits`, as a port's.
    keras : str
        The release whose formulas they are.
    """

    def __init__(
        self,
        x: np.ndarray,
        rows: Iterable[Row],
        steps: Mapping[str, Callable[..., Any]],
        keras: str,
    ) -> None:
        self.provenance, before = {"keras": keras}, "input"
        self.outputs = {before: x}
        self.layers = {before: Layer(before, INPUT.keras_class, {}, (), x.shape, x.dtype, "")}
        for name, kind, config, *_ in rows:
            y = self.outputs[name] = steps[name](self.outputs[before])
            self.layers[name] = Layer(name, kind, config, (before,), y.shape, y.dtype, "")
            before = name
        (last,) = self.layers[before].inbound
        logits = getattr(steps[before], "logits", None)
        self.sums = logits and logits(self.outputs[last])

    def read(self, name: str) -> np.ndarray:
        return self.outputs[name]

    def has_pre_activation(self, name: str) -> bool:
        return self.sums is not None

    def read_pre_activation(self, name: str) -> np.ndarray | None:
        return self.sums


def formulas(
    rows: Iterable[Row], params: Params, keras: str, dtype: str = "float32"
) -> dict[str, Callable[..., Any]]:
    """{name: callable}: each layer by its float64 formula, its output rounded once to dtype."""

    def step(name: str, kind: str, config: dict[str, Any]) -> Any:
        def run(x: np.ndarray, **changes: Any) -> Any:
            layer = Layer(name, kind, {**config, **changes}, (), (), np.dtype(dtype), "")
            return value(layer, params.get(name, {}), x, keras).astype(dtype)

        setattr(run, "logits", lambda x: run(x, activation="linear"))  # noqa: B010
        return run

    return {name: step(name, kind, config) for name, kind, config in rows}


def stand_in(
    rows: Iterable[Row], params: Params, x: np.ndarray, *, keras: str, tags: Iterable[str]
) -> tuple[Case, dict[str, InMemory]]:
    """A case and its three lanes, as `compare.case.compare` takes them.

    Parameters
    ----------
    rows : iterable of (name, Keras class, configuration)
        The layers in network order.
    params : mapping
        {layer: {Keras's suffix: float32 array}}.
    x : np.ndarray
        The batch, float32.
    keras : str
        The release whose formulas they are.
    tags : iterable of str
        What the outputs stand for.

    Returns
    -------
    Case, dict
        The lanes are `reference`, `truth` (in float64) and `noise`, here the reference again.
    """
    rows, weights = tuple(rows), Weights(Path("in memory"))
    vars(weights)["params"] = params  # as if they had been read
    lanes = {
        lane: InMemory(x.astype(dtype), rows, formulas(rows, params, keras, dtype), keras)
        for lane, dtype in (("reference", "float32"), ("truth", "float64"), ("noise", "float32"))
    }
    model = Model("stand-in", keras, "", tuple(name for name, _, _ in rows), tuple(tags))
    return Case(model, weights, (), "seeded"), lanes
