"""The control: pairs of a sound and a mel spectrogram with a planted difference, and what the
search finds.
"""

import numpy as np

from parity.studies.unstable_cnn.front_end_fit import fit
from parity.studies.unstable_cnn.front_end_variants import (
    CLIP_SAMPLES,
    SAMPLE_RATE_HZ,
    FrontEnd,
    Track,
    spectrogram,
)

SEED = 20160806
EXCESS_S = 1  # more than a clip, so that there is a middle
PLANTED = {
    "nothing": FrontEnd(),
    "37 samples": FrontEnd(late=37),
    "37 samples the other way, 60 dB, the loudest as reference": FrontEnd(
        late=-37, span="60 dB", reference="the loudest"
    ),
}


def sound(rate_hz=SAMPLE_RATE_HZ, seed=SEED):
    """A mono Track of tones and drums over faint noise, with no beat: no two shifts look alike."""
    rng = np.random.default_rng(seed)
    samples = round((CLIP_SAMPLES / SAMPLE_RATE_HZ + EXCESS_S) * rate_hz)
    mono = rng.normal(0, 0.01, samples)
    for start in np.cumsum(rng.integers(rate_hz // 10, rate_hz // 2, 4 * samples // rate_hz)):
        time_s = np.arange(max(0, min(rate_hz, samples - start))) / rate_hz
        struck = np.sin(2 * np.pi * rng.uniform(80, 5000) * time_s) + rng.normal(
            0, 0.5, len(time_s)
        )
        mono[start : start + len(time_s)] += rng.uniform(0.02, 0.2) * np.exp(-6 * time_s) * struck
    return Track(np.clip(mono, -1, 1).astype(np.float32)[:, None], rate_hz)


def planted():
    """{what was planted: (FrontEnd planted, Fit found)}."""
    track = sound()
    return {
        name: (front_end, fit(track, spectrogram(track, front_end)))
        for name, front_end in PLANTED.items()
    }
