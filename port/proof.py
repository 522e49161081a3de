"""The port as the harness asks it: arrays in, arrays out, one layer at a time or all of them."""

import copy
from collections.abc import Callable, Mapping
from importlib.metadata import version

import chainer
import numpy as np

from parity.port.describe import describe as settings_of
from parity.port.files import FilePath
from parity.port.models import Tagger, load
from parity.port.weights import keras_arrays

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

    name, versions = "Chainer", VERSIONS

    def __init__(self, tagger: Tagger):
        self.tagger, self.layers = tagger, tagger.layer_names

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.tagger[layer])(*inputs)

    def __call__(self, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.tagger)(*inputs)

    def logits(self, *inputs: np.ndarray) -> np.ndarray:
        return in_test_phase(self.tagger[self.layers[-1]].logits)(*inputs)

    def describe(self) -> dict[str, dict[str, object]]:
        return settings_of(self.tagger)

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "ChainerPort":
        tagger = copy.deepcopy(self.tagger)
        for suffix, array in changes.items():
            keras_arrays(tagger)[f"{layer}/{layer}_{suffix}"][...] = array
        return ChainerPort(tagger)


def in_test_phase(step: Callable) -> Callable[..., np.ndarray]:
    """`step`, a callable on Variables, as a callable on arrays."""

    def call(*inputs):
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return chainer.as_array(step(*inputs))

    return call
