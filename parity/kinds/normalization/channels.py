"""A batch normalisation channel by channel: gain and offset of either side, and the batch's
statistics where it uses them.

Per channel the layer is scale (x - mean) + beta. What a side's output says of its scale and mean
is read off by least squares on its distance from the float64 oracle, so nothing has to be recorded
but the output.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.normalization.formula import batch, formula, view
from parity.numerics.rounding import Array, U, blocks
from parity.port_api import Port, inside
from parity.results import Figure, Positive

GAIN_LIMIT_U = 6.0  # rounded parameters reach 2.06 u over 16 clean runs
VARIATION_LEAST = 1e-9  # a channel that varies less has no gain to read off


@dataclass
class BySide:
    """One figure a channel, null where it does not vary; drift: port - original."""

    port: list[Figure]
    original: list[Figure]
    drift: list[Figure]


Statistics = dict[str, dict[str, Figure]]  # side -> mean_u, variance_u


@dataclass
class OfBatch:
    """How far each side's batch mean and variance are from float64's: largest over the channels,
    in u; the mean in units of its channel's mean |x|, the variance of itself.

    inferred: read off the outputs; measured: the port's own, null where it does not show them.
    """

    inferred: Statistics
    measured: Statistics | None


@dataclass
class Normalised:
    """Gain and offset of port and original per channel. gain_u: relative to the oracle's scale, in
    u; offset: absolute, where x is the mean; batch: null in mode 0.
    """

    mode: Literal[0, 1, 2]
    channels: Positive
    gain_u: BySide
    offset: BySide
    worst: dict[str, Figure]
    batch: OfBatch | None


def examine(case: LayerCase, expected: Array, actual: Array, port: Port) -> Normalised:
    """Gain and offset of port and original per channel."""
    x, (scale, mean, beta, measured) = view(case), formula(case)
    fits = {
        side: fit(x, np.ascontiguousarray(values).reshape(x.shape), scale, mean, beta)
        for side, values in (("port", actual), ("original", expected))
    }
    (ours, our_offset), (theirs, their_offset) = fits.values()
    fits["drift"] = ours - theirs, our_offset - their_offset
    gain, offset = (np.nan_to_num(np.abs(part)) for part in fits["drift"])
    return Normalised(
        case.config["mode"],
        x.shape[1],
        BySide(**{side: _short(part[0] / U) for side, part in fits.items()}),
        BySide(**{side: _short(part[1]) for side, part in fits.items()}),
        {
            "gain_u": float(gain.max() / U),
            "gain_channel": int(gain.argmax()),
            "offset": float(offset.max()),
            "offset_channel": int(offset.argmax()),
            "gain_limit_u": GAIN_LIMIT_U,
        },
        _batch(case, fits, scale, port) if measured else None,
    )


def fit(x: Array, values: Array, scale: Array, mean: Array, beta: Array) -> tuple[Array, Array]:
    """(gain, offset), each (C,): values - oracle = offset + gain scale (x - mean), by least
    squares over x (before, C, after); gain is NaN where a channel does not vary.
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
    varies = determinant > VARIATION_LEAST * count * tt
    with np.errstate(divide="ignore", invalid="ignore"):
        gain = np.where(varies, (count * dt - t * d) / determinant, np.nan)
    return gain, (d - np.nan_to_num(gain) * t) / count


def _batch(
    case: LayerCase, fits: Mapping[str, tuple[Array, Array]], scale: Array, port: Port
) -> OfBatch:
    mean, variance, magnitude = batch(case)

    def off(of_mean: Array, of_variance: Array) -> dict[str, Figure]:
        return {
            "mean_u": float(np.max(np.abs(of_mean - mean) / (U * magnitude))),
            "variance_u": float(np.max(np.abs(of_variance / variance - 1)) / U),
        }

    inferred = {}
    for side in ("port", "original"):
        gain, offset = np.nan_to_num(fits[side][0]), fits[side][1]
        inferred[side] = off(mean - offset / (scale * (1 + gain)), variance / (1 + gain) ** 2)
    own = inside(port, case.layer.name, case.x)
    return OfBatch(inferred, {"port": off(own["mean"], own["variance"])} if own else None)


def _short(values: Array) -> list[float | None]:
    """As a list with four digits; None for NaN."""
    return [None if np.isnan(value) else float(f"{value:.3e}") for value in values]
