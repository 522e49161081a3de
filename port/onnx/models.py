"""ONNX models of files: a tagger's weights, or any Keras 1 model with its own."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from parity import architecture
from parity.files import sha256_of
from parity.fixtures.tags import OF_COUNT
from parity.port.architectures import MODELS
from parity.port.from_keras import arrays_of
from parity.port.network import Network
from parity.port.onnx.export import exported
from parity.port.weights import keras_arrays, load

__all__ = ["of_keras", "of_tagger"]

FROZEN = ("mean", "variance")  # of a batch normalisation of mode 2


def of_tagger(
    model: str,
    weights: Path,
    keras: str | None = None,
    said: Mapping[str, Any] | None = None,
    prepare: Callable[[Network], Mapping[str, Any]] = lambda network: {},
) -> onnx.ModelProto:
    """The tagger `model` with the parameters of `weights`, as `parity.port.weights.load` reads
    them. prepare : gets the network before, may freeze the batch's statistics of CNN0, and returns
    what else the file is to say.
    """
    network = load(model, weights, keras)
    more = prepare(network)
    arrays: dict[str, dict[str, np.ndarray]] = {}
    for name, array in keras_arrays(network).items():
        layer, suffix = name.split("/")
        arrays.setdefault(layer, {})[suffix.removeprefix(f"{layer}_")] = array
    for name, link in network.steps().items():
        if frozen := getattr(link, "frozen", None):
            arrays[name] |= zip(FROZEN, (each.array for each in frozen), strict=True)
    path = MODELS[model].path
    described = architecture.parse(architecture.read(path), path)
    for node in described.nodes:
        if eps := getattr(network.steps().get(node.name), "eps", None):
            node.config["epsilon"] = eps  # the release's own
    of = {
        "model": model,
        "tags": OF_COUNT[len(arrays[described.outputs[0]]["b"])],
        "keras_from": network.keras_from,
        "release": network.release,
        **_source(weights),
        **more,
    }
    return exported(described, arrays, network.keras, {**of, **(said or {})})


def of_keras(
    model: Path, weights: Path, keras: str, said: Mapping[str, Any] | None = None
) -> onnx.ModelProto:
    """The model that the file `model` describes, with the arrays of the file `weights`."""
    described = architecture.parse(architecture.read(model), model)
    of = {"model": model.stem, "architecture_sha256": sha256_of(model), **_source(weights)}
    return exported(described, arrays_of(weights, described), keras, {**of, **(said or {})})


def _source(weights: Path) -> dict[str, str]:
    return {"weights": weights.name, "weights_sha256": sha256_of(weights)}
