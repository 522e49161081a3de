"""Ports with a fault, for the gate's --port."""

import numpy as np

from parity.port import proof
from parity.port.proof import describe

__all__ = ["describe", "swapped_gates", "twice_rounded"]


def swapped_gates(model, weights, keras=None):
    """The port, whose gru1 gives its units in another order."""
    steps = proof.steps(model, weights, keras)
    right = steps["gru1"]
    return {**steps, "gru1": lambda x: np.ascontiguousarray(right(x)[..., ::-1])}


def twice_rounded(model, weights, keras=None):
    """The port, whose elu_1 is rounded to a coarser grid: within every bound, farther than it
    was.
    """
    steps = proof.steps(model, weights, keras)
    right = steps["elu_1"]

    def coarse(x):
        y = right(x)
        return np.where(y < 0, (y + np.float32(3)) - np.float32(3), y)

    return {**steps, "elu_1": coarse}
