"""A batch normalisation channel by channel: gain and offset of either side, and the batch's
statistics where it uses them.

Per channel the layer is scale (x - mean) + beta. What a side's output says of its scale and mean
is read off by least squares on its distance from the float64 oracle, so nothing has to be recorded
but the output.
"""

import numpy as np

from parity.kinds import layer_case
from parity.kinds.normalization.formula import batch, formula, view
from parity.numerics.rounding import U, blocks

GAIN_LIMIT_U = (
    6.0  # rounded parameters reach 2.06 u over 16 clean runs (structure.py, numerics of m5)
)
SPREAD_LEAST = 1e-9  # a channel that hardly varies has no gain to read off


def examine(layer, params, given, expected, actual, keras, statistics=None):
    """Gain and offset of port and original per channel, as plain numbers.

    layer, params, keras: as layer_case takes them; given: the original's float32 input;
    expected, actual: the original's and the port's output of it; statistics: the port's
    callable(given) -> {"mean", "variance"}, for mode 2, or None.
    Returns {mode, channels, gain_u: {port, original, drift}, offset: {port, original, drift},
    worst, batch}. gain_u: relative to the oracle's scale, in u, null where a channel does not
    vary; offset: absolute, where x is the mean; drift: port - original; worst: {gain_u,
    gain_channel, offset, offset_channel, gain_limit_u}; batch: see `_batch`, None in mode 0.
    """
    case = layer_case(layer, params, given, keras)
    x, (scale, mean, beta, measured) = view(case), formula(case)
    port, original = (np.ascontiguousarray(a).reshape(x.shape) for a in (actual, expected))
    fits = {
        "port": fit(x, port, scale, mean, beta),
        "original": fit(x, original, scale, mean, beta),
    }
    fits["drift"] = tuple(
        ours - theirs for ours, theirs in zip(fits["port"], fits["original"], strict=True)
    )
    gain, offset = (np.nan_to_num(np.abs(part)) for part in fits["drift"])
    worst = {
        "gain_u": float(gain.max() / U),
        "gain_channel": int(gain.argmax()),
        "offset": float(offset.max()),
        "offset_channel": int(offset.argmax()),
        "gain_limit_u": GAIN_LIMIT_U,
    }
    found = {
        "mode": layer.config["mode"],
        "channels": x.shape[1],
        "gain_u": {side: _short(part[0] / U) for side, part in fits.items()},
        "offset": {side: _short(part[1]) for side, part in fits.items()},
        "worst": worst,
        "batch": None,
    }
    if measured:
        found["batch"] = _batch(fits, scale, *batch(case), statistics and statistics(given))
    return found


def fit(x, values, scale, mean, beta):
    """(gain, offset), each (C,): values - oracle = offset + gain scale (x - mean), by least
    squares over x (before, C, after).

    gain is NaN where a channel does not vary.
    """
    sums = np.zeros((4, len(scale)))  # of t = scale (x - mean), t^2, d = values - oracle, d t
    for where in blocks(x.shape):
        channel = where[1]
        t = (x[where] - mean[channel, None]) * scale[channel, None]
        d = values[where] - (t + beta[channel, None])
        for row, product in zip(sums, (t, t * t, d, d * t), strict=True):
            row[channel] += product.sum(axis=(0, 2))
    count, (t, tt, d, dt) = x.shape[0] * x.shape[2], sums
    determinant = count * tt - t * t
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(
            determinant > SPREAD_LEAST * count * tt, (count * dt - t * d) / determinant, np.nan
        )
    return gain, (d - np.nan_to_num(gain) * t) / count


def _batch(fits, scale, mean, variance, magnitude, measured):
    """How far each side's batch mean and variance are from float64's: largest over the channels,
    in u.

    The mean in units of its channel's mean |x|, the variance of itself. "inferred" is read off the
    outputs, for both sides; "measured" are the port's own float32 statistics, None where it does
    not show them.
    """
    found = {
        "inferred": {
            side: _relative(
                mean - fits[side][1] / (scale * (1 + gain)),
                variance / (1 + gain) ** 2,
                mean,
                variance,
                magnitude,
            )
            for side, gain in (
                (side, np.nan_to_num(fits[side][0])) for side in ("port", "original")
            )
        },
        "measured": None,
    }
    if measured is not None:
        found["measured"] = {
            "port": _relative(measured["mean"], measured["variance"], mean, variance, magnitude)
        }
    return found


def _relative(mean, variance, true_mean, true_variance, magnitude):
    return {
        "mean_u": float(np.max(np.abs(mean - true_mean) / (U * magnitude))),
        "variance_u": float(np.max(np.abs(variance / true_variance - 1)) / U),
    }


def _short(values):
    """As a list with four digits; None for NaN."""
    return [None if np.isnan(value) else float(f"{value:.3e}") for value in values]
