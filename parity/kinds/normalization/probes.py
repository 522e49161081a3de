"""What a batch normalisation is asked.

With stored statistics y = s x + t, one s and t a channel. At x = 2^64 nothing but s is left of the
answer, and the product rounds nothing: answer / 2^64 is the port's own s. At x = 0 it is t, which
float32 can have off by the two roundings of beta - s mean, with that s.

With the batch's, each channel holds two values m +- d, powers of two in equal number: any order of
summing gives mean and variance exactly. d from 2^-14 to 2^10 shows eps and where it stands. Clips
that differ tell whose statistics were taken.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.normalization.formula import (
    SAMPLE_MODE,
    Affine,
    channel_axis,
    formula,
    uses_batch,
    view,
)
from parity.kinds.probing import (
    REAL,
    ROOM,
    SEVERAL,
    Probe,
    Reading,
    batches,
    enough_clips,
    like,
    noise,
    of_witness,
    random_probe,
    right,
)
from parity.numerics.rounding import FLUSHED, Array, U

LARGE = 2.0**64
OF_SCALE = 3.5  # roundings of gamma, spread and eps: at most three operations and a root's half
SIZES = 2.0 ** np.arange(-20, 24, 4)
SPREADS = np.arange(-14, 11)  # exponents of d
FAR = 13  # a mean of up to 2^12 spreads: there E[x^2] - E[x]^2 is no variance in float32
CLOSE = 8.0  # u, of a scale or the larger part of a shift
HIDDEN = "beta is larger than what any spread makes of the scale"


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Exact questions about scale and shift, then values as music has them."""
    if case.config["mode"] == SAMPLE_MODE:
        yield from _of_samples(case, rng)
        return
    yield from (_of_batch if uses_batch(case) else _stored)(case)
    x = noise(case, rng)
    if uses_batch(case) and REAL not in case.facts:
        channels = np.arange(len(case.params["beta"]))
        offsets = np.ldexp((-1.0) ** channels, channels * 5 % FAR)
        x += offsets.reshape(_along(case)).astype(np.float32)
    yield random_probe(case, x)


