"""Audio files with something wrong, each with what the tagger says of it; `wav` is the fixture,
`folder` where to put others.
"""

import struct

import numpy as np
import soundfile

from tagger import mpeg


def cut_short(path, keep=0.5):
    path.write_bytes(path.read_bytes()[: int(keep * path.stat().st_size)])
    return path


def holding(path, data):
    path.write_bytes(data)
    return path


def spoilt(path):
    samples = np.full(1000, 0.1, np.float32)
    samples[7] = np.nan
    soundfile.write(path, samples, 12000, subtype="FLOAT")
    return path


def _opus(path):
    soundfile.write(
        path,
        np.random.default_rng(1).normal(0, 0.1, 12000 * 60),
        12000,
        format="OGG",
        subtype="OPUS",
    )
    return path


def _without_table(path):
    """An MP3 without Xing's table, which is all of its first frame: nothing but the frames tell
    how long it is.
    """
    data = path.read_bytes()
    assert b"Xing" in data[:64]
    return holding(path, data[mpeg.frame_bytes(data, 0) :])


def _at_rate(path, rate_hz):
    data = path.read_bytes()
    return holding(path, data[:24] + struct.pack("<I", rate_hz) + data[28:])


def _as_floats(path, peak):
    soundfile.write(path, np.array([0, peak, -peak]), 12000, subtype="FLOAT")
    return path


def silent_centre(path):
    samples = np.zeros(60 * 12000)
    samples[:100] = 0.5
    soundfile.write(path, samples, 12000)
    return path


def _silence(path):
    soundfile.write(path, np.zeros(1000), 12000)
    return path


def _tagged(path):
    """An MP3 with 1000 bytes of ID3 before its first frame."""
    return holding(path, b"ID3\x04\0\0\0\0\x07\x68" + bytes(1000) + path.read_bytes())


def _folder(path):
    path.mkdir()
    return path


MP3 = {"subtype": "MPEG_LAYER_III", "seconds": 10}
BAD = {
    "missing": (lambda wav, folder: folder / "none.wav", "is not there"),
    "empty": (lambda wav, folder: holding(folder / "empty.wav", b""), "is empty"),
    "cut short": (lambda wav, folder: cut_short(wav("cut.wav")), "is cut short"),
    "cut short, flac": (lambda wav, folder: cut_short(wav("cut.flac")), "is cut short"),
    "cut short, mp3": (
        lambda wav, folder: cut_short(wav("cut.mp3", subtype="MPEG_LAYER_III")),
        "is cut short",
    ),
    "cut short, tagged mp3": (
        lambda wav, folder: cut_short(_tagged(wav("cut.mp3", subtype="MPEG_LAYER_III"))),
        "is cut short",
    ),
    "cut short, ogg": (
        lambda wav, folder: cut_short(wav("cut.ogg", subtype="VORBIS", seconds=60)),
        "is cut short",
    ),
    "cut short, aiff": (lambda wav, folder: cut_short(wav("cut.aiff")), "is cut short"),
    "cut short, au": (lambda wav, folder: cut_short(wav("cut.au")), "is cut short"),
    "cut short, w64": (lambda wav, folder: cut_short(wav("cut.w64")), "is cut short"),
    "cut short, caf": (lambda wav, folder: cut_short(wav("cut.caf")), "is cut short"),
    "cut short, opus": (lambda wav, folder: cut_short(_opus(folder / "cut.opus")), "is cut short"),
    "cut short, mp3 without a table": (
        lambda wav, folder: cut_short(_without_table(wav("x.mp3", **MP3)), 0.503),
        "of its last frame are",
    ),
    "cut within its header": (
        lambda wav, folder: cut_short(wav("cut.wav"), keep=5e-5),
        "cannot be read as audio",
    ),
    "without a sample": (lambda wav, folder: wav("nothing.wav", seconds=0), "holds no sample"),
    "silent": (lambda wav, folder: _silence(folder / "silent.wav"), "nothing but silence"),
    "text": (
        lambda wav, folder: holding(folder / "text.mp3", b"not a song, whatever its name says"),
        "cannot be read as audio",
    ),
    "text named raw": (
        lambda wav, folder: holding(folder / "text.raw", b"not a song either"),
        "cannot be read as audio",
    ),
    "absurd rate": (
        lambda wav, folder: _at_rate(wav("rate.wav"), 0x7FFFFFFF),
        "sampled at 2147483647 Hz, which no recording is",
    ),
    "absurdly slow": (
        lambda wav, folder: _at_rate(wav("rate.wav"), 1),
        "sampled at 1 Hz, which no recording is",
    ),
    "too loud": (lambda wav, folder: _as_floats(folder / "loud.wav", 1e30), "samples reach 1e+30"),
    "silent where it is tagged": (
        lambda wav, folder: silent_centre(folder / "edges.wav"),
        "nothing but silence in its middle 29.12 s",
    ),
    "a long name": (
        lambda wav, folder: folder / ("x" * 300 + ".wav"),
        "cannot be read (File name too long)",
    ),
    "NaN": (lambda wav, folder: spoilt(folder / "nan.wav"), "holds NaN"),
    "a folder without audio": (
        lambda wav, folder: _folder(folder / "empty"),
        "holds no audio file",
    ),
    "a pattern without a match": (lambda wav, folder: folder / "*.flac", "matches no file"),
    "a pattern without audio": (
        lambda wav, folder: holding(folder / "cover.jpg", b"x").parent / "c*",
        "matches no audio file",
    ),
    "an empty name": (lambda wav, folder: "", "an empty name"),
    "no file": (lambda wav, folder: "/dev/null", "is no file"),
    "a name with a line break": (
        lambda wav, folder: folder / "two\nlines.wav",
        "two\\nlines.wav is not there",
    ),
}
