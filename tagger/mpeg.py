"""MPEG audio: where an MP3's frames begin, and whether its last one is whole.

ISO 11172-3, 2.4; ISO 13818-3 for half the rates. Unless Xing's table is in the first frame, a file
does not say how many frames it has; but a frame's header gives its length.
"""

import struct
from typing import BinaryIO

WINDOW_BYTES = 1 << 16  # libmpg123 looks this far for a first frame
# By the two bits of the version.
RATES_HZ = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
# (is MPEG-1, layer) -> (bytes a frame at 1 bit/s and 1 Hz, bytes of padding, kbit/s by index).
FRAMES = {
    (True, 1): (48, 4, tuple(range(32, 449, 32))),
    (True, 2): (144, 1, (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384)),
    (True, 3): (144, 1, (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)),
    (False, 1): (48, 4, (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256)),
    (False, 2): (144, 1, LOW),
    (False, 3): (72, 1, LOW),
}
SAME_IN_ALL_FRAMES = 0xFFFE0C00  # sync word, version, layer, sampling rate
TAG_BYTES = 160  # the end of a tag that can be told from its last bytes


def frame_bytes(data: bytes, at: int) -> int:
    """Length of the frame whose header is at `at`; 0 where there is none that tells its length."""
    if at + 4 > len(data):
        return 0
    (word,) = struct.unpack_from(">I", data, at)
    version, layer = word >> 19 & 3, 4 - (word >> 17 & 3)
    bitrate, rate = word >> 12 & 15, word >> 10 & 3
    is_frame = word >> 21 == 0x7FF and version in RATES_HZ
    if not is_frame or layer == 4 or bitrate in (0, 15) or rate == 3:
        return 0
    per_bit, padding, kbits = FRAMES[version == 3, layer]
    slots = per_bit * 1000 * kbits[bitrate - 1] // RATES_HZ[version][rate]
    return slots // padding * padding + padding * (word >> 9 & 1)


def first_frame(data: bytes, at: int = 0) -> int | None:
    """Where in `data`, from `at`, a frame begins that another of its kind follows, or None."""
    while (at := data.find(b"\xff", at)) >= 0:
        after = at + frame_bytes(data, at)
        if after > at and frame_bytes(data, after) and _kind(data, at) == _kind(data, after):
            return at
        at += 1
    return None


def what_is_missing(stream: BinaryIO, start: int, size: int) -> str | None:
    """What the last frame of an MP3 lacks, in words; None where nothing is known to be missing."""
    end = _end_of_sound(stream, size)
    stream.seek(max(start, end - WINDOW_BYTES))
    tail = stream.read(end - stream.tell())
    at = first_frame(tail)
    while at is not None and at < len(tail):
        length = frame_bytes(tail, at)
        if at + length > len(tail):
            return f"{len(tail) - at} of {length} bytes of its last frame are there"
        at = at + length if length else first_frame(tail, at)
    return None


def _kind(data, at):
    return struct.unpack_from(">I", data, at)[0] & SAME_IN_ALL_FRAMES


def _end_of_sound(stream, size):
    """Where the tags begin that players write after the sound."""
    while True:
        stream.seek(max(0, size - TAG_BYTES))
        tail = stream.read(min(size, TAG_BYTES))
        taken = _id3v1(tail) or _ape(tail)
        if not taken or taken > size:
            return size
        size -= taken


def _id3v1(tail):
    return 128 if tail[-128:-125] == b"TAG" else 0


def _ape(tail):
    # Monkey's Audio, APEv2: the length counts items and footer, not the header of bit 31.
    if tail[-32:-24] != b"APETAGEX":
        return 0
    length, _, flags = struct.unpack("<3I", tail[-20:-8])
    return length + 32 * (flags >> 31)
