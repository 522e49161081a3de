"""A port of the siamese network whose last layer is a little off."""

from parity.port.from_keras import steps


def off(model, weights, keras):
    found = steps(model, weights, keras)
    run = found.run
    found.run = lambda layer, *inputs: run(layer, *inputs) * (1.001 if layer == "same" else 1)
    return found
