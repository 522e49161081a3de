"""Probes: questions to a layer whose answers are known, exactly or within a few roundings.

Two clips show what a layer does to those clips. A probe is an input made so that float32 rounds
next to nothing, each parameter is seen by itself, and every regime of the formula occurs. A kind
gives its probes as `LayerKind.probes(case, rng)`; `case.x` is then all zeros, in the shape of the
layer's own input, with one clip.
"""

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from parity.kinds.api import LayerCase
from parity.numerics.rounding import Array, Shape, Where
from parity.numerics.witness import Witness

BATCHES = (1, 2, 5, 9)  # clips a layer is asked with at a time
PER_SLICE = 200  # float64 answers in each slice of each axis of a random probe
SAMPLED_MOST = 2**18  # elements; a larger output is sampled
SEVERAL = 2  # clips of a random probe
ROOM = 2**21  # elements for clips that only add sizes of batches
REAL = "real input"  # the fact under which a case holds what its real input is like


class Reading(NamedTuple):
    """A part of what the layer has inside, as an answer shows it.

    name: of a parameter ("W") or of what the formula makes of some ("scale"); index: where in it;
    value: what was read; expected: what the file says; allowed: how far float32 may stray from
    that, 0 where it must be equal bit for bit; seen: where the answer shows it at all; whole: the
    parameter's shape, where this is a part of it; to: how near to its size, relative, in units of
    2^-24, a reading tells the value; size: that it is relative to, |expected| by default; hidden:
    why the answer does not show some.
    """

    name: str
    index: Any
    value: Array
    expected: Array
    allowed: Array | float = 0.0
    seen: Array | bool = True
    whole: tuple[int, ...] | None = None
    to: float = 0.0
    size: Array | None = None
    hidden: str = ""


