"""Ports with a fault, for the gate's --port."""

from functools import partial

import numpy as np

from parity.port import proof
from parity.ports.callables import Replaced


def swapped_gates(model, weights, keras=None):
    """The port, whose gru1 gives its units in another order."""
    port = proof.steps(model, weights, keras)
    swapped = {"gru1": lambda x: np.ascontiguousarray(port.run("gru1", x)[..., ::-1])}
    return Replaced(port, swapped)


def twice_rounded(model, weights, keras=None):
    """The port, whose elu_1 is rounded to a coarser grid: within every bound, farther than it
    was.
    """
    port = proof.steps(model, weights, keras)

    def coarse(x):
        y = port.run("elu_1", x)
        return np.where(y < 0, (y + np.float32(3)) - np.float32(3), y)

    return Replaced(port, {"elu_1": coarse})


def another_shape(model, weights, keras=None):
    """Layers that say nothing of themselves; the last one lacks a unit."""
    port = proof.steps(model, weights, keras)
    steps = {name: partial(port.run, name) for name in port.layers}
    last = port.layers[-1]
    return {**steps, last: lambda x: port.run(last, x)[:, 1:]}
