"""The four taggers, by the names of their descriptions in fixtures/networks."""

import difflib
from collections.abc import Iterable
from functools import cached_property
from typing import Any

from parity import architecture, room

MEL_SHAPE = (1, 96, 1366)  # C,F,T of one clip: 96 mel bands, 1366 frames of 256 samples at 12 kHz
GENRES, TAGS = 10, 50  # outputs


class Architecture:
    """What Keras says of a tagger, read when it is asked for."""

    def __init__(self, model: str) -> None:
        self.path = room("fixtures") / "networks" / f"{model}.json"

    @cached_property
    def said(self) -> dict[str, Any]:
        return architecture.read(self.path)

    @cached_property
    def described(self) -> architecture.Architecture:
        return architecture.parse(self.said, self.path)

    @property
    def keras(self) -> str:
        """The release of the published weights."""
        return str(self.said["keras_version"])

    @property
    def layers(self) -> dict[str, str]:
        """{name: Keras's class} in network order."""
        nodes = self.described.nodes
        return {node.name: node.kind for node in nodes if node.kind != architecture.INPUT}

    @property
    def outputs(self) -> int:
        return int(self.said["shapes"][self.described.outputs[0]][-1])

    @property
    def parameters(self) -> dict[str, dict[str, tuple[int, ...]]]:
        """{layer: {Keras's suffix: shape}}, of all layers."""
        return {
            layer: {name.removeprefix(f"{layer}_"): tuple(shape) for name, shape in held}
            for layer, held in self.said["weights"].items()
        }


MODELS = {model: Architecture(model) for model in ("CRNN", "CRNN50", "CNN0", "CNN")}


def architecture_of(model: str) -> Architecture:
    """The row of MODELS. Raises ValueError, which suggests the nearest name, for another model."""
    if model in MODELS:
        return MODELS[model]
    raise ValueError(
        f"no model is called {model!r}; did you mean {nearest(model, MODELS)}? There are "
        f"{', '.join(MODELS)}"
    )


def nearest(name: object, names: Iterable[str]) -> str:
    """The one of `names` that looks most like `name`, in whatever case."""
    by_lower = {known.lower(): known for known in names}
    return by_lower[difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0)[0]]
