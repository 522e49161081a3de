"""What kind of audio file it is, where its sound stands, and what it says of its own length.

FFmpeg decodes what it gets, without a word on what is missing. But each kind says how long it is:
the chunk that holds the sound in RIFF and RF64 (EBU Tech 3306), W64, AIFF and CAF; the header of
AU; in Ogg a mark on the last page (RFC 3533). Of FLAC, MP3 and Ogg more is known once they are
decoded (tagger/decoding.py).
"""

import mmap
import os
import re
import struct
from collections.abc import Mapping
from typing import BinaryIO, NamedTuple

from tagger.mpeg import frame_bytes, is_free

STREAMED = 0x7F000000  # from here on, a length of 32 bits says that a pipe was written to
MOST_CHUNKS = 1000
ASIDE_BYTES = 1 << 16  # of what stands before or follows the sound, looked at
LEAST_SHARE = 0.001  # of the sound; less is no music
NO_AUDIO = "cannot be read as audio; give a wav, flac, ogg or mp3 file"
UNFINISHED = "has a header that was never finished, as in a pipe; write it into a file again"
FREE_FORMAT = (
    "is an mp3 in free format, which FFmpeg does not decode; give what `lame --decode` makes of it"
)
LAST_PAGE = 4  # a flag
ID3, FOOTER = re.compile(rb"ID3...[\0-\x7f]{4}", re.DOTALL), 0x10
# What a file begins with that has other bytes before it
HEADER = re.compile(
    rb"(?:RIFF|RIFX|RF64|BW64).{4}WAVE|FORM.{4}AIF[FC]|riff.\x91\xcf\x11|caff\x00\x01|OggS\x00"
    rb"|fLaC\x00\x00\x00\x22",
    re.DOTALL,
)
FIRST_PAGE = re.compile(rb"OggS\0[\x02\x06]")


class Fault(ValueError):
    """What is wrong with an audio file and what to do, without its name."""


class Plan(NamedTuple):
    """How to decode a file.

    kind, options : FFmpeg's demuxer.
    parts : (start, end) in bytes, each decoded as a file of its own.
    unread : what of the file is not looked at, in words.
    lengths : {where in a part: bytes in place of a length that a pipe left open}.
    refusal : what to say where none of it can be decoded.
    """

    kind: str
    parts: tuple[tuple[int, int], ...]
    options: Mapping[str, str] = {}
    unread: str | None = None
    lengths: Mapping[int, bytes] = {}
    refusal: str = NO_AUDIO


class Chunks(NamedTuple):
    """A kind of file that consists of chunks."""

    kind: str
    first: int  # where the first chunk stands
    header: str  # how (name, length) are packed
    sound: bytes  # name of the chunk that holds the sound
    padded_to: int  # bytes
    own: int = 0  # bytes of its header that a chunk counts in its length
    endless: int = STREAMED  # from here on, a length means none
    form: str = ""  # how the lengths are packed that its decoder needs, where a pipe left them open
    outer: int = 0  # where the file's own length stands, if its decoder needs that, too


RIFF = Chunks("wav", 12, "<4sI", b"data", 2)
RIFX = RIFF._replace(header=">4sI")
FORM = Chunks("aiff", 12, ">4sI", b"SSND", 2, form=">I", outer=4)
CAF = Chunks("caf", 8, ">4sq", b"data", 1, endless=1 << 62)
W64_SOUND = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
W64 = Chunks("w64", 40, "<16sq", W64_SOUND, 8, own=24, endless=1 << 62, form="<q")
TO_THE_END = {"wav": {"ignore_length": "1"}}  # the other kinds' decoders go on by themselves


def plan_of(stream: BinaryIO) -> Plan:
    """How to decode the file. Raises Fault where it is cut short or no audio, and OSError."""
    size = os.fstat(stream.fileno()).st_size
    start = _after_id3(stream)
    head = _read(stream, start, ASIDE_BYTES)
    found = None if head[:4] in CHECKS or frame_bytes(head) else HEADER.search(head)
    if not found:
        return CHECKS.get(head[:4], _mpeg)(stream, start, size)
    before = found.start()
    plan = CHECKS[found[0][:4]](stream, start + before, size)
    if not head[:before].strip(b"\0"):
        return plan
    said = f"its header begins at byte {before + 1:,}, after what is neither sound nor a tag"
    return plan._replace(unread=f"{said}, and {plan.unread}" if plan.unread else said)


def _after_id3(stream):
    """Where the file begins after its ID3v2 tags: ten bytes, of which the length has four with
    seven bits each, what is so long, and ten more where a flag says so.
    """
    start = 0
    while ID3.fullmatch(head := _read(stream, start, 10)):
        length = sum(byte << 7 * (3 - i) for i, byte in enumerate(head[6:]))
        start += 10 + length + 10 * bool(head[5] & FOOTER)
    return start


def _chunks(kind):
    def check(stream, start, size):
        at, promised = _sound_in(stream, start, kind)
        return _held(stream, kind, start, size, at, promised)

    return check


