"""The port as the harness asks it: arrays in, arrays out, one layer at a time or all of them."""

import copy
from collections.abc import Mapping

import chainer
import numpy as np

from parity.port.from_keras import KerasPort, in_test_phase
from parity.port.inside import inside
from parity.port.network import Network
from parity.port.weights import FilePath, keras_arrays, load

__all__ = ["ChainerPort", "in_test_phase", "steps"]


def steps(model: str, weights: FilePath, keras: str | None = None) -> "ChainerPort":
    """The tagger `model` with the parameters of `weights`, by the formulas of the Keras release
    `keras`.

    Raises ValueError for an unknown model or release, parity.port.weights.WeightsError for weights
    that do not fit.
    """
    return ChainerPort(load(model, weights, keras))


class ChainerPort(KerasPort):
    """A tagger's layers on arrays, in the test phase and without gradients.

    What a layer is given it does not modify; what it returns may share memory with that (reshape,
    dropout).
    """

    def __init__(self, network: Network):
        super().__init__(network)
        self.network = network

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
