"""What counts as cut short is the sound itself: other lengths in a header are often wrong in files
that are whole.
"""

import struct

import numpy as np
import pytest
import soundfile

from tagger import mpeg
from tagger.containers import NO_AUDIO, Fault, plan_of
from tagger.reading import AudioError, read


@pytest.fixture
def wav(tmp_path):
    """A WAV of 101 bytes of sound, so that a byte of padding is after it."""
    path = tmp_path / "x.wav"
    soundfile.write(path, np.full(101, 0.25), 12000, subtype="PCM_U8")
    return path


def fault_of(path):
    with open(path, "rb") as stream:
        try:
            return plan_of(stream).unread
        except Fault as fault:
            return str(fault)


def changed(path, at, new):
    data = path.read_bytes()
    path.write_bytes(data[:at] + new + data[at + len(new) :])
    return path


@pytest.mark.parametrize("length", [0, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_a_pipe_left_open_is_none(wav, length):
    assert wav.read_bytes()[36:40] == b"data"
    assert (
        fault_of(changed(changed(wav, 4, struct.pack("<I", length)), 40, struct.pack("<I", length)))
        is None
    )


def test_whole_sound_in_a_file_whose_other_lengths_are_wrong_is_whole(wav):
    size = wav.stat().st_size
    assert fault_of(changed(wav, 4, struct.pack("<I", size + 8))) is None, (
        "the file's own length, counted with its header"
    )
    wav.write_bytes(wav.read_bytes()[: 44 + 101])
    assert fault_of(wav) is None, "no byte of padding"
    wav.write_bytes(wav.read_bytes()[:-1])
    assert "100 of 101 bytes are there" in fault_of(wav)


def test_chunks_before_the_sound_are_passed(wav):
    data = wav.read_bytes()
    wav.write_bytes(data[:36] + b"LIST" + struct.pack("<I", 5) + bytes(6) + data[36:])
    assert fault_of(wav) is None
    wav.write_bytes(wav.read_bytes()[:-40])
    assert "is cut short" in fault_of(wav)


@pytest.mark.parametrize(("header", "length"), [
    # MPEG-1 layer III, 128 kbit/s, 44.1 kHz, without and with padding
    ("fffb9064", 417), ("fffb9264", 418),
    # 64 kbit/s at 16 kHz, 32 kbit/s at 12 kHz: 72 times the one over the other
    ("fff388c4", 288), ("ffe344c4", 192),
    ("fffd9064", 522), ("ffff9064", 312),  # layers II and I
    ("ffebf064", 0), ("fffb0064", 0), ("49443303", 0),
])  # fmt: skip
def test_a_header_gives_its_frames_length(header, length):
    assert mpeg.frame_bytes(bytes.fromhex(header), 0) == length


def test_what_has_no_frame_is_no_audio(tmp_path):
    path = tmp_path / "x.mp3"
    for data in (
        b"text",
        b"ID3\x04\0\0\0\0\0\x05hello",
        b"\xff\xfb\x90\x64" + bytes(2000),
        bytes(range(256)) * 400,
        np.random.default_rng(1).bytes(300000),
    ):
        path.write_bytes(data)
        with pytest.raises(AudioError, match=NO_AUDIO):
            read(path, "today")
