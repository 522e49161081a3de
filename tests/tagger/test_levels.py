"""What changes the worth of a recording's tags is remarked, and nothing is said of a sound one."""

import numpy as np
import pytest
import soundfile

from tagger.audio import CLIP_SAMPLES, heard
from tagger.reading import AudioError

RATE_HZ = 12000
MUSIC = np.random.default_rng(5).normal(0, 0.1, CLIP_SAMPLES)
DITHER = np.random.default_rng(6).triangular(-1, 0, 1, CLIP_SAMPLES) / 32768


def stereo(left, right):
    return np.stack([left, right], axis=1)


SAID = {
    "sound": (MUSIC, None),
    "stereo": (stereo(MUSIC, np.roll(MUSIC, 5)), None),
    "another balance": (stereo(MUSIC, 0.03 * MUSIC), None),
    "28 s": (MUSIC[: 28 * RATE_HZ], "is 28.00 s long: silence is put after it"),
    "29 s": (MUSIC[: 29 * RATE_HZ], None),
    "cancelling": (stereo(MUSIC, -0.9 * MUSIC), "2 channels that nearly cancel: their mean, which is tagged, is 26 dB"),
    "partly cancelling": (stereo(MUSIC, -0.5 * MUSIC), None),
    "one channel dead": (stereo(MUSIC, 0 * MUSIC), "2 channels, of which 2 is all but silent: their mean, which is tagged, is 6.0 dB"),
    "one channel of hiss": (stereo(MUSIC, 10 * DITHER), "of which 2 is all but silent: their mean, which is tagged, is 6.0 dB"),
    "dithered silence": (DITHER, "nothing but silence, dither or noise"),
    "noise floor": (1e-3 * MUSIC, "more than 60 dB below full scale, in its middle 29.12 s"),
    "a click in dither": (np.append(DITHER[:-1], 0.3), "nothing but silence, dither or noise"),
    "a constant under it": (0.3 + 1e-4 * MUSIC, "nothing but silence, dither or noise"),
    "music and then silence": (np.append(MUSIC[: 9 * RATE_HZ], 0 * MUSIC), "is silent for 24 s of its middle 29.12 s"),
    "quiet music": (0.02 * MUSIC, None),
    "integers": (32768 * MUSIC, "where 1 is full scale: the taggers hear it 84 dB too loud"),
    "a hot master": (30 * MUSIC, None),
}  # fmt: skip


@pytest.mark.parametrize("case", SAID)
def test_each_is_said_in_one_sentence_that_tells_what_to_do(case, tmp_path):
    samples, said = SAID[case]
    path = tmp_path / "x.wav"
    soundfile.write(path, samples, RATE_HZ, subtype="FLOAT")
    _, remarks = heard(path, "centre", "today")
    assert len(remarks) == bool(said)
    for remark in remarks:
        assert said in remark and "; " in remark


def test_channels_that_cancel_to_nothing_are_told_from_silence(tmp_path):
    soundfile.write(tmp_path / "x.wav", stereo(MUSIC, -MUSIC), RATE_HZ, subtype="FLOAT")
    with pytest.raises(AudioError, match="channels that nearly cancel"):
        heard(tmp_path / "x.wav", "centre", "today")