def _rf64(stream, start, size):
    at, _ = _sound_in(stream, start, RIFF)
    lengths = _read(stream, start + 20, 16)  # in the first chunk, ds64: of the file, of the sound
    if len(lengths) < 16:
        raise Fault(NO_AUDIO)
    promised = struct.unpack("<8xQ", lengths)[0]
    return _held(stream, RIFF._replace(endless=1 << 62), start, size, at, promised)


def _sound_in(stream, start, kind):
    """Where the sound begins and how many bytes it should have; (0, 0) where there is none."""
    at = start + kind.first
    for _ in range(MOST_CHUNKS):
        name, length, at = _chunk(stream, at, kind)
        if name is None:
            break
        if name == kind.sound:
            return at, length
        at += -(-max(0, length) // kind.padded_to) * kind.padded_to
    return 0, 0


def _chunk(stream, at, kind):
    head = _read(stream, at, struct.calcsize(kind.header))
    if len(head) < struct.calcsize(kind.header):
        return None, 0, at
    name, length = struct.unpack(kind.header, head)
    return name, length - kind.own, at + len(head)


def _held(stream, kind, start, size, at, promised):
    plan = Plan(kind.kind, ((start, size),))
    is_open = promised in (0, -kind.own) or promised >= kind.endless
    if not at or (promised < 0 and not is_open):
        return plan._replace(refusal=UNFINISHED if at else NO_AUDIO)
    if is_open:
        lengths = _written(kind, size - start, at - start)
        return plan._replace(options=TO_THE_END.get(kind.kind, {}), lengths=lengths)
    _whole(size - at, promised)
    return plan._replace(unread=_after(stream, kind, size, at + promised, promised))


def _written(kind, size, at):
    """The lengths that a pipe left open, as they would be in a file."""
    if not kind.form:
        return {}
    width = struct.calcsize(kind.form)
    outer = {kind.outer: struct.pack(kind.form, size - 2 * width)} if kind.outer else {}
    return outer | {at - width: struct.pack(kind.form, size - at + kind.own)}


def _whole(held, promised):
    if held < promised:
        raise Fault(f"is cut short: {held:,} of {promised:,} bytes are there; copy it again")


def _after(stream, kind, size, end, promised):
    """Words on bytes after the sound that are neither other chunks nor tags, or None."""
    at = end + -end % 2
    for _ in range(MOST_CHUNKS):
        name, length, after = _chunk(stream, at, kind)
        if not _is_other(name, kind) or length > size - after:
            break
        at = after + -(-max(0, length) // kind.padded_to) * kind.padded_to
    rest = _read(stream, at, ASIDE_BYTES).lstrip(b"\0")
    if (
        size - at < LEAST_SHARE * promised
        or not rest
        or rest[:3] in (b"TAG", b"ID3")
        or rest[:8] == b"APETAGEX"
    ):
        return None
    return f"by its header it ends after {promised:,} of {promised + size - at:,} bytes"


def _is_other(name, kind):
    return name and name[:4].isascii() and name[:4] not in CHECKS and name != kind.sound


def _au(stream, start, size):
    head = _read(stream, start + 4, 8)
    if len(head) < 8:
        raise Fault(NO_AUDIO)
    offset, promised = struct.unpack(">2I", head)
    if promised < STREAMED:
        _whole(size - start - offset, promised)
    return Plan("au", ((start, size),))


def _ogg(stream, start, size):
    with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        # RFC 3533, 4: a stream may follow another. First pages side by side are of one stream.
        first = [page.start() for page in FIRST_PAGE.finditer(data, start)]
        ends = {page + _page_bytes(data, page) for page in first}
        starts = [page for page in first if page not in ends]
        if not starts or starts[0] != start:
            raise Fault("is cut short: its first page is missing; copy it again")
        parts = tuple(zip(starts, [*starts[1:], size], strict=True))
        for part, end in parts:
            last = data.rfind(b"OggS", part, end)
            if last + 5 >= end or not data[last + 5] & LAST_PAGE:
                raise Fault("is cut short: its last page is missing; copy it again")
    return Plan("ogg", parts)


def _page_bytes(data, at):
    segments = at + 27
    body = segments + data[segments - 1]
    return body - at + sum(data[segments:body])


def _plain(kind):
    return lambda stream, start, size: Plan(kind, ((start, size),))


def _mpeg(stream, start, size):
    said = FREE_FORMAT if is_free(_read(stream, start, 4)) else NO_AUDIO
    return Plan("mp3", ((start, size),), refusal=said)


def _read(stream: BinaryIO, at, count):
    stream.seek(at)
    return stream.read(count)


# The first four bytes -> how to plan such a file. Others may be MPEG.
CHECKS = {
    b"RIFF": _chunks(RIFF),
    b"RIFX": _chunks(RIFX),
    b"RF64": _rf64,
    b"BW64": _rf64,
    b"FORM": _chunks(FORM),
    b"riff": _chunks(W64),
    b"caff": _chunks(CAF),
    b".snd": _au,
    b"OggS": _ogg,
    b"fLaC": _plain("flac"),
}
