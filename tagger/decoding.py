"""Audio file -> blocks of samples, decoded by FFmpeg; and whether that is all the file holds.

What was decoded is held against the file's own frames or pages: the time stamps of Ogg and FLAC,
an MP3's frames byte by byte. Other kinds say in a header how long they are (tagger/containers.py).
"""

import functools
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

import numpy as np

from tagger.containers import Fault, plan_of
from tagger.mpeg import Frames

if TYPE_CHECKING:
    import av

BLOCK_SAMPLES = 1 << 18
BUFFER_BYTES = 1 << 17
CLOCKED = ("ogg", "flac")  # their frames or pages say when they are
CHECKED = {"err_detect": "crccheck+explode"}  # a frame whose check fails is no sound
TICK_S = 0.01  # two lengths closer than that read alike, and no tag tells them apart
LEAD_IN_S = 0.1  # an Opus encoder's (RFC 7845, 4.2): the last page counts it, the decoder drops it


# FFmpeg has hundreds, for video too; a file that names any other is not decoded
DECODERS = "flac vorbis opus mp3float mp3 mp2float mp2 mp1float mp1 alac adpcm_ms adpcm_ima_wav"


@functools.cache
def _decoders() -> frozenset[str]:
    import av

    pcm = (name for name in av.codecs_available if name.startswith("pcm_"))
    return frozenset([*DECODERS.split(), *pcm])


class Block(NamedTuple):
    """samples (n,channels) float32, full scale 1, at rate_hz."""

    samples: np.ndarray
    rate_hz: int


