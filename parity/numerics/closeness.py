"""Which of two implementations is closer to the oracle, in bits, and whether that is more than
chance.

The oracle is that of the ORIGINAL's formula: a port with a formula nearer to the mathematics is no
closer here for it.
"""

import numpy as np

from parity.numerics.rounding import Array
from parity.results import Closeness, Side

RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval
LEAST_BITS = 0.25  # a smaller advantage is of no use to anyone


def closeness(port2: Array, reference2: Array, seed: int = 0) -> Closeness:
    """How many bits closer to the oracle the port is than the original: log2 of the ratio of their
    rms errors; +-inf where one side has no error.

    port2, reference2: (C,) sums over a channel of (port - o)^2 and (original - o)^2, channels of
    equal size. Whole channels are resampled for the interval, as errors within one are correlated.
    """
    port2, reference2 = (np.asarray(sums, np.float64).ravel() for sums in (port2, reference2))
    drawn = np.random.default_rng(seed).integers(0, len(port2), (RESAMPLES, len(port2)))
    resampled = np.sort(_bits(port2[drawn].sum(axis=1), reference2[drawn].sum(axis=1)))
    # no interpolation: inf - inf is NaN
    low, high = (float(resampled[round(at / 100 * (RESAMPLES - 1))]) for at in INTERVAL)
    bits = float(_bits(port2.sum(), reference2.sum()))
    return Closeness(bits, [low, high], _closer(bits, low, high))


def _bits(port2: Array, reference2: Array) -> Array:
    """0.5 log2(reference2/port2); 0 where both are 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        bits = 0.5 * np.log2(np.divide(reference2, port2))
    return np.where((port2 == 0) & (reference2 == 0), 0.0, bits)


def _closer(bits: float, low: float, high: float) -> Side:
    if not abs(bits) > LEAST_BITS or low <= 0 <= high:
        return "equal"
    return "port" if bits > 0 else "reference"
