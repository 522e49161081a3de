"""What `running_std` holds in trained weights, deviations or variances, told from the weights."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from parity.port.network import Network

# Keras up to 1.0.6 keeps a deviation, later ones a variance: a release of each.
RELEASE_OF = {"std": "1.0.6", "variance": "1.1.0"}
MOST = 0.9  # of the channels: a few may hold what their training hardly used
_NORMAL = np.linspace(-4, 4, 201)
_WEIGHT = np.exp(-(_NORMAL**2) / 2) / np.exp(-(_NORMAL**2) / 2).sum()


def kept(network: Network) -> str | None:
    """What the network's `running_std` holds, told by its size.

    A trained normalisation passes on values of mean beta and deviation gamma. The convolution of
    their ELU is a sum of terms of known deviations. Its own deviation lies between that of terms
    that know nothing of each other and that of terms all in step: no sum moves more, and in
    trained networks neighbours and channels move together. Read in the wrong way, the stored
    numbers lie outside as soon as deviations are far from 1.

    Returns
    -------
    {"std", "variance"} or None
        None where the numbers allow both, or neither.
    """
    low, high, stored = (np.concatenate(of) for of in zip(*_channels(network), strict=True))
    read = {"std": stored, "variance": np.sqrt(stored)}
    found = [name for name, s in read.items() if np.mean((low <= s) & (s <= high)) > MOST]
    return found[0] if len(found) == 1 else None


def _channels(network: Network) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Of each normalisation behind another: least and largest deviation, and what is stored."""
    every: list[Any] = list(network.steps().values())
    steps = [link for link in every if hasattr(link, "W") or hasattr(link, "gamma")]
    for before, link, behind in zip(steps, steps[1:], steps[2:], strict=False):
        if all(hasattr(one, "gamma") for one in (before, behind)) and before.axis == 1:
            gamma, beta = (array.array[:, None] for array in (before.gamma, before.beta))
            x = gamma * _NORMAL + beta
            y = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
            variance = np.square(y) @ _WEIGHT - np.square(y @ _WEIGHT)
            terms = np.abs(link.W.array) * np.sqrt(variance)[None, :, None, None]
            yield (
                np.sqrt(np.square(terms).sum(axis=(1, 2, 3))),
                terms.sum(axis=(1, 2, 3)),
                behind.running_std,
            )