@dataclass
class Probe:
    """One question, and the float32 numbers that are right answers.

    Attributes
    ----------
    name : str
        What is asked, "impulses of 2^64"; probes of one name are counted together.
    x : np.ndarray
        The input, float32, clips first.
    low, high : np.ndarray
        The least and the largest right answer, float32, at `at`; one array where only one is right.
    at : index
        Where in the output the answer is compared; everywhere by default.
    slack : float
        How far an answer may lie outside, relative, in units of 2^-24.
    expected, sigma : np.ndarray or None
        The formula's answer there and the rounding error to expect of it, float64. The root mean
        square of (answer - expected)/sigma is then judged in every slice of every axis; see
        `parity.probes.judging`.
    read : callable or None
        answer -> readings.
    says : callable or None
        answer -> the name of another form of the formula that the answer shows, or None.
    more : tuple of np.ndarray
        What the layer reads beside x.
    of : "run" or "logits"
        What is asked of the port: the layer, or the last layer's sums before its activation.
    """

    name: str
    x: Array
    low: Array
    high: Array
    at: Any = ...
    slack: float = 0.0
    expected: Array | None = None
    sigma: Array | None = None
    read: Callable[[Array], Iterator[Reading]] | None = None
    says: Callable[[Array], str | None] | None = None
    of: Literal["run", "logits"] = "run"
    more: tuple[Array, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether one answer alone is right."""
        return self.high is self.low and not self.slack


def right(expected: Array, allowed: Array | float) -> tuple[Array, Array]:
    """The float32 numbers from expected - allowed to expected + allowed: (least, largest)."""
    with np.errstate(over="ignore"):
        least, most = np.asarray(expected - allowed), np.asarray(expected + allowed)
        low, high = least.astype(np.float32), most.astype(np.float32)
        low = np.where(low < least, np.nextafter(low, np.float32(np.inf)), low)
        high = np.where(high > most, np.nextafter(high, np.float32(-np.inf)), high)
    return low, high


def batches(clips: int) -> list[slice]:
    """`clips` cut into batches of 1, 2, 5, 9, 9, ...: what is left over is the last one. Two stay
    together, for layers too large for more, which are asked one clip elsewhere.
    """
    if clips == SEVERAL:
        return [slice(0, SEVERAL)]
    sizes, start, cuts = itertools.chain(BATCHES, itertools.repeat(BATCHES[-1])), 0, []
    while start < clips:
        stop = min(clips, start + next(sizes))
        cuts.append(slice(start, stop))
        start = stop
    return cuts


def enough_clips(needed: int, room: float) -> int:
    """At least `needed`, and so many that as many of the BATCHES occur as there is room for."""
    totals = itertools.accumulate(BATCHES)
    return max(needed, *(total for total in totals if total <= room or total <= BATCHES[0]))


def like(case: LayerCase, clips: int) -> tuple[int, ...]:
    """The shape of the layer's input with so many clips."""
    return clips, *case.x.shape[1:]


def noise(
    case: LayerCase, rng: np.random.Generator, clips: int | None = None, centred: bool = False
) -> Array:
    """Random values, hardly any of them twice, float32: like the layer's real input where that is
    known, else of mean 0 and deviation 1.

    centred : leave the real mean out. Of sums, q is sharp for centred values alone: with a mean,
    one order is better or worse than the average of all by as much as 1.6 in a channel.
    """
    size = int(np.prod(case.x.shape[1:]))
    x = rng.random(like(case, clips or (SEVERAL if size <= SAMPLED_MOST else 1)), np.float32)
    x -= np.float32(0.5)
    x *= np.float32(12**0.5)
    real = case.facts.get(REAL)
    if real is not None:
        x *= real.spread
        if not centred:
            x += real.mean
        if real.zeros.any():
            x[rng.random(x.shape, np.float32) < real.zeros] = 0
    return x


class Real(NamedTuple):
    """Mean, spread and share of zeros of each channel of an input, against its shape, float32."""

    mean: Array
    spread: Array
    zeros: Array


def real(x: Array, axis: int) -> Real:
    """What a real input is like, channel by channel."""
    others = tuple(at for at in range(x.ndim) if at != axis % x.ndim)
    mean = x.mean(axis=others, keepdims=True, dtype=np.float64)
    spread = np.sqrt(np.square(x - mean.astype(np.float32)).mean(axis=others, keepdims=True))
    zeros = (x == 0).mean(axis=others, keepdims=True)
    return Real(*(part.astype(np.float32) for part in (mean, spread, zeros)))


def of_witness(name: str, case: LayerCase, x: Array, **more: Any) -> Probe:
    """A probe held to the layer's own oracle and its bound, everywhere."""
    expected, allowed, _ = gathered(case.but(x=x).witness)
    return Probe(name, x, *right(expected, allowed), expected=expected, **more)


def random_probe(
    case: LayerCase, x: Array, name: str = "random values", slices: bool = False
) -> Probe:
    """A probe of random values, held to the oracle on a sample of every slice of every axis.

    slices : judge the root mean square of each slice, for kinds whose sigma is that of independent
    errors.
    """
    judge = case.but(x=x).witness
    if int(np.prod(judge.shape)) <= SAMPLED_MOST:
        expected, allowed, sigma = gathered(judge)
        at: Any = ...
    else:
        expected, allowed, sigma, at = _sampled(judge)
    low, high = right(expected, allowed)
    return Probe(name, x, low, high, at, expected=expected, sigma=sigma if slices else None)


def _sampled(judge: Witness) -> tuple[Array, Array, Array, Any]:
    values, bounds, sigmas, places = [], [], [], []
    for where in stratified(judge):
        block = judge.block(where)
        values.append(block.o.reshape(-1).astype(np.float64))
        bounds.append(
            np.zeros(block.o.size) if block.bound2 is None else np.sqrt(block.bound2).reshape(-1)
        )
        sigmas.append(_sigma(judge, block).reshape(-1))
        axes = zip(where, judge.view, strict=True)
        inside = np.ix_(*(np.arange(*part.indices(size)) for part, size in axes))
        places.append(np.ravel_multi_index(inside, judge.view).reshape(-1))
    at = np.unravel_index(np.concatenate(places), judge.shape)
    return *(np.concatenate(parts) for parts in (values, bounds, sigmas)), at  # type: ignore[return-value]


def _sigma(judge: Witness, block: Any) -> Array:
    if block.sigma2 is not None:
        return np.asarray(np.sqrt(block.sigma2))
    if block.bound2 is None:
        return np.zeros(block.o.shape)
    return np.asarray(judge.sigma_share * np.sqrt(block.bound2))


def gathered(judge: Witness) -> tuple[Array, Array, Array]:
    """(values, bound, sigma) of a whole witness, float64, in the output's shape."""
    values, bounds, sigmas = (np.zeros(judge.view) for _ in range(3))
    for where in judge.blocks():
        block = judge.block(where)
        values[where] = block.o
        if block.bound2 is not None:
            bounds[where] = np.sqrt(block.bound2)
            sigmas[where] = _sigma(judge, block)
    return tuple(a.reshape(judge.shape) for a in (values, bounds, sigmas))  # type: ignore[return-value]


def stratified(judge: Witness) -> Iterator[Where]:
    """Pieces of rows with all channels, so many that each slice of each axis has PER_SLICE
    elements.
    """
    before, channels, after = judge.view
    columns = judge.shape[-1] if judge.axis < len(judge.shape) - 1 else 1
    rows, each = before * after // columns, -(-PER_SLICE // channels)
    others = [n for axis, n in enumerate(judge.shape) if axis != judge.axis]
    wanted = max(PER_SLICE, each * max(others, default=1))
    width = min(columns, max(each, -(-wanted // rows)))
    inner = max(1, after // columns)
    for row in range(rows):
        clip, line = divmod(row, inner)
        start = row * width % columns
        for first, last in ((start, min(start + width, columns)), (0, start + width - columns)):
            if first < last:
                yield (
                    slice(clip, clip + 1),
                    slice(None),
                    slice(line * columns + first, line * columns + last),
                )


def at_every_step(probe: Probe, shape: Shape, length: int) -> Probe:
    """A probe of the layer inside, whose answer is looked at at every step, or, where only some
    places of it are known, at the last.
    """

    def repeated(a: Any) -> Any:
        return a if a is None else np.repeat(a[:, None], length, axis=1)

    read = probe.read
    told = None if read is None else lambda answer: read(answer[:, -1])
    says = probe.says and (lambda answer: probe.says(answer[:, -1]))  # type: ignore[misc]
    made = replace(probe, x=repeated(probe.x), read=told, says=says)
    if probe.at is not ...:
        whole = (len(probe.x), *shape)
        places = np.unravel_index(np.arange(np.prod(whole)).reshape(whole)[probe.at], whole)
        return replace(made, at=(places[0], length - 1, *places[1:]))
    high = repeated(probe.high)
    low = high if probe.low is probe.high else repeated(probe.low)
    return replace(
        made, low=low, high=high, expected=repeated(probe.expected), sigma=repeated(probe.sigma)
    )


def of_table(
    case: LayerCase,
    values: Sequence[float] | Array,
    name: str,
    says: Callable[[Array, Array], str | None] | None = None,
) -> Iterator[Probe]:
    """An element-wise layer on some values, each at many places, as many as the layer has, with one
    clip, two, and more where there is room. The oracle is asked for each value once.

    says : (input, answer) -> as of a Probe.
    """
    table = np.asarray(values, np.float32)
    flat = case.but(x=table.reshape(1, 1, -1) if case.x.ndim > 2 else table.reshape(1, -1))
    expected, allowed, _ = gathered(flat.witness)
    each = int(np.prod(case.x.shape[1:]))
    least = max(BATCHES[0] + SEVERAL, -(-table.size // each))
    arrays = table, *(a.ravel() for a in right(expected, allowed))
    for part in batches(enough_clips(least, ROOM / each)):
        shape, start = like(case, part.stop - part.start), part.start * each % table.size
        x, low, high = (np.resize(np.roll(a, -start), shape) for a in arrays)
        yield Probe(name, x, low, high, says=says and partial(says, x))


def magnitudes(bends: Sequence[float] = (0.0,), rng: np.random.Generator | None = None) -> Array:
    """What an element-wise layer is asked: both zeros, every half octave of float32 with both
    signs, and a fine grid around each bend of its curve, float32.
    """
    # beyond 2^127 Keras's own 0.5 (x + |x|) overflows
    octaves = np.exp2(np.arange(-149, 127, 0.5))
    near = np.concatenate([np.ldexp(1.0, np.arange(-40, 3)), np.linspace(0, 4, 129)[1:]])
    grids = [bend + sign * near for bend in bends for sign in (1, -1)]
    parts: list[Any] = [(0.0, -0.0), octaves, -octaves, bends, *grids]
    if rng is not None:
        parts += [scale * rng.standard_normal(2**12) for scale in (0.01, 1, 4)]
    with np.errstate(over="ignore", under="ignore"):
        return np.concatenate(parts).astype(np.float32)


def of_ranks(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Values that name their own position, for layers that move or choose values: rising, falling
    and shuffled, none of them zero.
    """
    each = int(np.prod(case.x.shape[1:]))
    count = enough_clips(SEVERAL, ROOM / each)
    orders = {
        "ranks": lambda rank: rank + 1,
        "falling ranks": lambda rank: -(rank + 1),
        "shuffled ranks": lambda rank: -1 - (rank * _odd(rng)) % 2**24,
    }
    parts = batches(count)
    names = itertools.cycle(orders)
    for part in parts + [slice(0, 1)] * max(0, len(orders) - len(parts)):
        name = next(names)
        rank = np.arange(part.start * each, part.stop * each, dtype=np.int64) % (2**24 - 1)
        x = orders[name](rank).astype(np.float32).reshape(-1, *case.x.shape[1:])
        moved = case.kind.move(case.config, x)
        yield Probe(name, x, moved, moved)


def _odd(rng: np.random.Generator) -> int:
    return 2 * int(rng.integers(2**20, 2**22)) + 1
