"""What rounding in all layers may do to an original's own chain, sampled layer by layer."""

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from parity.attribution.propagate import Carrier
from parity.compare.verdict import Q_MOST
from parity.compare.walk import network_order
from parity.kinds import costs
from parity.kinds.api import Params
from parity.numerics.montecarlo import Samples, deviation, sample_counts
from parity.recording.trace import Trace

SAMPLED = 2**16  # elements of a layer's output that its rounding is measured on


class Sampled(NamedTuple):
    """rms: {layer: how far rounding up to there may part two float32 runs}; sd: of each logit by
    rounding, (B, N) float64; sd_error: its relative standard error.
    """

    rms: Mapping[str, float]
    sd: np.ndarray
    sd_error: np.ndarray


def sampled(
    reference: Trace,
    params: Mapping[str, Params],
    keras: str,
    scales: Mapping[str, float],
    seed: int = 0,
) -> Sampled:
    """Sample the chain of an open trace; scales: {layer: its q}, where a port's rounds more."""
    layers = [reference.layers[name] for name in network_order(reference)]
    samples, oracle = Samples(sample_counts(costs(layers, params)), seed), None
    rms: dict[str, float] = {}
    with np.errstate(all="ignore"):  # a chain with NaN or infinities is reported as broken
        for layer in layers:
            own, scale = params.get(layer.name, {}), scales.get(layer.name, 1.0)
            x, expected = (reference.read(name) for name in (layer.inbound[0], layer.name))
            carrier = Carrier(layer, own, keras, x, expected).run()
            if layer is layers[-1]:
                logits, ends = at_logits(reference, carrier, own, keras), copy.deepcopy(samples)
                ends.carry(logits)
                variances = ends.variances(moved_on(logits, oracle))
                sigma = 0.0 if logits.sigma is None else logits.sigma.astype(np.float64)
                sd, sd_error = deviation(variances, np.square(scale * np.atleast_1d(sigma)))
            oracle = carrier.carry(oracle)
            samples.carry(carrier)
            samples.disturb(carrier, oracle, scale)
            rms[layer.name] = allowed_rms(samples, oracle)
    return Sampled(rms, sd, sd_error)


def at_logits(reference: Trace, carrier: Carrier, params: Params, keras: str) -> Carrier:
    """The last layer's carrier before its activation; the given one where it has none."""
    layer = carrier.layer
    linear = layer.config.get("activation", "linear") == "linear"
    if linear or not reference.has_pre_activation(layer.name):
        return carrier
    sums = reference.read_pre_activation(layer.name)
    plain = layer._replace(config={**layer.config, "activation": "linear"})
    return Carrier(plain, params, keras, carrier.given, sums).run()


def moved_on(carrier: Carrier, before: np.ndarray | None) -> np.ndarray:
    """A deviation behind the layer, float64; it stays as it is."""
    end = carrier.carry(None if before is None else before.copy())
    return np.zeros(carrier.expected.shape) if end is None else end.astype(np.float64)


def allowed_rms(samples: Samples, oracle: np.ndarray | None) -> float:
    """How far rounding may part two float32 runs, rms over a layer's output: each may be Q_MOST of
    the expected error away from the oracle.

    oracle: the oracle's own deviation there.
    """
    total = 0.0
    for part in samples.parts.values():
        every = max(1, part[0].size // SAMPLED) | 1  # odd: no power of two that an axis may have
        centre = 0.0 if oracle is None else oracle.reshape(-1)[::every].astype(np.float64)
        strays = [sample.reshape(-1)[::every] - centre for sample in part]
        total += float(np.mean(np.square(strays)))
    return float(2 * Q_MOST * np.sqrt(total))
