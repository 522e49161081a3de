"""Audio files that end before they should: libsndfile reads most kinds of them to that early end without a word.

Each kind says how long it is in its own way: RIFF and RF64 (EBU Tech 3306), AIFF's FORM, Xing's table in the first frame of
an MP3, and Ogg by a mark on its last page (RFC 3533). An MP3 without that table does not say, so nothing can be missed in it.
"""

import struct
from pathlib import Path

from port.files import FilePath

HEAD_BYTES, TAIL_BYTES = 4096, 1 << 16  # an Ogg page is shorter than 64 KiB
UNKNOWN_BYTES = (0, 0xFFFFFFFF)  # what a program that writes into a pipe says for the length
XING_SLACK = 0.99  # encoders differ in what they count


def what_is_missing(path: FilePath) -> str | None:
    """Why an audio file is known to be cut short, in words; None where nothing says so. Raises OSError."""
    with open(path, "rb") as stream:
        head = stream.read(HEAD_BYTES)
        check = CHECKS.get(head[:4]) or (_mp3 if head[:3] == b"ID3" or head[:1] == b"\xff" else None)
        return check and check(head, Path(path).stat().st_size, stream)


def _held(held, promised):
    return f"{held:,} of {promised:,} bytes are there" if promised not in UNKNOWN_BYTES and held < promised else None


def _riff(head, size, stream):
    return _held(size - 8, struct.unpack("<I", head[4:8])[0]) if len(head) >= 8 else "not even its header is whole"


def _rf64(head, size, stream):
    return _held(size - 8, struct.unpack("<Q", head[20:28])[0]) if len(head) >= 28 else "not even its header is whole"


def _form(head, size, stream):
    return _held(size - 8, struct.unpack(">I", head[4:8])[0]) if len(head) >= 8 else "not even its header is whole"


def _ogg(head, size, stream):
    stream.seek(max(0, size - TAIL_BYTES))
    tail = stream.read()
    page = tail.rfind(b"OggS")
    is_last = page >= 0 and tail[page + 5 : page + 6] and tail[page + 5] & 4
    return None if is_last else "its last page is missing"


def _mp3(head, size, stream):
    start = 0
    if head[:3] == b"ID3":  # seven bits a byte (id3.org, ID3v2.4.0, 3.1)
        start = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=False))
        stream.seek(start)
        head = stream.read(HEAD_BYTES)
    first = head[:64]  # the table stands 13 to 36 bytes into the first frame
    at = max(first.find(b"Xing"), first.find(b"Info"))
    if at < 0 or len(head) < at + 16:
        return None
    flags, _, promised = struct.unpack(">3I", head[at + 4 : at + 16])
    has_both = flags & 3 == 3  # the number of frames, then the number of bytes
    return _held(size - start, promised) if has_both and size - start < XING_SLACK * promised else None


CHECKS = {b"RIFF": _riff, b"RF64": _rf64, b"FORM": _form, b"OggS": _ogg}
