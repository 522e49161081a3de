"""A port of any Keras 1 model, built from what Keras says of it and from its weight file.

>>> port = steps("lenet.json", "lenet.h5", "1.1.0")  # doctest: +SKIP
>>> port.run("conv1", x).shape  # doctest: +SKIP
(2, 6, 28, 28)
"""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import chainer
import h5py
import numpy as np

from parity import architecture, untrusted
from parity.architecture import INPUT, Architecture, layer_of, placed, wrapped
from parity.errors import CannotRun
from parity.port.describe import settings
from parity.port.links.flow import flow
from parity.port.links.keras import MAKERS, unknown
from parity.port.types import Array, Maker

GIVE_ONE = "give a port of your own with --port or --port-command to have it proved"

THOSE = "give those that save_weights of Keras 1 wrote of this model"
BY_ORDER = (
    "the file calls arrays param_0 and so on, and only Keras knows which is which: load it with "
    "model.load_weights, which goes by order, and save it anew with model.save_weights"
)

VERSIONS = {"chainer": version("chainer")}

__all__ = ["KerasModel", "KerasPort", "steps"]

Arrays = Mapping[str, Mapping[str, np.ndarray]]  # layer -> Keras's suffix -> array


class KerasModel(chainer.Chain):
    """The layers of a Keras model as links, called in its own graph.

    Parameters
    ----------
    described : Architecture
    arrays : mapping
        {layer: {Keras's suffix: array in Keras's layout}}.
    keras : str
        The release whose formulas to use.
    makers : mapping
        {Keras's class: what makes a link of its settings and arrays}.

    Attributes
    ----------
    lacks : dict
        {layer: why none is built of it}; then the model cannot be called as a whole.

    Raises
    ------
    CannotRun
        For a layer whose arrays do not fit, and where none can be built.
    """

    def __init__(
        self,
        described: Architecture,
        arrays: Arrays,
        keras: str,
        makers: Mapping[str, Maker] = MAKERS,
    ) -> None:
        super().__init__()
        self.described, self.arrays, self.keras = described, arrays, keras
        self.names: tuple[str, ...] = ()
        self.lacks: dict[str, str] = {}
        for node in described.nodes:
            name = layer_of(node.name)
            if node.kind == INPUT or name in self.names:
                continue
            if missing := unknown(node.kind, node.config):
                self.lacks[name] = f"no Chainer link is known for {missing}; {GIVE_ONE}"
                continue
            link = _link(name, node.kind, node.config, arrays, keras, makers)
            self.add_link(name.replace("/", " "), link)
            self.names += (name,)
        if not self.names:
            name, why = next(iter(self.lacks.items()))
            raise CannotRun(f"layer {name}: {why}")

    def step(self, name: str) -> chainer.Link:
        """The link of a layer."""
        return self[name.replace("/", " ")]

    def steps(self) -> dict[str, chainer.Link]:
        """Layer name -> link, in network order."""
        return {name: self.step(name) for name in self.names}

    def forward(self, *inputs: Array) -> Any:
        """The model's output, or a tuple of several. Raises CannotRun where a layer is lacking."""
        for name, why in self.lacks.items():
            raise CannotRun(f"layer {name}: {why}")
        outputs = flow(self.described, self.step, inputs)
        return outputs if len(outputs) > 1 else outputs[0]


def _link(
    name: str, kind: str, config: Any, arrays: Arrays, keras: str, makers: Mapping[str, Maker]
) -> chainer.Link:
    try:
        return makers[kind](config, arrays.get(name, {}), keras)
    except KeyError as error:
        held = ", ".join(arrays.get(name, {})) or "nothing"
        advice = BY_ORDER if any("param_0" in each for each in arrays.values()) else THOSE
        raise CannotRun(
            f"layer {name} ({kind}): the weights hold no {error} for it, but {held}; {advice}"
        ) from error


class KerasPort:
    """A KerasModel as the harness asks it: arrays in, arrays out, in the test phase."""

    name = "Chainer"
    versions: Mapping[str, str] = VERSIONS

    def __init__(self, model: KerasModel) -> None:
        self.model, self.layers, self.lacks = model, model.names, model.lacks

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.model.step(layer_of(layer)))(*inputs)

    def __call__(self, *inputs: np.ndarray) -> np.ndarray | None:
        if self.lacks or len(self.model.described.outputs) > 1:
            return None
        return in_test_phase(self.model)(*inputs)

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        last = self.model.step(self.layers[-1])
        return in_test_phase(last.logits)(*inputs) if hasattr(last, "logits") else None

    def describe(self) -> dict[str, dict[str, object]]:
        return {name: settings(link) for name, link in self.model.steps().items()}

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "KerasPort":
        own = self.model
        arrays = {**own.arrays, layer: {**own.arrays[layer], **changes}}
        return KerasPort(KerasModel(own.described, arrays, own.keras))


def in_test_phase(step: Callable) -> Callable[..., np.ndarray]:
    """`step`, a callable on Variables, as a callable on arrays."""

    def call(*inputs: np.ndarray) -> Any:
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return chainer.as_array(step(*inputs))

    return call


def steps(model: str, weights: str, keras: str) -> KerasPort:
    """The port of the model that the file `model` describes (model.to_json(), or model.save), with
    the arrays of the file `weights`, by the formulas of the Keras release `keras`.

    Raises parity.errors.CannotRun.
    """
    described = architecture.parse(architecture.read(Path(model)), model)
    return KerasPort(KerasModel(described, arrays_of(Path(weights), described), keras))


def arrays_of(path: Path, described: Architecture) -> Arrays:
    """{layer: {Keras's suffix: array}} of a weight file. Raises CannotRun."""
    with untrusted.hdf5(path) as file:
        root = file.get("model_weights", file)
        names = {
            layer: untrusted.texts(root[layer], "weight_names")
            for layer in untrusted.texts(root, "layer_names")
        }
        found: dict[str, dict[str, np.ndarray]] = {}
        nodes = [node.name for node in described.nodes]
        around = wrapped(described.nodes)
        for (group, dataset), (layer, suffix) in placed(names, nodes, around).items():
            array = root[group][dataset]
            if not isinstance(array, h5py.Dataset) or array.dtype != np.float32:
                raise CannotRun(f"{path}: {group}/{dataset} is no float32 array; save it anew")
            found.setdefault(layer, {})[suffix] = array[()]
    return found
