"""The eps of a batch normalisation, read from its output: for each formula of 1/spread the one
that gives the gains seen.
"""

import numpy as np

from parity.diagnose.normalization import statistics
from parity.diagnose.spreads import EPSILONS, SPREADS
from parity.numerics.rounding import SPREAD, WORST_TO_SIGMA, U

FITTED_MOST = 0.1  # an eps beyond it is none

# What eps is added to, whose float32 grid it is rounded to: by a whole unit of it for all channels
# of one binade alike.
JOINED = {
    "1/(s + eps)": lambda s: s,
    "1/(sqrt(s) + eps)": np.sqrt,
    "1/sqrt(s + eps)": lambda s: s,
    "1/sqrt(s^2 + eps)": np.square,
    "1/(sqrt(s + eps) + eps)": lambda s: np.minimum(s, np.sqrt(s)),
    "1/(sqrt(s^2 + eps) + eps)": lambda s: np.minimum(s, np.square(s)),
}


def observed_scales(subject, actual):
    """Per channel the gain of `actual` over x - mean and its weight, (C,) each: a weighted
    regression with an offset.

    A weight is 1/variance: of what rounding scatters within the channel, and of the scale's own
    rounding, which is one and the
    same in all of it (three operations: bounds.Normalized) and so does not average out, however
    many values there are.
    """
    judge, sums = subject.witness, np.zeros((5, subject.view.shape[1]))
    values, mean = np.ascontiguousarray(actual).reshape(judge.view), statistics(subject)[0][:, None]
    for where in judge.blocks():
        block = judge.block(where)
        x, y = subject.view[where] - mean[where[1]], values[where] - block.o
        w = block.weights
        for row, term in zip(sums, (w, w * x, w * x * x, w * y, w * x * y), strict=True):
            row[where[1]] += np.einsum("acp->c", term)
    w, wx, wxx, wy, wxy = sums
    determinant = w * wxx - wx * wx
    fits = determinant > 1e-9 * w * wxx
    gain = np.where(fits, (w * wxy - wx * wy) / np.where(fits, determinant, 1.0), 0.0)
    scales = judge.scale.ravel() + gain
    with np.errstate(divide="ignore"):
        variance = w / np.where(fits, determinant, 1.0) / WORST_TO_SIGMA**2 + 3 * np.square(
            SPREAD * U * scales
        )
        return scales, np.where(fits, 1 / variance, 0.0)


def fit_eps(subject, scales, weights, name):
    """(eps, standard error) with which that formula of 1/spread gives these scales; None where it
    gives none.

    Gauss-Newton on the channels. The standard error adds up what the channels' own rounding
    allows, or what the formula leaves over, clustered by channel, where that is more; and eps's
    rounding to the grid of what it is added to, which is the same in
    all channels of a binade: at a spread of 1 it is 2 % of an eps of 1e-6.
    """
    gamma, s, made = subject.parameter("gamma"), statistics(subject)[1], SPREADS[name]
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
        error = float(
            np.hypot(channels, _grid_error(weights * slope**2 / bottom, JOINED[name](np.abs(s))))
        )
    return (float(eps), error) if np.isfinite(error) and abs(eps) < FITTED_MOST else None


def _grid_error(shares, sizes):
    """Standard deviation of an eps rounded to the grid of `sizes`, (C,), each channel having that
    share in the estimate.
    """
    binades = np.frexp(sizes)[1]
    units = {binade: 2 * U * 2.0 ** (binade - 1) for binade in np.unique(binades)}
    return np.sqrt(
        sum((shares[binades == binade].sum() * unit) ** 2 / 12 for binade, unit in units.items())
    )


def _misfit(left, weights):
    total = np.sum(weights * left**2)
    return total if np.isfinite(total) else np.inf


def fitted_eps(subject, actual, names=None):
    """{spread name: (eps, standard error)} for formulas of 1/spread."""
    scales, weights = observed_scales(subject, actual)
    found = {name: fit_eps(subject, scales, weights, name) for name in names or SPREADS}
    return {name: fit for name, fit in found.items() if fit}
