"""Changes of the input that could turn decibels into what a weight file was trained on.

Each takes mel spectrograms x (B,1,96,1366) float32, decibels of the squared mel power, and returns
the same shape and dtype; no clip's values depend on the other clips of its batch. They are off by
default and never used in a parity run.
"""

from collections.abc import Callable

import numpy as np

from parity.port.architectures import nearest

Correction = Callable[[np.ndarray], np.ndarray]

CLIP, BAND, FRAME = (1, 2, 3), (1, 3), (1, 2)  # what is taken together, of (B,C,F,T)


def standardised(mean_db: float, std_db: float) -> Correction:
    """x -> (x - mean_db) / std_db, with two constants of a collection for all its clips."""
    return lambda x: ((x - mean_db) / std_db).astype(np.float32)


def _standardise(axes: tuple[int, ...]) -> Correction:
    def correct(x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=axes, keepdims=True, dtype=np.float64)
        std = np.sqrt(np.square(centred).mean(axis=axes, keepdims=True))
        # Silence has no deviation.
        y = np.divide(centred, std, out=np.zeros_like(centred), where=std > 0)
        return y.astype(np.float32)

    return correct


def _loudest(x: np.ndarray) -> np.ndarray:
    return x.max(axis=CLIP, keepdims=True)


def _top(range_db: float) -> Correction:
    return lambda x: np.maximum(x, _loudest(x) - np.float32(range_db))


def _times(factor: float) -> Correction:
    return lambda x: x * np.float32(factor)


# name -> (the correction, what it would mean)
CORRECTIONS = {
    "none": (lambda x: x, "decibels as they are"),
    "clip": (_standardise(CLIP), "each clip standardised by its own mean and deviation"),
    "band": (_standardise(BAND), "each mel band of each clip standardised"),
    "frame": (_standardise(FRAME), "each time frame of each clip standardised"),
    "half": (_times(1 / 2), "decibels of the power, not of its square"),
    "twice": (_times(2), "decibels of the fourth power"),
    "bel": (_times(1 / 10), "logarithm to base 10 without the factor 10"),
    "natural": (_times(np.log(10) / 10), "natural logarithm"),
    "eightieth": (_times(1 / 80), "decibels over their range of 80"),
    "power": (lambda x: 10 ** (x / np.float32(20)), "mel power without a logarithm"),
    "amplitude": (lambda x: 10 ** (x / np.float32(40)), "square root of the mel power"),
    "loudest": (lambda x: x - _loudest(x), "decibels below the clip's loudest value (ref = max)"),
    "unit": (
        lambda x: (x - _loudest(x)) / np.float32(80) + np.float32(1),
        "0 to 1 over the 80 dB below the loudest value",
    ),
    "top60": (_top(60), "top_db of 60"),
    "top40": (_top(40), "top_db of 40"),
}  # fmt: skip


def correct(name: str | None, x: np.ndarray) -> np.ndarray:
    """x (B,1,96,1366) float32 dB, corrected by `name` of CORRECTIONS; None changes nothing."""
    function, _ = CORRECTIONS[(name and known(name)) or "none"]
    return function(x)


def known(name: str) -> str | None:
    """`name`, or None for "none". Raises ValueError, which suggests the nearest, for another."""
    if name not in CORRECTIONS:
        raise ValueError(
            f"no input correction is called {name!r}; did you mean {nearest(name, CORRECTIONS)}? "
            f"There are {', '.join(CORRECTIONS)}"
        )
    return None if name == "none" else name
