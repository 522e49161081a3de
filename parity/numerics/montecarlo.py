"""How far float32 rounding in all layers together may carry each logit: Monte-Carlo arithmetic on
the oracle.

After every layer a random error of that layer's sigma is added, up or down at random as in CESTAC
(Parker 1997, Monte Carlo Arithmetic), and the oracle carries it to the end. To first order the
variances that single layers cause add up, so each
part of the network is sampled by itself: few times where a sample is dear and hardly counts, often
where it is cheap. The last layer's own variance is its sigma squared and needs no sample.
"""

from typing import Any

import numpy as np

from parity.numerics.rounding import BLOCK, Array

SIGN = np.uint32(1 << 31)  # of a float32
BUDGET = 2e9  # multiply-adds to spend on one part of the network
FEWEST, MOST = 2, 32  # samples of one part


def sample_counts(costs: dict[str, float]) -> dict[str, int]:
    """{layer: samples of the part of the network it is in}, a power of two which grows towards the
    end.

    costs: {layer: multiply-adds that carrying one deviation through it takes}, in network order.
    """
    each = np.array(list(costs.values()), np.float64)
    # of carrying a deviation from behind each layer to the end
    ahead = np.append(np.cumsum(each[::-1])[::-1][1:], 1.0)
    powers = np.floor(np.log2(np.maximum(BUDGET / ahead, 1)))
    return {
        layer: int(np.clip(2**power, FEWEST, MOST))
        for layer, power in zip(costs, powers, strict=True)
    }


class Samples:
    """Noisy continuations of the oracle's own chain, carried beside it layer by layer."""

    def __init__(self, counts: dict[str, int], seed: int = 0) -> None:
        self.counts, self.random = counts, np.random.SFC64(seed)
        self.parts: dict[int, list[Array]] = {}  # samples of a part -> its deviations, float32

    def carry(self, carrier: Any) -> None:
        """Carry all samples through one layer."""
        self.parts = {
            count: [carrier.carry(sample) for sample in part] for count, part in self.parts.items()
        }

    def disturb(self, carrier: Any, oracle: Array | None, scale: float = 1.0) -> None:
        """After `carry`: add the layer's noise to the samples of its part.

        oracle: the oracle's own deviation there; scale: factor on the layer's sigma, for a layer
        that rounds more.
        """
        if carrier.sigma is None:
            return
        count = self.counts[carrier.layer.name]
        if count not in self.parts:
            self.parts[count] = [
                np.zeros_like(carrier.sigma) if oracle is None else oracle.copy()
                for _ in range(count)
            ]
        for sample in self.parts[count]:
            self._disturb(sample.reshape(-1), carrier.sigma.reshape(-1), np.float32(scale))

    def _disturb(self, sample: Array, sigma: Array, scale: Any) -> None:
        """Add scale*sigma to the sample in place, up or down at random."""
        for start in range(0, sigma.size, BLOCK):
            part = sigma[start : start + BLOCK]
            bits = self.random.random_raw(-(-part.size // 2)).view(np.uint32)[: part.size]
            bits &= SIGN
            bits ^= part.view(np.uint32)
            noise = bits.view(np.float32)
            if scale != 1:
                noise *= scale
            sample[start : start + BLOCK] += noise

    def variances(self, oracle: Array) -> list[tuple[int, Array]]:
        """[(samples, their variance around the oracle's end (B, N))] of every part; oracle: the
        oracle's own deviation there.
        """
        ends = {count: np.stack(part).astype(np.float64) for count, part in self.parts.items()}
        return [(count, np.square(end - oracle).mean(axis=0)) for count, end in ends.items()]


def deviation(variances: list[tuple[int, Array]], last: Array) -> tuple[Array, Array]:
    """Standard deviation of each logit by rounding, and the relative standard error of that
    estimate, both (B, N).

    variances: of Samples, last: the last layer's own variance. A variance from n samples errs by
    sqrt(2/n) of itself.
    """
    total = last + sum(variance for _, variance in variances)
    error = np.sqrt(sum(2 / count * np.square(variance) for count, variance in variances))
    return np.sqrt(total), error / (2 * total)
