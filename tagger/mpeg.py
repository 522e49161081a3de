"""MPEG audio: the frames of an MP3 by their own headers, and the bytes that are none.

ISO 11172-3, 2.4; ISO 13818-3 for half the rates.
"""

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

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
# A table instead of sound in the first frame: by Xing, with flags that say whether a number of
# frames and one of bytes follow, or by Fraunhofer, bytes first.
TABLE = re.compile(
    rb"(?:Xing|Info).{3}(?:[\x03\x07\x0b\x0f](.{4})(.{4})|[\x01\x05\x09\x0d](.{4}))"
    rb"|VBRI.{6}(.{4})(.{4})",
    re.DOTALL,
)
TABLE_WITHIN_BYTES = 64
SIDE_BYTES = (32, 17, 9)  # between a frame's header and its table, by version and channels
TAGS = re.compile(rb"\0*(?:ID3|TAG|APETAGEX|LYRICSBEGIN)")  # what players write before and after
LOOKED_AT_BYTES = 1 << 16


def frame_bytes(data: bytes, at: int = 0) -> int:
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


def is_free(header: bytes) -> bool:
    """Whether a frame's header leaves the bit rate open, and with it the length of all frames."""
    closed = bytes([*header[:2], *(byte | 1 << 4 for byte in header[2:3]), *header[3:]])
    return not frame_bytes(header) and header[2:3] < b"\x10" and frame_bytes(closed) > 0


class Table(NamedTuple):
    """What the table in an MP3's first frame promises: frames, and bytes with its own frame, each
    0 where it does not say. own_bytes: that frame's length.
    """

    frames: int = 0
    bytes: int = 0
    own_bytes: int = 0

    @classmethod
    def at(cls, head: bytes) -> "Table":
        found = TABLE.search(head[:TABLE_WITHIN_BYTES])
        if not (found and frame_bytes(head)):
            return cls()
        frames, size, alone, size_first, last = (
            int.from_bytes(n or b"", "big") for n in found.groups()
        )
        return cls(frames or alone or last, size or size_first, frame_bytes(head))

    def lacks(self, frames: int, size: int) -> bool | None:
        """Whether more was promised than so many frames and bytes after the table; None where that
        depends on whether it counts the frame that it stands in, as some do.
        """
        if self.frames != frames + 1:
            return self.frames > frames
        return self.bytes > size + self.own_bytes if self.bytes else None


class Frames:
    """What a decoder's packets of an MP3 are made of: whole frames, and stray bytes.

    Attributes
    ----------
    whole, whole_bytes : int
        Frames that are as long as their headers say.
    torn : str or None
        What the last frame lacks, in words.
    """

    def __init__(self, stream: BinaryIO) -> None:
        head = stream.read(TABLE_WITHIN_BYTES)
        self._tables = [(Table.at(head), 0, 0)]  # each with the frames and bytes until then
        self.whole = self.whole_bytes = 0
        self.torn: str | None = None
        self._stream, self._strays = stream, []
        self._at, self._first = 0, frame_bytes(head)

    def take(self, position: int, packet: bytes, is_sound: bool = True) -> None:
        """Count a packet at `position` of the stream, whether it could be decoded or not; packets
        come in order.
        """
        if start := _after_tags(packet):
            self.take(position, packet[:start])
            position, packet, is_sound = position + start, packet[start:], True
        if not self._at and position == self._first:
            self._at = position  # the decoder has kept the table for itself
        length, held, follows = frame_bytes(packet), len(packet), position == self._at
        self._stray(self._at, position)
        self.torn = None
        if 0 < length <= held and is_sound:
            self.whole, self.whole_bytes = self.whole + 1, self.whole_bytes + length
            if (table := Table.at(packet)).frames:  # an MP3 behind another
                self._tables.append((table, self.whole, self.whole_bytes))
            self._stray(position + length, position + held)
        else:
            if length > held and follows:
                self.torn = f"{held} of {length} bytes of its last frame are there"
            self._stray(position, position + held)
        self._at = position + held

    def promises(self) -> Iterator[tuple[int, int, bool | None]]:
        """Of each table: the frames that are there and that it promises, and whether some lack."""
        ends = [(whole - 1, size - table.own_bytes) for table, whole, size in self._tables[1:]]
        ends.append((self.whole, self.whole_bytes))
        for (table, *start), end in zip(self._tables, ends, strict=True):
            frames, size = (last - first for first, last in zip(start, end, strict=True))
            yield frames, table.frames, table.lacks(frames, size)

    def stray_bytes(self) -> int:
        """How many bytes are neither frames nor tags, nor zeros at either end."""
        return sum(end - start for start, end in self._strays if not self._is_tag(start, end))

    def _stray(self, start, end):
        if self._strays and self._strays[-1][1] == start:
            start = self._strays.pop()[0]
        self._strays += [(start, end)] * (start < end)

    def _is_tag(self, start, end):
        self._stream.seek(start)
        data = self._stream.read(min(end - start, LOOKED_AT_BYTES))
        return TAGS.match(data) or ((not start or end >= self._at) and not data.strip(b"\0"))


def _after_tags(packet: bytes) -> int:
    """Where in a packet that begins with something else the frame with a table stands, or 0."""
    found = None if frame_bytes(packet) else TABLE.search(packet)
    near = [found.start() - 4 - size for size in SIDE_BYTES] if found else []
    return next((at for at in near if at > 0 and at + frame_bytes(packet, at) == len(packet)), 0)
