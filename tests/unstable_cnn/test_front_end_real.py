"""The published clips: what the stored mel spectrograms of the originals came from."""

import numpy as np
import pytest

from parity.studies.unstable_cnn import front_end, front_end_delays
from parity.studies.unstable_cnn.front_end_fit import fit
from parity.studies.unstable_cnn.front_end_variants import FrontEnd, read

pytestmark = pytest.mark.slow

CLIPS = ("bensound-thejazzpiano", "bensound-actionable", "bensound-cute", "bensound-dubstep")


@pytest.fixture(scope="module")
def pairs(real_data):
    there = [name for name in CLIPS if (real_data / f"melgrams/{name}.npy").exists()]
    assert len(there) >= 2
    return [pair_of(real_data, name) for name in there]


def pair_of(folder, name):
    stored = np.load(folder / f"melgrams/{name}.npy", allow_pickle=False)[0, 0]
    track, wav = (
        read(path) if (path := folder / f"audio/{name}{suffix}").exists() else None
        for suffix in (".mp3", ".wav")
    )
    return front_end.Pair(name, stored, track, wav, fit(track, stored))


def test_three_causes_explain_all_of_it(pairs):
    for pair in pairs:
        assert pair.fit.front_end == FrontEnd(
            late=529, sample="16 bits, rounded", resampler="resampy's kaiser_best"
        )
        assert pair.fit.before["mean_db"] > 2 and pair.fit.left["largest_db"] < 0.002
    assert front_end.explained(pairs).holds


def test_the_shift_is_an_mp3_decoders_delay(pairs):
    assert front_end.moved(pairs).holds
    measured = [
        (
            len(pair.track.samples),
            pair.track.rate_hz,
            pair.fit.alignment.exact,
            pair.fit.alignment.give,
        )
        for pair in pairs
    ]
    assert [delay.name for delay in front_end_delays.explaining(measured)] == [
        "the decoder's own delay, and the length is kept"
    ]


def test_the_wav_is_the_mp3(pairs):
    assert front_end.as_wav([pair for pair in pairs if pair.wav]).holds
