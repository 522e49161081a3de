"""What a convolution is asked: impulses that show every weight and every place, nothing, and noise.

One impulse lies in the receptive field of each output, so a sum has one term beside the bias and
any order of adding gives it exactly. An impulse of 2^64 lifts even a weight of 2^-40 above the
bias' rounding: answer / 2^64 is the weight, bit for bit.
"""

import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.convolution.arithmetic import Convolution
from parity.kinds.convolution.bound import convolution
from parity.kinds.probing import (
    ROOM,
    SEVERAL,
    Probe,
    Reading,
    batches,
    enough_clips,
    like,
    noise,
    random_probe,
)
from parity.numerics.rounding import Array

SIZES = (64, 62, 66)  # exponents of the impulses, in turn, so that none answers for another
SMALL = -20  # exponent of the smallest inputs that music has: thresholds show there
CLIPS_MOST = 4096
BELOW_BIAS = "the bias hides them, even beside an impulse of 2^64"


class Side(NamedTuple):
    """One axis of the image: where impulses lie, and which of them each output sees.

    inputs: positions of the impulses; impulse: of each output, index into them, -1 for none; tap:
    of the flipped kernel that meets it.
    """

    inputs: Array
    impulse: Array
    tap: Array


def _side(n: int, out: int, kernel: int, stride: int, pad: int, first: int) -> Side:
    inputs = np.arange(first, n, kernel)
    start = np.arange(out) * stride - pad  # of each output's receptive field
    place = -(-(start - first) // kernel)
    seen = (place >= 0) & (place < len(inputs))
    tap = first + kernel * place - start
    return Side(inputs, np.where(seen, place, -1), np.where(seen, tap, 0))


class Clip(NamedTuple):
    """One clip of impulses: their sides, channels and signed amplitudes, (rows, columns)."""

    rows: Side
    columns: Side
    channel: Array
    size: Array

    def taps(self) -> tuple[Array, Array, Array, Array]:
        """(seen, channel, row of the kernel, its column) of each output position."""
        at = np.ix_(self.rows.impulse, self.columns.impulse)
        seen = (self.rows.impulse >= 0)[:, None] & (self.columns.impulse >= 0)
        shape = seen.shape
        across = np.broadcast_to(self.rows.tap[:, None], shape)
        return seen, self.channel[at], across, np.broadcast_to(self.columns.tap, shape)


def clips(conv: Convolution, shape: tuple[int, ...]) -> list[Clip]:
    """So many clips that every weight is met and every output position sees an impulse."""
    channels, image = shape[1], shape[2:]
    out = conv.output_shape(shape)[2:]
    met = np.zeros((channels, *conv.size), bool)
    covered = np.zeros(out, bool)
    full = tuple(k - 1 - p for k, p in zip(conv.size, conv.pad, strict=True))
    classes = list(itertools.product(*(range(k) for k in conv.size)))
    classes.sort(key=lambda first: first != full)
    made: list[Clip] = []
    turn = 0

    def add(first: tuple[int, ...], anyway: bool = False) -> bool:
        """Whether a clip of this class of positions met something new; then it is kept."""
        nonlocal turn
        sides = [
            _side(*each)
            for each in zip(image, out, conv.size, conv.stride, conv.pad, first, strict=True)
        ]
        grid = (len(sides[0].inputs), len(sides[1].inputs))
        number = np.arange(grid[0] * grid[1])
        sign = (-1.0) ** (number + len(made))
        exponent = np.take(SIZES, (number // 2 + len(made)) % len(SIZES))
        clip = Clip(
            sides[0],
            sides[1],
            ((number + turn) % channels).reshape(grid),
            (sign * 2.0**exponent).reshape(grid),
        )
        if not number.size:
            return False
        seen, channel, row, column = clip.taps()
        before = int(met.sum()) + int(covered.sum())
        met[channel[seen], row[seen], column[seen]] = True
        np.logical_or(covered, seen, out=covered)
        new = anyway or int(met.sum()) + int(covered.sum()) > before
        if new:
            made.append(clip)
            turn += number.size
        return new

    for first in classes:
        while not (met.all() and covered.all()) and len(made) < CLIPS_MOST and add(first):
            pass
    wanted = enough_clips(max(len(made), SEVERAL), ROOM / (int(np.prod(out)) * len(conv.bias)))
    for first in itertools.cycle(reversed(classes)):
        if len(made) >= wanted:
            break
        add(first, anyway=True)
    return made


def _impulses(
    conv: Convolution, shape: tuple[int, ...], some: list[Clip], name: str = "impulses of 2^64"
) -> Probe:
    x = np.zeros((len(some), *shape[1:]), np.float32)
    matrix, taps = conv.matrix.astype(np.float32), (shape[1], *conv.size)  # (K, C kh kw)
    bias = conv.bias.astype(np.float32)
    right = np.empty((len(some), *conv.output_shape(shape)[1:]), np.float32)
    for at, clip in enumerate(some):
        x[at][clip.channel, clip.rows.inputs[:, None], clip.columns.inputs] = clip.size
        seen, *places = clip.taps()
        size = clip.size[np.ix_(clip.rows.impulse, clip.columns.impulse)] * seen
        answers, tap = right[at].reshape(len(bias), -1), np.ravel_multi_index(places, taps)
        np.take(matrix, tap.ravel(), axis=1, out=answers, mode="clip")
        answers *= size.ravel().astype(np.float32)  # exact, and adding the bias rounds once
        answers += bias[:, None]

    def read(answer: Array) -> Iterator[Reading]:
        """Kernels in Keras's own orientation."""
        for at, clip in enumerate(some):
            seen, *places = clip.taps()
            tap = np.ravel_multi_index([each[seen] for each in places], taps)
            tap, first = np.unique(tap, return_index=True)  # one of the places that show it
            places = np.flatnonzero(seen)[first]
            channel, row, column = np.unravel_index(tap, taps)
            size = clip.size[np.ix_(clip.rows.impulse, clip.columns.impulse)].ravel()[places]
            value, shown = (
                each[at].reshape(len(bias), -1)[:, places].astype(np.float64) / size
                for each in (answer, right)
            )
            yield Reading(
                "W",
                (slice(None), channel, conv.size[0] - 1 - row, conv.size[1] - 1 - column),
                value,
                shown,
                seen=shown == matrix[:, tap],
                whole=(len(bias), *taps),
                hidden=BELOW_BIAS,
            )

    return Probe(name, x, right, right, slack=2.0, read=read)


def _nothing(case: LayerCase, conv: Convolution, count: int) -> Probe:
    x = np.zeros(like(case, count), np.float32)
    shape = conv.output_shape(x.shape)
    right = np.broadcast_to(conv.bias.astype(np.float32)[:, None, None], shape)

    def read(answer: Array) -> Iterator[Reading]:
        values = answer.reshape(*shape[:2], -1)
        alike = (values == values[:1, :, :1]).all(axis=(0, 2))
        yield Reading("b", ..., values[0, :, 0], conv.bias, seen=alike)

    return Probe("nothing", x, right, right, read=read)


def probes(case: LayerCase, rng: np.random.Generator, both: bool = False) -> Iterator[Probe]:
    """Impulses, nothing, values of 2^-20 and of about 1 without repeats.

    both : ask every impulse with either sign, for layers that let one sign through.
    """
    conv = convolution(case)
    shape = case.x.shape
    made = clips(conv, shape)
    if both:
        made += [clip._replace(size=-clip.size) for clip in made]
    for part in batches(len(made)):
        yield _impulses(conv, shape, made[part])
    if shape[1] > 1:  # every other channel is next to silent
        exponent = np.where(made[0].channel % 2, SMALL, SIZES[0])
        quiet = made[0]._replace(size=np.ldexp(np.sign(made[0].size), exponent))
        yield _impulses(conv, shape, [quiet], f"impulses of 2^64 and of 2^{SMALL}")
    yield _nothing(case, conv, 1)
    x = noise(case, rng, centred=True)
    yield random_probe(case, x, slices=True)
    x = rng.random(like(case, 1), np.float32) - np.float32(0.5)
    tiny = np.ldexp(np.copysign(1 + np.abs(x), x), SMALL)
    yield random_probe(case, tiny, f"values of 2^{SMALL}")
