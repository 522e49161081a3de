"""What is known to move an mp3's first sample, and by how much each would move the clip that is
cut from the middle.
"""

import math
from typing import NamedTuple

from parity.studies.unstable_cnn.front_end_variants import CLIP_SAMPLES, SAMPLE_RATE_HZ

# Samples, from the LAME technical FAQ (lame.sourceforge.io/tech-FAQ.txt): a decoder's filter bank
# delays by 528 + 1, an encoder of LAME's kind adds 576, a frame has 1152.
DECODER, ENCODER, FRAME = 529, 576, 1152


class Delay(NamedTuple):
    """An explanation: samples of the source left out at the start, and added at the end."""

    name: str
    left_out: int
    added: int

    def late(self, samples, rate_hz):
        """By how many samples of the source the clip of a file of so many samples is then cut
        later.
        """
        left = samples - self.left_out + self.added
        return (
            self.left_out
            + (_start(left, rate_hz) - _start(samples, rate_hz)) * rate_hz / SAMPLE_RATE_HZ
        )


DELAYS = (
    Delay("nothing is left out", 0, 0),
    Delay("the decoder's own delay, and the length is kept", DECODER, DECODER),
    Delay("the decoder's own delay, and the file is that much shorter", DECODER, 0),
    Delay("twice the decoder's delay, and the file is that much shorter", 2 * DECODER, 0),
    Delay(
        "encoder's and decoder's delay, and the length is kept",
        ENCODER + DECODER,
        ENCODER + DECODER,
    ),
    Delay("encoder's and decoder's delay, and the file is that much shorter", ENCODER + DECODER, 0),
    Delay("the encoder's delay, and the length is kept", ENCODER, ENCODER),
    Delay("the encoder's delay, and the file is that much shorter", ENCODER, 0),
    Delay("the first frame, and the length is kept", FRAME, FRAME),
    Delay("the first frame, and the file is that much shorter", FRAME, 0),
    Delay(
        "the first frame, encoder's and decoder's delay, and the length is kept",
        FRAME + ENCODER + DECODER,
        FRAME + ENCODER + DECODER,
    ),
    Delay("the decoder's delay is there twice, and the length is kept", -DECODER, -DECODER),
)


def explaining(measured):
    """The Delays that every (samples, rate_hz, exact, give) of `measured` allows: as late as
    measured, within its give.
    """
    return [
        delay
        for delay in DELAYS
        if all(
            abs(delay.late(samples, rate_hz) - exact) <= give
            for samples, rate_hz, exact, give in measured
        )
    ]


def _start(samples, rate_hz):
    """Where the middle 29.12 s begin at 12 kHz, as audio_processor.py of music-auto_tagging-keras
    cuts them, in whole samples.
    """
    at_12_khz = math.ceil(samples * SAMPLE_RATE_HZ / rate_hz)
    return max(0, at_12_khz - CLIP_SAMPLES) // 2
