"""The eps of a batch normalisation, read from its output: for each formula of 1/spread the one
that gives the gains seen.
"""

from collections.abc import Callable, Iterator

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.fitting import Proposal, Seen, estimate
from parity.kinds.normalization.formula import SPREADS, Normalized
from parity.kinds.normalization.variants import (
    EPSILONS,
    eps_in,
    spread_name,
    statistics,
    with_spread,
)
from parity.numerics.regression import Line, add_per_channel
from parity.numerics.rounding import SPREAD, WORST_TO_SIGMA, Array, U
from parity.results import Estimate

FITTED_MOST = 0.1  # an eps beyond it is none

# What eps is added to, whose float32 grid it is rounded to: by a whole unit of it for all channels
# of one binade alike.
JOINED: dict[str, Callable[[Array], Array]] = {
    "1/(s + eps)": lambda s: s,
    "1/(sqrt(s) + eps)": np.sqrt,
    "1/sqrt(s + eps)": lambda s: s,
    "1/sqrt(s^2 + eps)": np.square,
    "1/(sqrt(s + eps) + eps)": lambda s: np.minimum(s, np.sqrt(s)),
    "1/(sqrt(s^2 + eps) + eps)": lambda s: np.minimum(s, np.square(s)),
}


def _observed_scales(seen: Seen) -> tuple[Array, Array]:
    """Per channel the gain of the output over x - mean and its weight, (C,) each: a weighted
    regression with an offset.

    A weight is 1/variance: of what rounding scatters within the channel, and of the scale's own
    rounding, which is the same in all of it (three operations: see Normalized) and so does not
    average out, however many values there are.
    """
    judge, sums = seen.judge, np.zeros((5, seen.judge.view[1]))
    mean = statistics(seen.case)[0][:, None]
    for where in judge.blocks():
        block = judge.block(where)
        x, y, w = judge.x[where] - mean[where[1]], seen.values[where] - block.o, block.weights
        add_per_channel(sums, where[1], (w, w * x, w * x * x, w * y, w * x * y))
    line = Line(*sums)
    scales = judge.scale.ravel() + line.gain
    with np.errstate(divide="ignore"):
        scattered = line.w / np.where(line.fits, line.determinant, 1.0) / WORST_TO_SIGMA**2
        variance = scattered + 3 * np.square(SPREAD * U * scales)
        return scales, np.where(line.fits, 1 / variance, 0.0)


def _fit(case: LayerCase, scales: Array, weights: Array, name: str) -> tuple[float, float] | None:
    """(eps, standard error) with which that formula of 1/spread gives these scales; None where it
    gives none.

    Gauss-Newton on the channels. The standard error adds up what the channels' own rounding
    allows, or what the formula leaves over, clustered by channel, where that is more; and eps's
    rounding to the grid of what it is added to, which is the same in all channels of a binade: at a
    spread of 1 it is 2 % of an eps of 1e-6.
    """
    gamma, s, made = case.parameter("gamma"), statistics(case)[1], SPREADS[name]
    with np.errstate(all="ignore"):
        eps = min((*EPSILONS, 0.0), key=lambda e: _misfit(scales - gamma * made(s, e), weights))
        for _ in range(30):
            step = max(1e-9, 1e-4 * abs(eps))
            slope = gamma * (made(s, eps + step) - made(s, eps - step)) / (2 * step)
            left = scales - gamma * made(s, eps)
            bottom = np.sum(weights * slope**2)
            change = np.sum(weights * slope * left) / bottom
            eps += change
            if not abs(eps) < FITTED_MOST or abs(change) < 1e-9 * abs(eps):
                break
        channels = max(np.sqrt(np.sum((weights * slope * left) ** 2)) / bottom, 1 / np.sqrt(bottom))
        of_grid = _grid_error(weights * slope**2 / bottom, JOINED[name](np.abs(s)))
        error = float(np.hypot(channels, of_grid))
    return (float(eps), error) if np.isfinite(error) and abs(eps) < FITTED_MOST else None


def _grid_error(shares: Array, sizes: Array) -> float:
    """Standard deviation of an eps rounded to the grid of `sizes`, (C,), each channel having that
    share in the estimate.
    """
    binades = np.frexp(sizes)[1]
    units = {binade: 2 * U * 2.0 ** (binade - 1) for binade in np.unique(binades)}
    return np.sqrt(
        sum((shares[binades == binade].sum() * unit) ** 2 / 12 for binade, unit in units.items())
    )


def _misfit(left: Array, weights: Array) -> float:
    total = np.sum(weights * left**2)
    return total if np.isfinite(total) else np.inf


def fitted_eps(seen: Seen) -> dict[str, tuple[float, float]]:
    """{name in SPREADS: (eps, standard error)}, of the formulas that give the gains seen."""
    if not isinstance(seen.judge, Normalized):
        return {}
    scales, weights = _observed_scales(seen)
    found = {name: _fit(seen.case, scales, weights, name) for name in SPREADS}
    return {name: fit for name, fit in found.items() if fit}


def other_eps(seen: Seen) -> Iterator[Proposal]:
    """The eps, for each formula of 1/spread, that gives the gains seen."""
    for name, (eps, error) in fitted_eps(seen).items():
        if eps > 0:  # no port has another: it is a gain, or another formula
            called = spread_name(seen.case, name, float(f"{eps:.4g}"))
            read = estimate(f"eps of {name}", eps, error)
            yield Proposal(called, with_spread(name, eps)(seen.case), read)


def stated(seen: Seen, names: list[str]) -> dict[str, Estimate]:
    """{hypothesis: estimate} of those that state an eps: the one that their formula would fit."""
    stating = {name: eps for name in names if (eps := eps_in(name)) is not None}
    fits = fitted_eps(seen) if stating else {}
    return {
        called: estimate(f"eps of {name}", *fits[name])
        for called, eps in stating.items()
        for name in fits
        if spread_name(seen.case, name, eps) == called
    }
