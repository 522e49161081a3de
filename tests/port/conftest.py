"""Seeded stand-ins for the port's tests."""

import numpy as np
import pytest
from keras_files import draw, write_keras_file

from parity.port.network import Network
from parity.port.weights import keras_arrays


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture(scope="session")
def keras_weights():
    """model -> ordered dict "layer/dataset" -> array: a seeded set of weights in Keras's layout."""

    def make(model):
        rng, network = np.random.default_rng(11), Network(model)
        unmoved = {name for name, link in network.steps().items() if getattr(link, "mode", 0) == 2}
        return {
            name: array
            if name.split("/")[0] in unmoved and "running" in name
            else draw(name, array.shape, rng)
            for name, array in keras_arrays(network).items()
        }

    return make


@pytest.fixture(scope="session")
def keras_file(tmp_path_factory, keras_weights):
    """model -> path of a seeded Keras weight file."""
    folder = tmp_path_factory.mktemp("weights")
    return lambda model: write_keras_file(folder / f"{model}.h5", model, keras_weights(model))
