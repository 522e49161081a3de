"""Hypotheses read off an output: which channels, and by how much. Each is then tested like any
other.
"""

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from parity.kinds.api import LayerCase
from parity.numerics.regression import Line, add_per_channel
from parity.numerics.rounding import NOTHING, Array
from parity.numerics.witness import Adjusted, Block, pieces
from parity.results import Estimate, OfChannels

SUSPECTS_MOST = 4  # channels fitted one by one; more are no fault of single channels
POSITIONS_ENOUGH = 2**15  # per channel, to fit a line
T_LEAST = 15.0


class Proposal(NamedTuple):
    """What a fit proposes: a hypothesis and the constant it read off the output.

    made: a LayerCase or a Witness; explains_any: it explains whatever more specific hypotheses
    explain, and is named after all of them.
    """

    name: str
    made: Any
    estimate: Estimate | None = None
    explains_any: bool = False


class Seen:
    """An output that fails, beside the layer it should have come from: what every fit looks at."""

    def __init__(self, case: LayerCase, actual: Array) -> None:
        self.case, self.actual = case, np.asarray(actual)
        self.judge: Any = case.witness  # with what its kind adds to a Witness

    @cached_property
    def values(self) -> Array:
        """The output as the witness' view, where they have the same shape."""
        return np.ascontiguousarray(self.actual).reshape(self.judge.view)

    @cached_property
    def centre(self) -> Array:
        """(C,): where an offset is read."""
        return self.judge.limits.centre if self.judge.limits else np.zeros(self.judge.view[1])

    @property
    def touched(self) -> Array:
        """Channels with an element beyond the bound."""
        return self._regressed[0]

    @property
    def line(self) -> Line:
        """Every channel's regression of actual - o on o - centre: a Line."""
        return self._regressed[1]

    @cached_property
    def _regressed(self) -> tuple[Array, Line]:
        judge, channels = self.judge, self.judge.view[1]
        sums, beyond = np.zeros((7, channels)), np.zeros(channels, int)
        every = max(1, judge.view[0] * judge.view[2] // POSITIONS_ENOUGH)
        for where in judge.blocks():
            block = judge.block(where)
            d = self.values[where] - block.o
            bound2 = NOTHING if block.bound2 is None else block.bound2
            beyond[where[1]] += np.count_nonzero(~(d * d <= bound2), axis=(0, 2))
            d, x, w = (
                a[:, :, ::every]
                for a in (d, block.o - self.centre[where[1], None], block.weights + 0 * block.o)
            )
            terms = (w, w * x, w * x * x, w * d, w * x * d, w * d * d, w * 0 + 1)
            add_per_channel(sums, where[1], terms)
        return np.flatnonzero(beyond), Line(*sums)


def estimate(what: str, value: Any, se: float) -> Estimate:
    """What a fit read off the output, with its standard error."""
    return Estimate(what, float(value), float(se))


def channel_order(seen: Seen, without: Array | None = None) -> Array | None:
    """For each channel of the output the oracle's channel that it equals within the bound, (C,).

    None where a channel equals none, or where every channel is in its place. without: what each
    channel has added, (C,), which is taken off on both sides.
    """
    if seen.judge.view[1] < 2:
        return None
    gathered = [
        _by_channel(seen.judge.block(where), seen.values[where]) for where in pieces(seen.judge, 64)
    ]
    port, o, bound2 = (np.concatenate(parts, axis=1) for parts in zip(*gathered, strict=True))
    if without is not None:
        port, o = port - without[:, None], o - without[:, None]
    found = np.empty(len(port), int)
    for channel, row in enumerate(port):
        ratio2 = (np.square(row - o) / bound2).max(axis=1)
        found[channel] = channel if ratio2[channel] <= 1 else int(np.argmin(ratio2))
        if not ratio2[found[channel]] <= 1:
            return None
    return None if (found == np.arange(len(found))).all() else found


def _by_channel(block: Block, values: Array) -> list[Array]:
    bound2 = np.full(block.o.shape, NOTHING) if block.bound2 is None else block.bound2
    return [
        np.moveaxis(a, 1, 0).reshape(a.shape[1], -1).astype(np.float64)
        for a in (values, block.o, bound2)
    ]


def permuted(seen: Seen) -> Iterator[Proposal]:
    """The output's channels in another order, which is found out."""
    order = channel_order(seen)
    if order is not None:
        name = permutation_name(order, seen.judge.axis_name)
        yield Proposal(name, Adjusted(seen.judge, order))


def permutation_name(order: Array, axis_name: str) -> str:
    """What an order of channels is called."""
    identity = np.arange(len(order))
    moved = np.flatnonzero(order != identity)
    if len(moved) == 1:
        return f"{axis_name} {moved[0]} is a copy of {axis_name} {order[moved[0]]}"
    if len(moved) == 2 and order[moved[0]] == moved[1] and order[moved[1]] == moved[0]:
        return f"{axis_name}s {moved[0]} and {moved[1]} swapped"
    if any((order == np.roll(identity, step)).all() for step in (1, -1)):
        return f"{axis_name}s one off"
    return f"{axis_name}s in another order"


def adjusted(seen: Seen) -> Iterator[Proposal]:
    """Channels multiplied by a constant or moved by one: up to a few, each by its own; or all
    multiplied by the same.
    """
    if seen.judge.moves or seen.judge.limits is None:
        return
    touched, line, limits = seen.touched, seen.line, seen.judge.limits
    if not len(touched):
        gains = (np.abs(line.gain), limits.gain, line.gain_error)
        offsets = (np.abs(line.offset), limits.offset, line.height_error)
        strong = [(size > limit) & (size > T_LEAST * se) for size, limit, se in (gains, offsets)]
        touched = np.flatnonzero(strong[0] | strong[1])
    yield _common_gain(seen)
    if 0 < len(touched) <= SUSPECTS_MOST:
        yield from _few_adjusted(seen, touched)


def _common_gain(seen: Seen) -> Proposal:
    """One factor for all channels, their weighted mean; its error shows how they differ."""
    gain, se = seen.line.gain, seen.line.gain_error
    weights = np.where(np.isfinite(se) & (se > 0), 1 / np.square(se), 0.0)
    factor = np.sum(weights * gain) / np.sum(weights)
    error = np.sqrt(np.sum(np.square(weights * (gain - factor)))) / np.sum(weights)
    return Proposal(
        "gain of all channels",
        Adjusted(seen.judge, None, 1 + factor, -factor * seen.centre),
        estimate("gain of all channels", 1 + factor, error),
    )


def _few_adjusted(seen: Seen, touched: Array) -> Iterator[Proposal]:
    judge, line, axis_name = seen.judge, seen.line, seen.judge.axis_name
    chosen = np.isin(np.arange(len(line.gain)), touched)
    gain, offset = (np.where(chosen, a, 0.0) for a in (line.gain, line.offset))
    back = -gain * seen.centre
    which = f"of {axis_name}{'s' * (len(touched) > 1)} {', '.join(map(str, touched))}"
    of_gain = _of_each(f"gain of {axis_name}", touched, 1 + gain, line.gain_error)
    of_offset = _of_each(f"offset of {axis_name}", touched, offset, line.height_error)
    yield Proposal(f"gain {which}", Adjusted(judge, None, 1 + gain, back), of_gain)
    yield Proposal(f"offset {which}", Adjusted(judge, None, 1.0, offset), of_offset)
    both = Adjusted(judge, None, 1 + gain, back + offset)
    yield Proposal(f"gain and offset {which}", both, of_gain, explains_any=True)


def _of_each(what: str, channels: Array, values: Array, errors: Array) -> Estimate:
    found = [
        estimate(f"{what} {channel}", values[channel], errors[channel]) for channel in channels
    ]
    return OfChannels(**vars(found[0]), each=found) if len(found) > 1 else found[0]