class Recording:
    """An audio file: going through it decodes it, once.

    Attributes
    ----------
    heard_s, held_s : float
        How much was decoded, and how much the file holds by its frames or pages, in seconds.
    unheard : list of str
        Afterwards: what the file holds and the decoder did not give, in words.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self._plan = stream, plan_of(stream)
        self.heard_s = self.held_s = 0.0
        self.unheard, self._why, self._failed = [], [], 0

    def __iter__(self) -> Iterator[Block]:
        """Yield blocks. Raises Fault where it is no audio or cut short, and OSError."""
        import av

        self.unheard += [self._plan.unread] * bool(self._plan.unread)
        for start, end in self._plan.parts:
            try:
                yield from _gathered(
                    self._frames(_Part(self._stream, start, end, self._plan.lengths))
                )
            except av.error.FFmpegError as error:
                raise Fault(self._plan.refusal) from error
        if self._failed and not self.heard_s:
            raise Fault(self._plan.refusal)
        if self.held_s > self.heard_s + TICK_S:
            why = f", since {' and '.join(self._why)}" if self._why else ""
            self.unheard.append(f"{self.heard_s:.2f} of {self.held_s:.2f} s can be decoded{why}")

    def _frames(self, part):
        import av

        with av.open(
            part,
            format=self._plan.kind,
            options={"codec_whitelist": ",".join(_decoders()), **dict(self._plan.options)},
            buffer_size=BUFFER_BYTES,
            metadata_errors="ignore",
        ) as container:
            sound = container.streams.best("audio")
            if sound is None or sound.codec_context.name not in _decoders():
                raise Fault(self._plan.refusal)
            if sound.codec_context.name == "flac":
                sound.codec_context.options = CHECKED
            mpeg = Frames(part.again()) if self._plan.kind == "mp3" else None
            yield from self._counted(container, sound, mpeg)

    def _counted(self, container, sound, mpeg):
        import av

        before_s, end_s, lost_s, failed, is_torn = self.heard_s, 0.0, 0.0, 0, False
        for packet in container.demux(sound):
            frames, is_sound = [], True
            try:
                frames = packet.decode()
            except av.error.InvalidDataError:
                failed, is_sound = failed + 1, False
                lost_s += float((packet.duration or 0) * packet.time_base)
            is_torn = not is_sound or (is_torn and not packet.size)
            if mpeg and packet.size:
                mpeg.take(packet.pos, bytes(packet), is_sound)
            for frame in frames:
                length_s = frame.samples / frame.sample_rate
                self.heard_s += length_s
                if frame.pts is not None:
                    end_s = max(end_s, float(frame.pts * frame.time_base) + length_s)
                yield frame
        heard_s, self._failed = self.heard_s - before_s, self._failed + failed
        if mpeg:
            self.held_s += self._by_frames(mpeg, heard_s)
        elif self._plan.kind in CLOCKED:
            said_s = float((sound.duration or 0) * sound.time_base)
            self.held_s += max(heard_s, _by_clock(end_s, said_s, is_torn))
        else:
            self.held_s += heard_s + lost_s
            self._why += [f"{failed:,} of its packets cannot be decoded"] * bool(failed)

    def _by_frames(self, mpeg, heard_s):
        """How long an MP3 is. Raises Fault where it is cut short or no audio."""
        stray, promises = mpeg.stray_bytes(), [*mpeg.promises()]
        if stray >= mpeg.whole_bytes:
            raise Fault(self._plan.refusal)
        cut = [
            f"{held:,} of {promised:,} frames are there"
            for held, promised, lack in promises
            if lack
        ]
        if mpeg.torn or (cut and not stray):
            raise Fault(f"is cut short: {mpeg.torn or cut[0]}; copy it again")
        if stray:
            self._why.append(f"{stray:,} bytes inside are no frames that can be decoded")
        for held, promised, lack in promises:
            if lack is None:
                self._why.append(f"its table promises {promised:,} frames and {held:,} are there")
        more = sum(promised - held for held, promised, lack in promises if lack is not False)
        return heard_s * (1 + (more / mpeg.whole if more else stray / mpeg.whole_bytes))


def _by_clock(end_s, said_s, is_torn):
    """How long Ogg or FLAC is by its time stamps. Raises Fault where it is cut short."""
    if is_torn or said_s > end_s + LEAD_IN_S:
        held = f"{end_s:.2f} of {said_s:.2f} s are there" if said_s else "its end is missing"
        raise Fault(f"is cut short: {held}; copy it again")
    return end_s


class _Part:
    """Bytes of a file, from start to end, as a file of their own, with other `lengths` in it."""

    def __init__(self, stream, start, end, lengths):
        self.stream, self.start, self.end, self.at = stream, start, end, 0
        self.lengths = lengths

    def read(self, count):
        count = min(count, self.end - self.start - self.at)
        if count <= 0:
            return b""
        self.stream.seek(self.start + self.at)
        data = bytearray(self.stream.read(count))
        for at, length in self.lengths.items():
            for i, byte in enumerate(length, at - self.at):
                if 0 <= i < len(data):
                    data[i] = byte
        self.at += len(data)
        return bytes(data)

    def seek(self, offset, whence=0):
        at = offset + (0, self.at, self.end - self.start)[whence]
        self.at = max(0, at)  # a damaged header may lead before the beginning
        return self.at

    def tell(self):
        return self.at

    def again(self):
        """The same bytes, read apart."""
        return _Part(self.stream, self.start, self.end, self.lengths)


def _gathered(frames):
    """Yield Blocks of at least BLOCK_SAMPLES, except before another rate or other channels."""
    waiting, held, layout = [], 0, None
    for frame in frames:
        now = frame.sample_rate, frame.layout.nb_channels
        if waiting and (held >= BLOCK_SAMPLES or now != layout):
            yield Block(np.concatenate(waiting), layout[0])
            waiting, held = [], 0
        waiting.append(_floats(frame))
        held, layout = held + frame.samples, now
    if waiting:
        yield Block(np.concatenate(waiting), layout[0])


def _floats(frame: "av.AudioFrame") -> np.ndarray:
    """(n,channels) float32, full scale 1."""
    samples = frame.to_ndarray()
    samples = samples.T if frame.format.is_planar else samples.reshape(frame.samples, -1)
    if samples.dtype.kind == "f":
        return samples.astype(np.float32, copy=False)
    full_scale = 1 << 8 * samples.dtype.itemsize - 1
    zero = full_scale if samples.dtype.kind == "u" else 0
    return (samples.astype(np.float32) - np.float32(zero)) / np.float32(full_scale)
