"""Only decoders of sound files are ever run, whatever a file names, and none leads to another."""

import av
import numpy as np
import pytest

from tagger import decoding
from tagger.audio import melgram
from tagger.reading import AudioError


def with_codec(path, name):
    """A WAV that holds a tone in another codec than WAVs do."""
    with av.open(str(path), "w", format="wav") as out:
        stream = out.add_stream(name, rate=44100, layout="mono")
        stream.bit_rate = 64000
        for start in range(0, 20480, 1024):
            tone = np.sin(np.arange(start, start + 1024) / 9).astype("f4")[None] / 2
            frame = av.AudioFrame.from_ndarray(tone, format="fltp", layout="mono")
            frame.rate, frame.pts = 44100, start
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("codec", ["wmav2", "ac3"])
def test_another_codec_is_not_decoded(tmp_path, monkeypatch, codec):
    path = with_codec(tmp_path / "x.wav", codec)
    with pytest.raises(AudioError, match="cannot be read as audio"):
        melgram(path)
    monkeypatch.setattr(decoding, "_decoders", lambda: frozenset(av.codecs_available))
    assert np.isfinite(melgram(path)).all(), "it would be decoded, were it not for the list"


@pytest.mark.parametrize(
    "text",
    ["ffconcat version 1.0\nfile '/etc/passwd'\n", "#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/x\n"],
)
def test_a_list_of_other_files_is_not_followed(tmp_path, text):
    (tmp_path / "x.wav").write_text(text)
    with pytest.raises(AudioError, match="cannot be read as audio"):
        melgram(tmp_path / "x.wav")
