"""Images with their channels last, and sequences: each seen as an image with its channels first.

Keras's 1D layers are its 2D layers on images one column wide, and `dim_ordering="tf"` is the same
arithmetic on other memory. So a kind is written once, for (B, C, rows, columns); `lifted` makes
one of (B, T, C) or (B, rows, columns, C) of it.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from parity.kinds.api import Config, LayerCase, LayerKind, Maker, Makers, Params, Variant
from parity.kinds.probing import Probe, Reading, of_ranks
from parity.numerics.rounding import Array, Where
from parity.numerics.witness import Block, Witness

ORDERINGS = {"dim_ordering": ("th", "tf")}  # a release that does not tell has "th"


def channels_last(config: Config) -> bool:
    """Whether the layer's images are (B, rows, columns, C)."""
    return bool(config.get("dim_ordering", "th") == "tf")


def first(x: Array) -> Array:
    """(B, T, C) or (B, rows, columns, C) as (B, C, rows, columns), a view."""
    return np.moveaxis(x[:, :, None] if x.ndim == 3 else x, -1, 1)


def last(y: Array, rank: int) -> Array:
    """The way back, to so many axes; what is no image stays as it is."""
    if y.ndim != 4:
        return y
    y = np.moveaxis(y, 1, -1)
    return y[:, :, 0] if rank == 3 else y


class ChannelsLast(Witness):
    """A witness of (B, C, rows, columns) whose output lies (B, rows, columns, C), or (B, T, C)."""

    def __init__(self, base: Witness, rank: int) -> None:
        image = (base.shape[0], *base.shape[2:], base.shape[1])
        super().__init__(image if rank == 4 else (*image[:2], image[3]), rank - 1)
        self.base, self.moves, self.limits = base, base.moves, base.limits
        self.sigma_share, self.certain_share = base.sigma_share, base.certain_share
        self.one_sided, self.axis_name = base.one_sided, base.axis_name

    def blocks(self) -> Iterator[Where]:
        """Those of the base, clip by clip."""
        places = self.base.view[2]
        for clips, channels, some in self.base.blocks():
            for clip in range(clips.start, clips.stop):
                at = clip * places
                yield slice(at + some.start, at + some.stop), channels, slice(0, 1)

    def block(self, where: Where) -> Block:
        """The base's values there, turned."""
        found, exact = [], 0
        for part in self._of_base(where):
            block = self.base.block(part)
            found.append([_turned(a) for a in (block.o, block.bound2, block.sigma2)])
            exact += block.exact_count
        o, bound2, sigma2 = map(_joined, zip(*found, strict=True))
        return Block(where, o, bound2, sigma2, exact)

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        """As Witness.certain."""
        found = []
        for part in self._of_base(block.where):
            found.append([_turned(a) for a in self.base.certain(self.base.block(part))])
        bound2, operands2 = map(_joined, zip(*found, strict=True))
        return bound2, operands2

    def _of_base(self, where: Where) -> Iterator[Where]:
        """The same places in the base's view: whole rows of one clip, or a piece of one row."""
        rows, width = self.base.shape[2:]
        start, stop = where[0].start, where[0].stop
        while start < stop:
            clip, at = divmod(start, rows * width)
            until = min(stop, (clip + 1) * rows * width)
            if at % width or (until - start) % width:
                until = min(until, start - at % width + width)
            yield slice(clip, clip + 1), where[1], slice(at, at + until - start)
            start = until


def _turned(a: Array | None) -> Array | None:
    """(1, C, places) as (places, C, 1), a copy."""
    return None if a is None else np.ascontiguousarray(a[0].T)[:, :, None]


def _joined(parts: Any) -> Any:
    return None if parts[0] is None else np.concatenate(parts)


