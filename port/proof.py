"""The port as the harness asks it: arrays in, arrays out, one layer at a time or all of them."""

import copy
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import chainer
import numpy as np

from parity.port.describe import describe as settings_of
from parity.port.inside import inside
from parity.port.network import Network
from parity.port.weights import FilePath, keras_arrays, load

__all__ = ["ChainerPort", "steps"]

VERSIONS = {"chainer": version("chainer")}


def steps(model: str, weights: FilePath, keras: str | None = None) -> "ChainerPort":
    """The tagger `model` with the parameters of `weights`, by the formulas of the Keras release
    `keras`.

    Raises ValueError for an unknown model or release, parity.port.weights.WeightsError for weights
    that do not fit.
    """
    return ChainerPort(load(model, weights, keras))


class ChainerPort:
    """A tagger's layers on arrays, in the test phase and without gradients.

    What a layer is given it does not modify; what it returns may share memory with that (reshape,
    dropout).
    """

    name = "Chainer"
    versions: Mapping[str, str] = VERSIONS

    def __init__(self, network: Network):
        self.network, self.layers = network, network.layer_names

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.network[layer])(*inputs)

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.network)(*inputs)

    def logits(self, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.network[self.layers[-1]].logits)(*inputs)

    def describe(self) -> dict[str, dict[str, object]]:
        return settings_of(self.network)

    def inside(
        self, layer: str, x: np.ndarray, before: np.ndarray | None = None
    ) -> dict[str, np.ndarray] | None:
        """What the layer computes on the way; see parity.port.inside."""
        with chainer.no_backprop_mode():
            return inside(self.network[layer], x, before)

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "ChainerPort":
        network = copy.deepcopy(self.network)
        for suffix, array in changes.items():
            keras_arrays(network)[f"{layer}/{layer}_{suffix}"][...] = array
        return ChainerPort(network)


def in_test_phase(step: Callable) -> Callable[..., np.ndarray]:
    """`step`, a callable on Variables, as a callable on arrays."""

    def call(*inputs: np.ndarray) -> Any:
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return chainer.as_array(step(*inputs))

    return call
