"""A bound from draws: how many are made, and what their spread is multiplied by."""

import math

from parity.numerics.rounding import FALSE_ALARM, Array, tail_factor

# With probability 1 - FALSE_ALARM no element's mean square of draws is below LEAST of its variance.
LEAST = 1 / 4


def draws_for(elements: int) -> int:
    """The fewest draws for that. The mean of N squares of a normal variable is below LEAST with
    probability (LEAST e^(1 - LEAST))^(N/2) at most (Chernoff).

    Examples
    --------
    >>> draws_for(20), draws_for(100_000)
    (53, 80)
    """
    return math.ceil(2 * math.log(elements / FALSE_ALARM) / (LEAST - 1 - math.log(LEAST)))


def bound_of(spread: Array) -> Array:
    """B = lam sigma, sigma being at most spread/sqrt(LEAST)."""
    return tail_factor(spread.size) / math.sqrt(LEAST) * spread
