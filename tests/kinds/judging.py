"""One layer's oracle against what real Keras computes, and what else is held to its bound."""

import numpy as np

from parity.compare.tally import Tally
from parity.compare.verdict import Q_MOST, RHO_MOST

AGREEMENT = 1e-12  # of the tensor's largest magnitude: float64 against float64


def gap(case, expected):
    """How far the oracle is from Keras in float64, of the largest magnitude; inf for a shape that
    differs.
    """
    value = case.value()
    if value.shape != expected.shape:
        return np.inf
    largest = np.abs(expected).max()
    return float(np.abs(value - expected).max() / (largest or 1))


def used(case, output):
    """(rho, q): the largest share of its bound that a float32 output uses, inf where it may not."""
    if case.witness.shape != output.shape:
        return np.inf, np.inf
    tally = Tally(case.witness, output)
    for where in case.witness.blocks():
        tally.add(case.witness.block(where))
    return (tally.rho, tally.q) if tally.finite else (np.inf, np.inf)


def holds(rho, q):
    """Whether that is rounding."""
    return rho <= RHO_MOST and q <= Q_MOST
