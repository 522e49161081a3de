"""Ports of which one layer is a little off."""

import numpy as np

from parity.port.from_keras import steps
from tests.originals import numpy_layers


def off(model, weights, keras):
    """Of the siamese network, the last."""
    found = steps(model, weights, keras)
    run = found.run
    found.run = lambda layer, *inputs: run(layer, *inputs) * (1.001 if layer == "same" else 1)
    return found


def without_a_carry(model, weights, keras):
    """A port of a network that only Keras itself explains; its Highway's gate is a little off."""
    layers = numpy_layers.LAYERS

    def highway(config, p, x):
        return layers["Highway"](config, {**p, "b_carry": p["b_carry"] + np.float32(2**-9)}, x)

    return numpy_layers.steps(model, weights, keras, {**layers, "Highway": highway})
