"""The moving averages in a weight file: what its normalisations remember of the input of training,
and how far another input is from that.
"""

from typing import NamedTuple

import numpy as np

from parity.errors import CannotRun
from parity.model import INPUT_SHAPE
from parity.studies.microscope.training import divisor

FREQUENCY = "bn_0_freq"  # the first layer; one mean per time frame, whatever the name says
# Of the stored one: what does not vary at all is that far off, and not infinitely.
LEAST_VARIANCE = 1e-6
RESAMPLES = 1000
INTERVAL = (2.5, 97.5)  # percentiles: a 95 % interval
SEED = 20160618


class Averages(NamedTuple):
    """Moving averages of a normalisation, float64 (n,); spread is `running_std`."""

    mean: np.ndarray
    spread: np.ndarray


def of(weights):
    """{layer: Averages} of the normalisations that training ever updated, without padded frames.

    One in mode 2 keeps the mean 0 and the deviation 1 it began with.
    """
    found = {}
    for layer, values in weights.params.items():
        if "running_mean" in values:
            within = inside(layer, len(values["running_mean"]))
            mean, spread = (
                values[name].astype(np.float64)[within] for name in ("running_mean", "running_std")
            )
            if mean.any() or (spread != 1).any():
                found[layer] = Averages(mean, spread)
    return found


def trained(weights):
    """The same. Raises CannotRun where the first layer was never trained."""
    found = of(weights)
    if FREQUENCY not in found:
        raise CannotRun(
            f"{weights}: its {FREQUENCY} holds what it began with, so nothing of the training "
            "input or its Keras; give trained weights"
        )
    return found


def inside(layer, count):
    """The frames of `layer` that are not padding, as a slice."""
    padding = (count - INPUT_SHAPE[2]) // 2 if layer == FREQUENCY else 0
    return slice(padding, count - padding)


def nats(arriving, remembered, keras):
    """How far from a stored normal distribution each channel's values are: (n,) float64, nats a
    value.

    arriving: (mean, variance), each (n,). The Kullback-Leibler divergence of two normal
    distributions (Kullback and Leibler 1951): (v/V + (m - M)^2/V - 1 - ln(v/V))/2, V what that
    Keras divides by, squared: the cost of a value under the wrong distribution.
    """
    mean, variance = arriving
    allowed = divisor(keras, remembered.spread) ** 2
    share = np.maximum(variance / allowed, LEAST_VARIANCE)
    return (share + (mean - remembered.mean) ** 2 / allowed - 1 - np.log(share)) / 2


def score(by_layer):
    """Mean over clips and channels, then over layers, of {layer: (clips, n)} with NaN."""
    return float(np.mean([np.nanmean(values) for values in by_layer.values()]))


def resampled(by_candidate):
    """Scores of resampled clips and channels, the same draw for all candidates: {candidate:
    (RESAMPLES,)}.

    by_candidate: {candidate: {layer: (clips, n)}}. Neighbouring frames are alike, so blocks of
    about sqrt(n) of them are drawn whole (Kuensch 1989).
    """
    rng = np.random.default_rng(SEED)
    layers = next(iter(by_candidate.values()))
    stacked = {
        layer: np.stack([by[layer] for by in by_candidate.values()]) for layer in layers
    }  # (candidates, clips, n)
    total = np.zeros((RESAMPLES, len(by_candidate)))
    for draw in total:
        clips = None
        for values in stacked.values():
            clips = rng.integers(0, values.shape[1], values.shape[1]) if clips is None else clips
            draw += np.nanmean(values[:, clips][:, :, blocks(rng, values.shape[2])], axis=(1, 2))
    return dict(zip(by_candidate, (total / len(stacked)).T, strict=True))


def blocks(rng, count):
    """`count` indices below `count`, in runs of about sqrt(count), around the end."""
    length = max(1, round(count**0.5))
    starts = rng.integers(0, count, -(-count // length))
    return ((starts[:, None] + np.arange(length)).ravel() % count)[:count]


def interval(samples):
    """(low, high) of the 95 % interval of resampled values."""
    low, high = np.percentile(samples, INTERVAL)
    return float(low), float(high)
