"""Sound that players read without a word: the file is read whole, or both lengths are said."""

import io
import re
import struct

import numpy as np
import pytest
import soundfile

from tagger import mpeg
from tagger.containers import W64_SOUND
from tagger.reading import AudioError, decoded, read

RATE_HZ, SECONDS = 44100, 10
PITCHES_HZ = {"a": 440.0, "b": 1100.0}
KINDS = {
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
    "flac": ("FLAC", "PCM_16"),
    "wav": ("WAV", "PCM_16"),
    "rf64": ("RF64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "w64": ("W64", "PCM_16"),
}
RATES_HZ = {"opus": 48000}
ID3V1 = b"TAG" + bytes(125)
PICTURE = np.random.default_rng(3).bytes(60000)
ID3V2 = b"ID3\x03\0\0" + bytes(len(PICTURE) >> shift & 127 for shift in (21, 14, 7, 0)) + PICTURE
ID3V2_FOOTED = b"ID3\4\0\x10\0\0\0\x0bTXXX\0\0\0\x01\0\0\0" + b"3DI\4\0\x10\0\0\0\x0b"
ID3V2_SMALL = b"ID3\x04\0\0\0\0\0\x0bTXXX\0\0\0\x01\0\0\0"
LYRICS = b"LYRICSBEGINLYR00020" + b"la la la\r\n" * 2
LYRICS3 = LYRICS + b"%06dLYRICS200" % len(LYRICS)
APE = b"APETAGEX" + struct.pack("<4I8x", 2000, 532, 0, 1 << 31)
APE_TAG = APE + bytes(500) + APE


def encoded(kind, which, rate_hz=None):
    """A file's bytes: ten seconds of a tone, "a" or "b", in faint noise."""
    rate_hz = rate_hz or RATES_HZ.get(kind, RATE_HZ)
    time_s = np.arange(SECONDS * rate_hz) / rate_hz
    noise = np.random.default_rng(1).normal(0, 0.01, len(time_s))
    stream, (form, subtype) = io.BytesIO(), KINDS[kind]
    sound = 0.4 * np.sin(2 * np.pi * PITCHES_HZ[which] * time_s) + noise
    soundfile.write(stream, sound, rate_hz, format=form, subtype=subtype)
    return stream.getvalue()


@pytest.fixture(scope="module")
def sound():
    """(kind, which, rate) -> bytes, each made once."""
    made = {}

    def get(kind, which="a", rate_hz=None):
        key = kind, which, rate_hz
        if key not in made:
            made[key] = encoded(*key)
        return made[key]

    return get


def heard(path):
    """The pitches of a file's whole seconds, runs of one as "aaaa", and what is unheard."""
    found = read(path, "today")
    seconds = found.samples[: len(found.samples) // 12000 * 12000].reshape(-1, 12000)
    spectra = np.abs(np.fft.rfft(seconds * np.hanning(12000)))  # a bin is 1 Hz
    names = {round(hertz): name for name, hertz in PITCHES_HZ.items()}
    return "".join(names.get(int(bin), "?") for bin in spectra.argmax(axis=1)), found


def without_table(data):
    """An mp3 without the frame that holds Xing's table."""
    assert b"Xing" in data[:64] or b"Info" in data[:64]
    return data[mpeg.frame_bytes(data) :]


def with_table(data, frames):
    at = max(data.find(b"Xing", 0, 64), data.find(b"Info", 0, 64)) + 8
    return data[:at] + struct.pack(">I", frames) + data[at + 4 :]


def frames_of(data):
    at = max(data.find(b"Xing", 0, 64), data.find(b"Info", 0, 64)) + 8
    return int.from_bytes(data[at : at + 4], "big")


def with_vbri(data, frames):
    """An mp3 with Fraunhofer's table in a frame of its own."""
    table = b"VBRI" + struct.pack(">3H2I", 1, 0, 75, len(data), frames)
    head = data[:4] + bytes(32) + table
    return head + bytes(mpeg.frame_bytes(data) - len(head)) + data


def without_last_frame(data):
    at = [0]
    while at[-1] < len(data):
        at.append(at[-1] + mpeg.frame_bytes(data, at[-1]))
    return data[: at[-2]]


def with_damaged_frame(data):
    """An mp3 with one frame in its middle that says what no frame can."""
    at = 0
    while at < len(data) / 2:
        at += mpeg.frame_bytes(data, at)
    return data[: at + 4] + b"\xff" * 20 + data[at + 24 :]


def in_wav(data):
    """An mp3 as a wav may hold it (format 0x55)."""
    form = struct.pack(
        "<2H2I2HH2I3H", 0x55, 1, RATE_HZ, 8000, 1, 0, 12, 1 << 16 | 1, 1 << 16, 1, 1, 0
    )
    sound = (
        b"fmt " + struct.pack("<I", 30) + form[:30] + b"data" + struct.pack("<I", len(data)) + data
    )
    return b"RIFF" + struct.pack("<I", 4 + len(sound)) + b"WAVE" + sound


def without_bytes(data):
    """An mp3 whose table says how many frames there are, and not how many bytes."""
    at = max(data.find(b"Xing", 0, 64), data.find(b"Info", 0, 64)) + 4
    return data[:at] + b"\0\0\0\1" + data[at + 4 : at + 8] + bytes(4) + data[at + 12 :]


def with_length(data, length):
    """A wav whose header says that it has so many bytes of sound."""
    at = data.index(b"data") + 4
    return (
        data[:4]
        + struct.pack("<I", length)
        + data[8:at]
        + struct.pack("<I", length)
        + data[at + 4 :]
    )


def with_ds64(data, length):
    return data[:28] + struct.pack("<Q", length) + data[36:]


def as_pipes_leave(data, lengths):
    """{where its length begins, after a name or at a place: the length's bytes}."""
    for where, length in lengths.items():
        at = where if isinstance(where, int) else data.index(where) + len(where)
        data = data[:at] + length + data[at + len(length) :]
    return data


def without_length(data):
    """A flac as a pipe leaves it: STREAMINFO has no number of samples."""
    return data[:21] + bytes([data[21] & 0xF0]) + bytes(4) + data[26:]


def pages(data):
    return [found.start() for found in re.finditer(b"OggS\0", data)]


def without_page(data):
    at = pages(data)
    middle = len(at) // 2
    return data[: at[middle]] + data[at[middle + 1] :]


def over(data, new):
    """Bytes in the middle overwritten."""
    at = len(data) // 2
    return data[:at] + new + data[at + len(new) :]


def within(data, new):
    at = len(data) // 2
    return data[:at] + new + data[at:]


def noise(count):
    return np.random.default_rng(7).bytes(count)


ENDLESS = struct.pack("<q", (1 << 63) - 1)
ONE, TWO = "a" * SECONDS, "a" * SECONDS + "b" * SECONDS
WHOLE = {
    "mp3 without a table": ("mp3", lambda of: without_table(of("mp3")), ONE),
    "mp3, a table of too few frames": ("mp3", lambda of: with_table(of("mp3"), 50), ONE),
    "mp3, a table that counts itself": ("mp3", lambda of: with_table(of("mp3"), frames_of(of("mp3")) + 1), ONE),
    "mp3, Fraunhofer's table": ("mp3", lambda of: with_vbri(without_table(of("mp3")), frames_of(of("mp3"))), ONE),
    "mp3 after mp3": ("mp3", lambda of: of("mp3") + of("mp3", "b"), TWO),
    "mp3 after mp3, tagged": ("mp3", lambda of: (ID3V2 + of("mp3") + ID3V1) + ID3V2 + of("mp3", "b") + ID3V1, TWO),
    "mp3 after mp3, another rate": ("mp3", lambda of: of("mp3") + of("mp3", "b", 22050), TWO),
    "mp3, ID3v1": ("mp3", lambda of: of("mp3") + ID3V1, ONE),
    "mp3, Lyrics3": ("mp3", lambda of: of("mp3") + LYRICS3 + ID3V1, ONE),
    "mp3, APE": ("mp3", lambda of: of("mp3") + APE_TAG + ID3V1, ONE),
    "mp3, zeros": ("mp3", lambda of: of("mp3") + bytes(20000), ONE),
    "mp3 after a byte order mark": ("mp3", lambda of: b"\xef\xbb\xbf" + of("mp3"), ONE),
    "mp3 after zeros": ("mp3", lambda of: bytes(20000) + of("mp3"), ONE),
    "mp3 after what begins as a tag does": ("mp3", lambda of: b"ID3\3\0\0" + b"\xff" * 4 + bytes(60) + of("mp3"), ONE),
    "flac after a tag with a footer": ("flac", lambda of: ID3V2_FOOTED + of("flac"), ONE),
    "ogg after ogg": ("ogg", lambda of: of("ogg") + of("ogg", "b"), TWO),
    "ogg after ogg, another rate": ("ogg", lambda of: of("ogg") + of("ogg", "b", 22050), TWO),
    "opus after opus": ("opus", lambda of: of("opus") + of("opus", "b"), TWO),
    "opus after ogg": ("ogg", lambda of: of("ogg") + of("opus", "b"), TWO),
    "flac without a length": ("flac", lambda of: without_length(of("flac")), ONE),
    "flac after flac": ("flac", lambda of: of("flac") + of("flac", "b"), TWO),
    "wav of length 0": ("wav", lambda of: with_length(of("wav"), 0), ONE),
    "wav of endless length": ("wav", lambda of: with_length(of("wav"), 0xFFFFFFFF), ONE),
    "wav of sox's length": ("wav", lambda of: with_length(of("wav"), 0x7FFFF000), ONE),
    "RF64": ("wav", lambda of: of("rf64"), ONE),
    "wav after zeros": ("wav", lambda of: bytes(5000) + of("wav"), ONE),
    "aiff of length 0": ("aiff", lambda of: as_pipes_leave(of("aiff"), {4: bytes(4), b"SSND": bytes(4)}), ONE),
    "w64 of length 0": ("w64", lambda of: as_pipes_leave(of("w64"), {W64_SOUND: bytes(8)}), ONE),
    "w64 of endless length": ("w64", lambda of: as_pipes_leave(of("w64"), {W64_SOUND: ENDLESS}), ONE),
    "RF64 of length 0": ("wav", lambda of: with_ds64(of("rf64"), 0), ONE),
}  # fmt: skip


@pytest.mark.parametrize("case", WHOLE)
def test_it_is_read_whole_without_a_remark(case, sound, tmp_path):
    suffix, make, expected = WHOLE[case]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(make(sound))
    pitches, found = heard(path)
    assert found.unheard == ()
    assert pitches == expected or (
        len(pitches) == len(expected) and pitches.replace("?", "", 2) in expected
    )
    assert found.seconds == pytest.approx(len(expected), abs=0.2)


# What it is, how it is made, how many seconds are heard, and of how many
PART = {
    "mp3 with noise over it": ("mp3", lambda of: over(without_table(of("mp3")), noise(20000)), (7, 9.9), 10),
    "mp3 with noise in it": ("mp3", lambda of: within(of("mp3"), noise(3000)), (9.9, 10.1), 10.2),
    "mp3 with much noise in it": ("mp3", lambda of: within(of("mp3"), noise(60000)), (9.9, 10.1), 10),
    "mp3 without a table, with noise in it": ("mp3", lambda of: within(without_table(of("mp3")), noise(20000)), (9.9, 10.1), 12.2),
    "mp3 whose table may count itself": ("mp3", lambda of: without_bytes(without_last_frame(of("mp3"))), (9.9, 10.1), 10),
    "mp3 with a damaged frame": ("mp3", lambda of: with_damaged_frame(of("mp3")), (9.9, 9.98), 10),
    "mp3 in a wav, with a damaged frame": ("wav", lambda of: in_wav(with_damaged_frame(without_table(of("mp3")))), (9.9, 10.1), 10),
    "mp3 with zeros over it": ("mp3", lambda of: over(of("mp3"), bytes(20000)), (7, 9.9), 10),
    "ogg without a page": ("ogg", lambda of: without_page(of("ogg")), (8, 9.99), 10),
    "ogg with a hole in a page": ("ogg", lambda of: over(of("ogg"), bytes(500)), (8, 9.99), 10),
    "opus without a page": ("opus", lambda of: without_page(of("opus")), (8, 9.99), 10),
    "opus, the second of two without a page": ("opus", lambda of: of("opus") + without_page(of("opus", "b")), (18, 19.99), 20),
    "flac with a wrong byte": ("flac", lambda of: over(of("flac"), b"\x55"), (9.5, 9.95), 10),
    "flac with a damaged frame": ("flac", lambda of: over(of("flac"), noise(100)), (9.5, 9.95), 10),
}  # fmt: skip


@pytest.mark.parametrize("case", PART)
def test_what_is_read_in_part_says_both_lengths(case, sound, tmp_path):
    suffix, make, (least, most), held = PART[case]
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(make(sound))
    found = read(path, "today")
    heard_s, held_s = map(
        float, re.search(r"([\d.]+) of ([\d.]+) s can be decoded", found.unheard[-1]).groups()
    )
    assert least < found.seconds < most and heard_s == pytest.approx(found.seconds, abs=0.006)
    assert held_s == pytest.approx(held, rel=0.02) and held_s > heard_s


@pytest.mark.parametrize("make", [
    lambda data: with_length(data, len(data) // 2 & ~1),
    lambda data: data + data,
    lambda data: data + b"data" + struct.pack("<I", len(data)) + data,
])  # fmt: skip
def test_a_wav_with_sound_after_its_end_says_both_lengths(make, sound, tmp_path):
    path = tmp_path / "x.wav"
    path.write_bytes(make(sound("wav")))
    (said,) = read(path, "today").unheard
    read_bytes, held_bytes = (
        int(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]+", said)
    )
    assert read_bytes < held_bytes <= path.stat().st_size - 36


@pytest.mark.parametrize("kind", ["wav", "rf64", "flac", "ogg", "aiff", "w64"])
def test_a_file_after_other_bytes_is_read_and_they_are_told(kind, sound, tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"HTTP/1.1 200 OK\r\n\r\n" + sound(kind))
    pitches, found = heard(path)
    assert pitches == ONE
    assert found.unheard == ("its header begins at byte 20, after what is neither sound nor a tag",)


def test_what_cannot_be_decoded_is_called_what_it_is(sound, tmp_path):
    path = tmp_path / "x"
    free = b"\xff\xfb\0\xc4" + bytes(2000)
    unfinished = as_pipes_leave(sound("w64"), {W64_SOUND: struct.pack("<q", 23)})
    for data, words in ((free, "in free format"), (unfinished, "never finished, as in a pipe")):
        path.write_bytes(data)
        with pytest.raises(AudioError, match=words):
            read(path, "today")


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_mono_and_stereo_in_one_mp3_are_as_loud_as_each_alone(order, tmp_path):
    """FFmpeg's own way to one channel makes stereo louder by the root of 2 in float32 and not in
    16 bits.
    """
    path, parts, alone = tmp_path / "x.mp3", b"", []
    for channels in order:
        tone = 0.3 * np.sin(np.arange(3 * RATE_HZ) / 9)
        samples = np.stack([tone] * channels, axis=1)
        soundfile.write(path, samples, RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
        parts += path.read_bytes()
        alone.append(read(path, "today").samples[12000:24000])
    path.write_bytes(parts)
    samples = read(path, "today").samples
    for at, expected in ((12000, alone[0]), (4 * 12000, alone[1])):
        assert samples[at : at + 12000].std() == pytest.approx(expected.std(), rel=1e-3)


def first_half(data):
    """The first frames of an mp3, whole."""
    at = 0
    while at < len(data) / 2:
        at += mpeg.frame_bytes(data, at)
    return data[:at]


CUT = {
    "mp3 with a table": ("mp3", lambda of: of("mp3")),
    "mp3 without one": ("mp3", lambda of: without_table(of("mp3"))[:-50]),
    "mp3 with Fraunhofer's table, between two frames": ("mp3", lambda of: with_vbri(first_half(without_table(of("mp3"))), frames_of(of("mp3")))),
    "mp3 with a table, between its last frames": ("mp3", lambda of: without_last_frame(of("mp3"))),
    "mp3 after mp3, between its last frames": ("mp3", lambda of: of("mp3", "b") + without_last_frame(of("mp3"))),
    "mp3 after mp3, tagged, between its last frames": ("mp3", lambda of: of("mp3", "b") + ID3V1 + ID3V2_SMALL + without_last_frame(of("mp3"))),
    "ogg": ("ogg", lambda of: of("ogg")),
    "ogg without its first page, the one": ("ogg", lambda of: of("ogg")[pages(of("ogg"))[1] :]),
    "ogg without its first page, the first of two ogg": ("ogg", lambda of: of("ogg")[pages(of("ogg"))[1] :] + of("ogg", "b")),
    "the first of two ogg": ("ogg", lambda of: of("ogg")[: pages(of("ogg"))[-1]] + of("ogg", "b") * 2),
    "flac": ("flac", lambda of: of("flac")),
    "flac without a length": ("flac", lambda of: without_length(of("flac"))),
    "wav": ("wav", lambda of: of("wav")),
    "RF64": ("wav", lambda of: of("rf64")),
}  # fmt: skip


@pytest.mark.parametrize("case", CUT)
def test_what_ends_too_early_is_refused(case, sound, tmp_path):
    suffix, make = CUT[case]
    data = make(sound)
    path = tmp_path / f"x.{suffix}"
    path.write_bytes(
        data if case.endswith(("one", "two ogg", "frames")) else data[: int(0.6 * len(data)) + 1]
    )
    with pytest.raises(AudioError, match=r"is cut short: .*; copy it again"):
        read(path, "today")


@pytest.mark.parametrize(
    "subtype", ["PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE", "ULAW", "ALAW"]
)
def test_samples_of_every_width_are_what_another_library_reads(subtype, tmp_path):
    path = tmp_path / "x.wav"
    samples = np.random.default_rng(2).normal(0, 0.2, (5000, 2)).clip(-1, 1)
    soundfile.write(path, samples, RATE_HZ, subtype=subtype)
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    np.testing.assert_array_equal(np.concatenate([b.samples for b in decoded(path)]), expected)


def test_an_mp3_is_decoded_as_another_library_does(sound, tmp_path):
    path = tmp_path / "x.mp3"
    path.write_bytes(sound("mp3"))
    expected, _ = soundfile.read(path, dtype="float32", always_2d=True)
    # Both decode in float32, by other orders of the same sums.
    actual = np.concatenate([block.samples for block in decoded(path)])
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-5)