def _of_samples(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Rows of every spread, about nothing and about a mean, then values as music has them."""
    for clips, offset in ((1, 0.0), (2, 4.0)):
        x = np.sign(rng.random(like(case, clips)) - 0.5) + offset
        rows = np.arange(x[..., 0].size).reshape(x.shape[:-1])
        x = np.ldexp(x, np.take(SPREADS, rows * 7 % len(SPREADS))[..., None]).astype(np.float32)
        yield of_witness("rows of two values, each with another spread", case, x)
    yield random_probe(case, noise(case, rng))


def _along(case: LayerCase) -> list[int]:
    """The shape of one value a channel, against the layer's input."""
    return [n if axis == channel_axis(case) else 1 for axis, n in enumerate(case.x.shape)]


def _count(case: LayerCase) -> int:
    return enough_clips(SEVERAL, ROOM / float(np.prod(case.x.shape[1:])))


def _stored(case: LayerCase) -> Iterator[Probe]:
    affine, start = formula(case), 0
    mean = affine.mean.astype(np.float32)
    shared = np.concatenate([[0, LARGE, -LARGE], SIZES, -SIZES])
    table = np.concatenate(
        [np.broadcast_to(shared, (len(mean), len(shared))), mean[:, None], 2 * mean[:, None]],
        axis=1,
    ).astype(np.float32)
    expected = affine.scale[:, None] * table + (affine.beta - affine.scale * affine.mean)[:, None]
    answers = right(expected, _allowed(affine, table, expected))
    for part in batches(_count(case)):
        clips = part.stop - part.start
        target = view(case.but(x=np.zeros(like(case, clips), np.float32)))
        before, _, after = target.shape
        number = (np.arange(before * after) + start).reshape(before, after) % table.shape[1]
        start += before * after
        firsts = number[:, 0]
        x, low, high = (
            _spread(each, firsts, after).reshape(like(case, clips)) for each in (table, *answers)
        )
        read = partial(_read, affine, number, target.shape)
        yield Probe("0, 2^64, the mean and sizes between", x, low, high, read=read)


def _spread(table: Array, firsts: Array, count: int) -> Array:
    """table (C, values) over and over, from one of the firsts (before,): (before, C, count)."""
    often = np.tile(table, -(-count // table.shape[1]) + 1)
    return np.stack([often[:, first : first + count] for first in firsts])


def _allowed(affine: Affine, x: Array, y: Array) -> Array:
    """Of any order of operations: see Normalized, without its measured statistics."""
    scale, mean, beta = (np.abs(row)[:, None] for row in affine[:3])
    allowed: Array = np.abs(x) * (4 * U * scale)
    allowed += U * np.abs(y)
    allowed += U * (4 * scale * mean + 2 * beta) + FLUSHED
    return allowed


def _read(
    affine: Affine, number: Array, shape: tuple[int, ...], answer: Array
) -> Iterator[Reading]:
    """Scale and shift of every channel; the shift is held to the scale that the port showed."""
    flat = answer.reshape(shape)
    shown = {}
    for name, place, size in (("up", 1, LARGE), ("down", 2, -LARGE), ("shift", 0, 1.0)):
        at = np.argwhere(number == place)
        if not len(at):
            return
        shown[name] = flat[at[0][0], :, at[0][1]].astype(np.float64) / size
    scale = (shown["up"] + shown["down"]) / 2
    of_scale = OF_SCALE * U * np.abs(affine.scale)
    yield Reading("scale", ..., scale, affine.scale, of_scale, to=CLOSE)
    product = scale * affine.mean
    expected = affine.beta - product
    allowed = U * (2 * np.abs(product) + np.abs(expected)) + FLUSHED
    larger = np.maximum(np.abs(affine.beta), np.abs(product))
    yield Reading("shift", ..., shown["shift"], expected, allowed, to=CLOSE, size=larger)


def _of_batch(case: LayerCase) -> Iterator[Probe]:
    more = [(5, 0.0), (9, 0.0)] if _count(case) > SEVERAL else []
    for turn, (clips, offset) in enumerate([(2, 0.0), (1, 0.0), (1, 16.0), (2, 4.0), *more]):
        yield _two_valued(case, clips, turn, offset)
    yield _spikes(case)


def _two_valued(case: LayerCase, clips: int, turn: int, offset: float) -> Probe:
    """Channels of m +- d, m = offset d: with two clips the signs of one are the other's negated."""
    target = view(case.but(x=np.zeros(like(case, clips), np.float32)))
    before, channels, after = target.shape
    exponent = np.take(SPREADS, (np.arange(channels) * 7 + turn * 3) % len(SPREADS))
    large = (np.arange(channels) + turn) % 2 == 0  # in every other probe, where s shows well
    d = np.ldexp(1.0, np.where(large, abs(exponent) % 11, exponent))
    position = np.arange(before * after).reshape(before, 1, after)
    a_clip = before * after // clips
    signs = position // a_clip
    if a_clip > 1 and (clips != SEVERAL or offset):
        signs += position
    down = np.broadcast_to(signs % 2 == 1, target.shape)
    sides = d * (offset + 1), d * (offset - 1)  # (C,): of +d and of -d
    x = np.where(down, sides[1][:, None], sides[0][:, None]).astype(np.float32)
    affine = formula(case.but(x=x.reshape(like(case, clips))))
    low_high = [_answers(affine, side, bool(offset)) for side in sides]
    low, high = (
        np.where(down, of_minus[:, None], of_plus[:, None]).reshape(like(case, clips))
        for of_plus, of_minus in zip(*low_high, strict=True)
    )
    read = None if offset else partial(_spread_read, affine, d, down, target.shape)
    name = f"two values a channel, {clips} clips" if clips > 1 else "two values a channel"
    return Probe(name, x.reshape(like(case, clips)), low, high, read=read)


def _spikes(case: LayerCase) -> Probe:
    """Zeros but for +d and -d in each channel: their answers are gamma sqrt(N/2) off beta, so that
    s shows beside any beta.
    """
    whole = like(case, 1 if case.x[:1].size > len(case.params["beta"]) else 2 * SEVERAL)
    target = view(case.but(x=np.zeros(whole, np.float32)))
    before, channels, after = target.shape
    count, channel = before * after, np.arange(channels)
    first = channel * 127 % count
    places = [(at // after, channel, at % after) for at in (first, (first + count // 2) % count)]
    d = np.full(channels, 2.0**6)
    x = np.zeros(target.shape, np.float32)
    x[places[0]], x[places[1]] = d, -d
    affine = formula(case.but(x=x.reshape(whole)))
    beta, size = affine.beta.astype(np.float32), affine.scale * d
    low, high = (np.broadcast_to(beta[:, None], target.shape).copy() for _ in range(2))
    for at, sign in zip(places, (1, -1), strict=True):
        expected = sign * size + affine.beta
        allowed = (OF_SCALE + 2) * U * np.abs(size) + U * np.abs(expected) + FLUSHED
        low[at], high[at] = right(expected, allowed)

    def read(answer: Array) -> Iterator[Reading]:
        up, down = (answer.reshape(target.shape)[at].astype(np.float64) for at in places)
        allowed = (OF_SCALE + 0.5) * U * np.abs(affine.scale)
        allowed += U * (np.abs(affine.beta) + np.abs(size)) / d
        scale = (up - down) / (2 * d)
        yield Reading("scale", ..., scale, affine.scale, allowed, count > 2, to=CLOSE)

    name = "two spikes a channel"
    return Probe(name, x.reshape(whole), low.reshape(whole), high.reshape(whole), read=read)


def _answers(affine: Affine, x: Array, offset: bool) -> tuple[Array, Array]:
    """The right answers to one value a channel, (C,) each."""
    centred = affine.scale * (x - affine.mean)
    expected = centred + affine.beta
    # float32 may round mean and variance themselves, where they are no powers of two
    of_mean = U * np.abs(affine.scale * affine.mean)
    allowed = (OF_SCALE + 2) * U * np.abs(centred) + U * np.abs(expected) + of_mean + FLUSHED
    if offset:  # in the order x s + (beta - s mean) both terms round on their own scale
        allowed += 4 * of_mean + U * np.abs(affine.beta)
    return right(expected, allowed)


def _spread_read(
    affine: Affine, d: Array, down: Array, shape: tuple[int, ...], answer: Array
) -> Iterator[Reading]:
    """Scale at this spread and beta, from one answer to +d and one to -d."""
    flat = answer.reshape(shape)
    places = [np.argwhere(side[:, 0])[:1] for side in (~down, down)]
    if not all(len(at) for at in places):
        return
    high, low = (flat[at[0][0], :, at[0][1]].astype(np.float64) for at in places)
    level = np.abs(affine.beta) + np.abs(affine.scale) * d  # what the two answers round at
    allowed = OF_SCALE * U * np.abs(affine.scale) + 2 * U * level / d
    shown = level < 2 * d * np.abs(affine.scale)
    scale = (high - low) / (2 * d)
    yield Reading("scale", ..., scale, affine.scale, allowed, shown, to=CLOSE, hidden=HIDDEN)
    # the mean is 0, where the values are of even number
    beta: Array = affine.beta - affine.scale * affine.mean
    yield Reading("beta", ..., (high + low) / 2, beta, 2 * U * level + FLUSHED, to=CLOSE)
