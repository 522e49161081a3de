"""The corrections of the input that are tried: those of the port, and those whose constants are fitted to the other clips."""

import numpy as np

from parity.investigate import stored
from parity.microscope.training import divisor

ASIS = "none"
FITTED = {
    "offset": "one offset for all clips, fitted to the other clips",
    "gain": "one gain for all clips, fitted to the other clips",
    "offset and gain": "one offset and one gain for all clips, fitted to the other clips",
}


def candidates(clips, remembered, keras):
    """{correction: {clip: (1, 1, 96, 1366) float32}}; those with constants only where there are other clips to fit them to."""
    from port.corrections import CORRECTIONS, correct

    given = {name: {clip: correct(name, x) for clip, x in clips.items()} for name in CORRECTIONS}
    if len(clips) > 1:
        wanted = moments_of(remembered[stored.FREQUENCY], keras)
        for name in FITTED:
            given[name] = {clip: _fitted(name, clips, clip, wanted) for clip in clips}
    return given


def moments_of(remembered, keras):
    """(mean, deviation) over all frames that a normalisation's stored statistics imply."""
    variance = divisor(keras, remembered.spread) ** 2
    mean = remembered.mean.mean()
    return float(mean), float(np.sqrt(np.mean(variance + remembered.mean**2) - mean**2))


def _fitted(name, clips, clip, wanted):
    others = [x for other, x in clips.items() if other != clip]
    mean, std = np.mean(others, dtype=np.float64), np.std(others, dtype=np.float64)
    to_mean, to_std = wanted
    gain = {"offset": 1.0, "gain": np.hypot(to_mean, to_std) / np.hypot(mean, std), "offset and gain": to_std / std}[name]
    offset = 0.0 if name == "gain" else to_mean - gain * mean
    return (gain * clips[clip] + offset).astype(np.float32)


def meaning(name):
    """What a candidate's name stands for."""
    from port.corrections import CORRECTIONS

    return FITTED.get(name) or CORRECTIONS[name][1]
