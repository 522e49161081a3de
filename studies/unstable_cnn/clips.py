"""Clips beside those that are investigated: silence, noise, synthesised music, and the clips
themselves turned round or moved.
"""

import numpy as np

SEED = 20160618
NOISE_RMS = 0.1  # of full scale
SYNTHESISED = (
    3,
    4,
)  # numbers of parity.fixtures.synthesis; 1 and 2 are the clips of a run without data


def companions(clips):
    """{name: float32 (1, 1, 96, 1366), decibel}: what can stand beside `clips` {name: such an
    array} in a batch.

    "silence" and "noise" (white) have gone through the front end; "<clip> reversed" and "<clip>
    moved" (by half its length, its end put before its beginning) are the clips' own spectrograms.
    """
    from parity.fixtures.synthesis import mel_spectrogram
    from tagger.audio import CLIP_SAMPLES, melgram_of

    noise = np.random.default_rng(SEED).standard_normal(CLIP_SAMPLES).astype(
        np.float32
    ) * np.float32(NOISE_RMS)
    found = {"silence": melgram_of(np.zeros(CLIP_SAMPLES, np.float32)), "noise": melgram_of(noise)}
    found |= {f"synthesised {number}": mel_spectrogram(number) for number in SYNTHESISED}
    found |= {f"{name} reversed": clip[..., ::-1].copy() for name, clip in clips.items()}
    found |= {
        f"{name} moved": np.roll(clip, clip.shape[-1] // 2, axis=-1) for name, clip in clips.items()
    }
    return {name: clip.astype(np.float32) for name, clip in found.items() if name not in clips}
