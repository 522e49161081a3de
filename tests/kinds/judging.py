"""One layer's oracle against what real Keras computes, and what else is held to its bound."""

import numpy as np

from parity.compare.tally import Tally
from parity.compare.verdict import Q_MOST, RHO_MOST
from parity.kinds.experiment import Experiment
from parity.kinds.probing import gathered

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
    return used_of(case.witness, output)


def used_of(witness, output):
    """The same of a witness."""
    if witness.shape != output.shape:
        return np.inf, np.inf
    tally = Tally(witness, output)
    for where in witness.blocks():
        tally.add(witness.block(where))
    return (tally.rho, tally.q) if tally.finite else (np.inf, np.inf)


def experiment(value, spread):
    """The witness of a layer that the original has to explain, by its draws."""
    return Experiment(lambda inputs, draws=0: (value, spread), ())


def widths(witness, derived):
    """What a bound is of a derived one, where both let something round: (least, median, largest)."""
    own, other = gathered(witness)[1], gathered(derived)[1]
    both = (own > 0) & (other > 0)
    return np.quantile(own[both] / other[both], [0, 0.5, 1]) if both.any() else None


def holds(rho, q):
    """Whether that is rounding."""
    return rho <= RHO_MOST and q <= Q_MOST