def lifted(
    base: LayerKind,
    keras_class: str = "",
    settings: Config | None = None,
    translate: Callable[[Config], dict[str, Any]] = dict,
    params: Callable[[LayerCase], Params] = lambda case: case.params,
    reading: Callable[[LayerCase, Reading], Reading] = lambda case, reading: reading,
) -> LayerKind:
    """A kind of sequences, or, without a class of its own, `base` for either order of axes.

    translate: its settings -> those of `base`; params: its parameters as `base` has them; reading:
    what a probe of `base` reads, as this kind's parameters have it.
    """

    def applies(config: Config) -> bool:
        return bool(keras_class) or channels_last(config)

    def inside(case: LayerCase) -> LayerCase:
        config = {**translate(case.config), "dim_ordering": "th"}
        layer = SimpleNamespace(name=case.layer.name, kind=base.keras_class, config=config)
        x = np.ascontiguousarray(first(case.x))
        return replace(case, kind=base, layer=layer, params=params(case), x=x, facts={})

    def move(config: Config, x: Array) -> Array:
        if not applies(config):
            return np.asarray(base.move(config, x))
        return last(base.move({**translate(config), "dim_ordering": "th"}, first(x)), x.ndim)

    def reference(case: LayerCase) -> Witness:
        if not applies(case.config):
            return base.reference(case)
        return _outside(case, base.reference(inside(case)))

    def turned(table: Callable[[LayerCase], Makers]) -> Callable[[LayerCase], Makers]:
        def made(case: LayerCase) -> Makers:
            if not applies(case.config):
                return table(case)
            dropped = _across if keras_class else _none
            found = {name: make for name, make in table(case).items() if not dropped(name)}
            return {name: lift(make) for name, make in found.items()}

        return made

    def lift(make: Maker) -> Maker:
        def made(case: LayerCase) -> Variant:
            other = make(inside(case))
            witness = other.witness if isinstance(other, LayerCase) else other
            wide = case.x.ndim == 3 and witness is not None and witness.shape[3:] not in ((), (1,))
            return None if witness is None or wide else _outside(case, witness)

        return made

    def propagate(case: LayerCase, d: Array) -> Array:
        if not applies(case.config):
            return base.carry(case, d)
        return last(base.carry(inside(case), np.ascontiguousarray(first(d))), d.ndim)

    def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        assert base.probes
        if not applies(case.config):
            yield from base.probes(case, rng)
            return
        for probe in base.probes(inside(case), rng):
            yield _relaid(probe, case, reading)

    def transform(case: LayerCase, at_most: bool) -> Array:
        assert base.transform
        if not applies(case.config):
            return base.transform(case, at_most)
        return last(base.transform(inside(case), at_most), case.x.ndim)

    return replace(
        base,
        keras_class=keras_class or base.keras_class,
        settings=settings or {**base.settings, **ORDERINGS},
        move=base.move and move,
        reference=base.reference if base.move else reference,
        variants=turned(base.variants),
        combined=turned(base.combined),
        by_shape=() if keras_class else base.by_shape,
        propagate=propagate,
        input_ranks=(3,) if keras_class else base.input_ranks,
        channelwise=base.channelwise and not keras_class,
        beside_activation=base.beside_activation and not keras_class,
        probes=base.probes and (of_ranks if base.move else probes),
        transform=base.transform and transform,
    )


def _none(name: str) -> bool:
    return False


def _across(name: str) -> bool:
    """Whether a variant is of columns, which a sequence has one of, or of rows as against them."""
    return "column" in name or name.endswith("along their rows")


def _outside(case: LayerCase, witness: Witness) -> Witness:
    return ChannelsLast(witness, case.x.ndim) if len(witness.shape) == 4 else witness


def _relaid(
    probe: Probe, case: LayerCase, reading: Callable[[LayerCase, Reading], Reading]
) -> Probe:
    """A probe of the image with its channels first, as the layer is asked it."""
    rank, low = case.x.ndim, probe.low
    at, whole = probe.at, probe.at is ...
    if not whole:
        at = at[0], *at[2:rank], at[1]

    def turned(a: Array) -> Array:
        return last(a, rank) if whole else a

    def read(answer: Array) -> Iterator[Reading]:
        for each in probe.read(np.ascontiguousarray(first(answer))):  # type: ignore[misc]
            yield reading(case, each)

    low = turned(low)
    return replace(
        probe,
        x=np.ascontiguousarray(last(probe.x, rank)),
        low=low,
        high=low if probe.high is probe.low else turned(probe.high),
        at=at,
        expected=None if probe.expected is None else turned(probe.expected),
        sigma=None if probe.sigma is None else turned(probe.sigma),
        read=probe.read and read,
    )
