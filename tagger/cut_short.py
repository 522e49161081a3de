"""Files that are no audio or end too early: libsndfile reads most of them without a word.

Each kind says how long it is in its own way: the chunk that holds the sound in RIFF and RF64 (EBU
Tech 3306), W64, AIFF and CAF; the header of AU; in Ogg a mark on the last page (RFC 3533); in MP3
Xing's table, and each frame its length. A FLAC's decoder says so itself.
"""

import os
import struct
from typing import BinaryIO, NamedTuple

from parity.files import FilePath
from tagger import mpeg

PAGE_BYTES = 1 << 16  # an Ogg page is shorter
STREAMED = 0x7FFFF000  # from here on, a length of 32 bits says that a pipe was written to
MOST_CHUNKS = 1000
XING_SLACK = 0.99  # encoders differ in what they count
NO_AUDIO = "cannot be read as audio; give a wav, flac, ogg or mp3 file"


class Chunks(NamedTuple):
    """A kind of file that consists of chunks."""

    first: int  # where the first chunk stands
    header: str  # how (name, length) are packed
    sound: bytes  # name of the chunk that holds the sound
    padded_to: int  # bytes
    own: int = 0  # bytes of its header that a chunk counts in its length
    endless: int = STREAMED  # from here on, a length means none


RIFF, RIFX = Chunks(12, "<4sI", b"data", 2), Chunks(12, ">4sI", b"data", 2)
FORM = Chunks(12, ">4sI", b"SSND", 2)
CAF = Chunks(8, ">4sq", b"data", 1, endless=1 << 63)
W64 = Chunks(
    40, "<16sq", b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a", 8, own=24, endless=1 << 63
)


def fault_of(path: FilePath) -> str | None:
    """What is known to be wrong with an audio file, and what to do; or None. Raises OSError."""
    with open(path, "rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        start = _after_id3(stream)
        check = CHECKS.get(_read(stream, start, 4), _mpeg)
        missing = check(stream, start, size)
    return missing if missing in (None, NO_AUDIO) else f"is cut short: {missing}; copy it again"


def _after_id3(stream):
    """Where the file begins after its ID3v2 tags, whose lengths have seven bits a byte."""
    start = 0
    while (head := _read(stream, start, 10))[:3] == b"ID3" and len(head) == 10:
        start += 10 + sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:]))
    return start


def _chunks(kind):
    def check(stream, start, size):
        at, promised = _sound_in(stream, start, kind)
        return _held(size - at, promised) if promised < kind.endless else None

    return check


def _sound_in(stream, start, kind):
    """Where the sound begins and how many bytes it should have; (0, 0) where there is none."""
    at = start + kind.first
    for _ in range(MOST_CHUNKS):
        head = _read(stream, at, struct.calcsize(kind.header))
        if len(head) < struct.calcsize(kind.header):
            break
        name, length = struct.unpack(kind.header, head)
        at, length = at + len(head), length - kind.own
        if name == kind.sound:
            return at, length
        at += -(-max(0, length) // kind.padded_to) * kind.padded_to
    return 0, 0


def _rf64(stream, start, size):
    at, _ = _sound_in(stream, start, RIFF)
    lengths = _read(stream, start + 20, 16)  # in the first chunk, ds64: of the file, of the sound
    return _held(size - at, struct.unpack("<8xQ", lengths)[0]) if len(lengths) == 16 else NO_AUDIO


def _au(order):
    def check(stream, start, size):
        head = _read(stream, start + 4, 8)
        if len(head) < 8:
            return NO_AUDIO
        offset, promised = struct.unpack(f"{order}2I", head)
        return _held(size - start - offset, promised) if promised < STREAMED else None

    return check


def _ogg(stream, start, size):
    tail = _read(stream, max(start, size - PAGE_BYTES), PAGE_BYTES)
    page = tail.rfind(b"OggS")
    is_last = page >= 0 and tail[page + 5 : page + 6] and tail[page + 5] & 4
    return None if is_last else "its last page is missing"


def _mpeg(stream, start, size):
    window = _read(stream, start, mpeg.WINDOW_BYTES)
    at = mpeg.first_frame(window)
    if at is None:
        return NO_AUDIO
    return _xing(window[at : at + 64], size - start - at) or mpeg.what_is_missing(
        stream, start + at, size
    )


def _xing(frame, held):
    at = max(frame.find(b"Xing"), frame.find(b"Info"))  # 13 to 36 bytes into the frame
    if at < 0 or len(frame) < at + 16:
        return None
    flags, _, promised = struct.unpack(">3I", frame[at + 4 : at + 16])
    has_both = flags & 3 == 3  # the number of frames, then the number of bytes
    return _held(held, promised) if has_both and held < XING_SLACK * promised else None


def _held(held, promised):
    return f"{held:,} of {promised:,} bytes are there" if held < promised else None


def _read(stream: BinaryIO, at, count):
    stream.seek(at)
    return stream.read(count)


# The first four bytes -> what is missing of such a file, None, or NO_AUDIO. Others may be MPEG.
CHECKS = {
    b"RIFF": _chunks(RIFF),
    b"RIFX": _chunks(RIFX),
    b"RF64": _rf64,
    b"BW64": _rf64,
    b"FORM": _chunks(FORM),
    b"riff": _chunks(W64),
    b"caff": _chunks(CAF),
    b".snd": _au(">"),
    b"dns.": _au("<"),
    b"OggS": _ogg,
    b"fLaC": lambda stream, start, size: None,
}
