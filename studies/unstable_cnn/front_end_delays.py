"""What is known to move an mp3's first sample, and by how much each would move the clip that is
cut from the middle.
"""

import math
from typing import NamedTuple

from parity.studies.unstable_cnn.front_end_variants import CLIP_SAMPLES, SAMPLE_RATE_HZ

# Samples, from the LAME technical FAQ (lame.sourceforge.io/tech-FAQ.txt): a decoder's filter bank
# delays by 528 + 1, an encoder of LAME's kind adds 576, a frame has 1152.
DECODER, ENCODER, FRAME = 529, 576, 1152
KEPT, SHORTER = "the length is kept", "the file is that much shorter"


class Delay(NamedTuple):
    """An explanation: samples of the source left out at the start, and added at the end."""

    name: str
    left_out: int
    added: int

    def late(self, samples, rate_hz):
        """By how many samples of a file of so many its clip is then cut later."""
        left = samples - self.left_out + self.added
        moved = _start(left, rate_hz) - _start(samples, rate_hz)
        return self.left_out + moved * rate_hz / SAMPLE_RATE_HZ


DELAYS = (
    Delay("nothing is left out", 0, 0),
    *(
        Delay(f"{name}, and {length}", left_out, left_out if length == KEPT else 0)
        for name, left_out, length in (
            ("the decoder's own delay", DECODER, KEPT),
            ("the decoder's own delay", DECODER, SHORTER),
            ("twice the decoder's delay", 2 * DECODER, SHORTER),
            ("encoder's and decoder's delay", ENCODER + DECODER, KEPT),
            ("encoder's and decoder's delay", ENCODER + DECODER, SHORTER),
            ("the encoder's delay", ENCODER, KEPT),
            ("the encoder's delay", ENCODER, SHORTER),
            ("the first frame", FRAME, KEPT),
            ("the first frame", FRAME, SHORTER),
            ("the first frame, encoder's and decoder's delay", FRAME + ENCODER + DECODER, KEPT),
            ("the decoder's delay is there twice", -DECODER, KEPT),
        )
    ),
)


def explaining(measured):
    """The Delays within the give of every measured (samples, rate_hz, exact, give)."""
    return [
        delay
        for delay in DELAYS
        if all(
            abs(delay.late(samples, rate_hz) - exact) <= give
            for samples, rate_hz, exact, give in measured
        )
    ]


def _start(samples, rate_hz):
    """Where audio_processor.py of music-auto_tagging-keras starts its 29.12 s, at 12 kHz."""
    at_12_khz = math.ceil(samples * SAMPLE_RATE_HZ / rate_hz)
    return max(0, at_12_khz - CLIP_SAMPLES) // 2
