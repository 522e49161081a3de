"""A layer under question, and the witnesses that named hypotheses about it are made of."""

from dataclasses import dataclass, replace
from functools import cached_property
from types import SimpleNamespace

import numpy as np

from parity.kinds import oracle
from parity.kinds.bounds import Sums, witness
from parity.numerics.rounding import FLUSHED, Block, Limits, U, Whole, Witness, as_channels, blocks


@dataclass
class Subject:
    """One layer (.name .kind .config), its parameters by Keras suffix, the original's input
    (float32) and Keras version.
    """

    layer: object
    params: dict
    x: np.ndarray
    keras: str

    def but(self, config=None, params=None, x=None, keras=None):
        """The same layer with some settings, parameters, another input or Keras version."""
        old = self.layer
        layer = SimpleNamespace(
            name=old.name, kind=old.kind, config={**old.config, **(config or {})}
        )
        new = replace(
            self,
            layer=layer,
            params={**self.params, **(params or {})},
            x=self.x if x is None else x,
            keras=keras or self.keras,
        )
        if x is None and not config:  # statistics of millions of values are measured once
            new.__dict__.update(
                {
                    name: self.__dict__[name]
                    for name in ("batch", "one_by_one")
                    if name in self.__dict__
                }
            )
        return new

    def channels(self, chosen):
        """The layer on some channels (axis 1) of its input alone, for kinds that treat every
        channel by itself.
        """
        params = {key: value[chosen] for key, value in self.params.items()}
        return replace(self, params=params, x=np.ascontiguousarray(self.x[:, chosen]))

    def parameter(self, suffix):
        """One parameter, float64."""
        return oracle.parameter(self.layer, self.params, suffix)

    @cached_property
    def witness(self):
        """The oracle with its bound."""
        return witness(self.layer, self.params, self.x, self.keras)

    @cached_property
    def view(self):
        """The input as (before, C, after) around a BatchNormalization's axis."""
        return np.ascontiguousarray(self.x).reshape(
            as_channels(self.x.shape, oracle.channel_axis(self.layer, self.x.shape))
        )

    @cached_property
    def batch(self):
        """Mean, biased variance and mean magnitude of the input per channel, float64."""
        return oracle.batch_statistics(self.view)

    @cached_property
    def one_by_one(self):
        """Mean and biased variance per channel as float32 adds them up value by value: NumPy's
        sums over channel-last memory.

        Errors of such long sums are all one way (numerics: sums of squares), which no bound of a
        blocked order covers.
        """
        rows = np.ascontiguousarray(np.moveaxis(self.view, 1, -1)).reshape(-1, self.view.shape[1])
        return rows.mean(axis=0).astype(np.float64), rows.var(axis=0).astype(np.float64)


def pieces(judge, width=192):
    """A few parts of rows with all channels, at edges and inside, of the first and last clip:
    slices into the view.
    """
    before, _, after = judge.view
    columns = judge.shape[-1] if judge.axis < len(judge.shape) - 1 else after
    rows = max(1, after // columns)
    starts = {0, max(0, (columns - width) // 2), max(0, columns - width)}
    for clip in sorted({0, before - 1}):
        for row in sorted({0, rows // 2, rows - 1}):
            for start in sorted(starts):
                first = row * columns + start
                yield (
                    slice(clip, clip + 1),
                    slice(None),
                    slice(first, min(first + width, (row + 1) * columns)),
                )


class Mapped(Witness):
    """An element-wise formula: formula(x) in float64, B = roundings u (|x| + |y|)."""

    def __init__(self, x, formula, roundings=8):
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x, self.formula, self.roundings = (
            np.ascontiguousarray(x).reshape(self.view),
            formula,
            roundings,
        )

    def block(self, where):
        """The values there and their bound."""
        x = self.x[where].astype(np.float64)
        o = self.formula(x)
        return Block(where, o, np.square(self.roundings * U * (np.abs(x) + np.abs(o)) + FLUSHED))


class Adjusted(Witness):
    """Another witness with its channels put in another order, then multiplied by `gain` (C,) and
    moved by `offset` (C,).
    """

    def __init__(self, base, order=None, gain=1.0, offset=0.0):
        super().__init__(base.shape, base.axis)
        channels = base.view[1]
        self.base, self.order = base, np.arange(channels) if order is None else np.asarray(order)
        self.gain, self.offset = (
            np.broadcast_to(value, channels)[:, None] for value in (gain, offset)
        )
        self.axis_name, self.moves = base.axis_name, base.moves
        if base.limits:
            limits = base.limits
            self.limits = Limits(
                limits.gain[self.order],
                limits.offset[self.order],
                limits.centre[self.order],
                limits.sigmas,
            )
        self.sigma_share = base.sigma_share

    def blocks(self):
        """Parts of the view with all channels in each."""
        if isinstance(self.base, Sums):
            yield from self.base.blocks()
        else:
            before, channels, after = self.view
            for where in blocks((before, 1, max(1, after * channels))):
                start, stop = (-(-edge // channels) for edge in (where[2].start, where[2].stop))
                if start < min(stop, after):
                    yield where[0], slice(None), slice(start, min(stop, after))

    def block(self, where):
        """The base's values there, re-ordered and adjusted; the bound moves with them."""
        whole = self.base.block((where[0], slice(None), where[2]))
        order, gain, offset = self.order[where[1]], self.gain[where[1]], self.offset[where[1]]
        if whole.bound2 is None:
            return Block(where, whole.o[:, order], None)
        o = whole.o[:, order] * gain + offset
        sigma2 = None if whole.sigma2 is None else whole.sigma2[:, order] * gain**2
        return Block(where, o, whole.bound2[:, order] * gain**2 + (2 * U * offset) ** 2, sigma2)


def whole(judge, formula, slope, roundings):
    """formula(o), element by element, of a small witness that was computed whole; slope: its
    derivative at o.
    """
    o, bound = judge.out, np.sqrt(judge.bound2)
    out = formula(o)
    bound = np.abs(slope(o)) * bound + roundings * U * np.abs(out) + FLUSHED
    sigma2 = np.square(bound / 7)
    shape = judge.shape
    return Whole(1, *(a.reshape(shape) for a in (out, np.square(bound), sigma2, np.square(bound))))
