"""MPEG audio: the frames of an MP3 by their own headers, and the bytes that are none.

ISO 11172-3, 2.4; ISO 13818-3 for half the rates.
"""

import re
import struct
from typing import BinaryIO

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
# frames follows, or by Fraunhofer.
TABLE = re.compile(
    rb"(?:Xing|Info).{3}[\x01\x03\x05\x07\x09\x0b\x0d\x0f](.{4})|VBRI.{10}(.{4})", re.DOTALL
)
TABLE_WITHIN_BYTES = 64
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


class Frames:
    """What a decoder's packets of an MP3 are made of: whole frames, and stray bytes.

    Attributes
    ----------
    whole, whole_bytes : int
        Frames that are as long as their headers say.
    promised : int
        Frames by the table in the first one, 0 where there is none.
    torn : str or None
        What the last frame lacks, in words.
    """

    def __init__(self, stream: BinaryIO) -> None:
        head = stream.read(TABLE_WITHIN_BYTES)
        table = TABLE.search(head)
        self.promised = int.from_bytes(table[1] or table[2], "big") if table else 0
        self.whole = self.whole_bytes = 0
        self.torn: str | None = None
        self._stream, self._strays = stream, []
        self._at, self._first = 0, frame_bytes(head)

    def take(self, position: int, packet: bytes) -> None:
        """Count a packet at `position` of the stream; packets come in order."""
        if not self._at and position == self._first:
            self._at = position  # the decoder has kept the table for itself
        length, held, follows = frame_bytes(packet), len(packet), position == self._at
        self._stray(self._at, position)
        self.torn = None
        if 0 < length <= held:
            self.whole, self.whole_bytes = self.whole + 1, self.whole_bytes + length
            self._stray(position + length, position + held)
        else:
            if length and follows:
                self.torn = f"{held} of {length} bytes of its last frame are there"
            self._stray(position, position + held)
        self._at = position + held

    def stray_bytes(self) -> int:
        """How many bytes are neither frames nor tags, nor zeros at the end."""
        return sum(end - start for start, end in self._strays if not self._is_tag(start, end))

    def _stray(self, start, end):
        if self._strays and self._strays[-1][1] == start:
            start = self._strays.pop()[0]
        self._strays += [(start, end)] * (start < end)

    def _is_tag(self, start, end):
        self._stream.seek(start)
        data = self._stream.read(min(end - start, LOOKED_AT_BYTES))
        return TAGS.match(data) or (end >= self._at and not data.strip(b"\0"))
