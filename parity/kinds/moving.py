"""Layers that only move values, and round nothing: padding, reshaping, permuting, dropout."""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from parity.kinds.api import ANY, BY_RANK, IMAGE, Config, LayerCase, LayerKind, Maker, Variant
from parity.kinds.fitting import Proposal, Seen, estimate
from parity.kinds.layouts import lifted
from parity.kinds.probing import of_ranks
from parity.kinds.spectrogram import fitted
from parity.numerics.rounding import Array, Shape
from parity.numerics.witness import Mapped, Moves

SIDES = ("top_pad", "bottom_pad", "left_pad", "right_pad")


def sides(config: Config) -> list[tuple[int, int]]:
    """[(above, below), (left, right)] of a padding, whichever way Keras was told it."""
    padding = config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get(side, 0) for side in SIDES]
    if len(padding) == 2:
        padding = np.repeat(padding, 2)
    above, below, left, right = map(int, padding)
    return [(above, below), (left, right)]


def _in_steps(config: Config) -> dict[str, Any]:
    """The padding of a sequence as that of an image one column wide."""
    padding = config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get("left_pad", 0), padding.get("right_pad", 0)]
    before, after = np.broadcast_to(padding, 2)
    return {**config, "padding": [int(before), int(after), 0, 0]}


def _zero_padding(config: Config, x: Array) -> Array:
    return np.pad(x, ((0, 0), (0, 0), *sides(config)))


def _same(config: Config, x: Array) -> Array:
    return x


Side = tuple[int, int]


def _padding(values: dict[str, Any], change: Callable[[int, int], Side] | None = None) -> Maker:
    """The same amount, filled otherwise or distributed otherwise over the two sides."""

    def make(s: LayerCase) -> Variant:
        others = [change(*side) if change else side for side in sides(s.config)]
        if change and others == sides(s.config):
            return None
        return Moves(np.pad(s.x, ((0, 0), (0, 0), *others), **values))

    return make


# where an amount lies otherwise, of padding or of cropping
ELSEWHERE: dict[str, Callable[[int, int], Side]] = {
    "at the end only": lambda before, after: (0, before + after),
    "at the start only": lambda before, after: (before + after, 0),
    "with the amounts of start and end swapped": lambda before, after: (after, before),
}


PADDINGS = {
    **{f"padded {where}": _padding({}, change) for where, change in ELSEWHERE.items()},
    "padded with the edge's values": _padding({"mode": "edge"}),
    "padded by reflection": _padding({"mode": "reflect"}),
    "padded with ones": _padding({"constant_values": 1.0}),
    "rows and columns of the padding swapped": lambda s: s.but(
        config={"padding": [*sides(s.config)[1], *sides(s.config)[0]]}
    ),
}


def padding_by_shape(seen: Seen) -> Iterator[Proposal]:
    """Other amounts, sides or values: where the input lies in the output and what is around it are
    read from the output.
    """
    x, actual = seen.case.x, seen.actual
    place = _place(x, actual)
    if place is None:
        return
    lengths = zip(place, actual.shape[2:], x.shape[2:], strict=True)
    shown = [(start, whole - start - size) for start, whole, size in lengths]
    ring = np.ones(actual.shape, bool)
    ring[:, :, place[0] :, place[1] :][:, :, : x.shape[2], : x.shape[3]] = False
    value = actual[ring].flat[0] if ring.any() else actual.dtype.type(0)
    own = shown == sides(seen.case.config)
    words = ("" if own else _amount(shown), f"padded with {value:g}" if value else "")
    padded = Moves(np.pad(x, ((0, 0), (0, 0), *shown), constant_values=value))
    yield Proposal(", ".join(filter(None, words)) or "padded", padded)


def _place(x: Array, actual: Array) -> tuple[int, int] | None:
    """(row, column) of the output at which the input lies, or None."""
    if actual.ndim != 4 or x.ndim != 4 or actual.shape[:2] != x.shape[:2] or not x.size:
        return None
    lengths = zip(actual.shape[2:], x.shape[2:], strict=True)
    middle = x.shape[2] // 2
    for row, column in itertools.product(*(range(whole - size + 1) for whole, size in lengths)):
        there = actual[0, 0, row + middle, column : column + x.shape[3]]
        if np.array_equal(there, x[0, 0, middle]):
            return row, column
    return None


def _amount(shown: Any) -> str:
    before, after = zip(*shown, strict=True)
    return f"padding {before}" if before == after else f"padding {before} before and {after} after"


def _permuted(order: tuple[int, ...]) -> Maker:
    def make(s: LayerCase) -> Variant:
        own = tuple(s.config["dims"])
        return Moves(s.x.transpose(0, *order)) if s.x.ndim == 4 and order != own else None

    return make


PERMUTATIONS = {f"dims {order}": _permuted(order) for order in itertools.permutations((1, 2, 3))}


def _fortran(x: Array, shape: Shape) -> Array:
    return np.stack([clip.ravel(order="F") for clip in x]).reshape(shape)


def _channels_last(x: Array, shape: Shape) -> Array:
    return np.moveaxis(x, 1, -1).reshape(shape)


def _reshaped(change: Callable[[Array, Shape], Array]) -> Maker:
    """Another order of the values, in the shape that the layer gives."""
    return lambda s: Moves(change(s.x, (len(s.x), *s.config.get("target_shape", (-1,)))))


RESHAPES = {
    "last axis slowest (Fortran order)": _reshaped(_fortran),
    "channels last": _reshaped(_channels_last),
    "batch in reversed order": lambda s: (
        _reshaped(lambda x, shape: x[::-1].reshape(shape))(s) if len(s.x) > 1 else None
    ),
}


def target(seen: Seen) -> Iterator[Proposal]:
    """The same values in another shape, in one of three orders."""
    x, shape = seen.case.x, seen.actual.shape
    if shape == seen.judge.shape or seen.actual.size != x.size or len(seen.actual) != len(x):
        return
    name = f"target shape {shape[1:]}"
    yield Proposal(name, Moves(x.reshape(shape)))
    yield Proposal(f"{name}, last axis slowest (Fortran order)", Moves(_fortran(x, shape)))
    if x.ndim > 2:
        yield Proposal(f"{name}, channels last", Moves(_channels_last(x, shape)))


def dropout_on(seen: Seen) -> Iterator[Proposal]:
    """Dropout left on: every value is 0 or x/(1 - p); which are 0 is read from the output."""
    x, keep = seen.case.x, 1 - float(seen.case.config["p"])
    dropped = seen.actual == 0
    if dropped.shape == x.shape and keep and (dropped & (x != 0)).any():
        x = np.where(dropped, 0, x)
        error = np.sqrt(keep * (1 - keep) / dropped.size)
        zeroed = estimate("share of values zeroed", np.mean(dropped), error)
        yield Proposal("dropout left on", Mapped(x, lambda x: x / keep), zeroed)
        yield Proposal("values zeroed at random", Moves(x))


def _permuted_axes(config: Config, rank: int) -> tuple[str, ...]:
    names = BY_RANK.get(rank, ())
    return tuple(names[axis] for axis in (0, *config["dims"])) if names else ()


def _padding_affine(case: LayerCase) -> tuple[Array, ...]:
    """y = s x + 0, s being 1 where values are and 0 where zeros are filled in."""
    x, ones = case.x, np.ones_like(case.x)
    return *(case.kind.move(case.config, a) for a in (x, ones)), np.zeros(1, x.dtype)


INPUT = LayerKind("InputLayer", {"sparse": (False,)}, move=_same, passes_on=True)
_ZERO_PADDING = LayerKind(
    "ZeroPadding2D",
    {**IMAGE, "padding": ANY},
    move=_zero_padding,
    variants=lambda case: PADDINGS,
    fits=((fitted,),),
    by_shape=(padding_by_shape,),
    affine=_padding_affine,
    probes=of_ranks,
)
ZERO_PADDING = lifted(_ZERO_PADDING)
ZERO_PADDING_1D = replace(
    lifted(_ZERO_PADDING, "ZeroPadding1D", {"padding": ANY}, _in_steps), affine=None, fits=None
)


def _cropped(x: Array, amounts: Any) -> Array:
    rows, columns = (
        slice(before, n - after) for n, (before, after) in zip(x.shape[2:], amounts, strict=True)
    )
    return x[:, :, rows, columns]


def _cropping(change: Callable[[int, int], Side]) -> Maker:
    def make(s: LayerCase) -> Variant:
        own = [tuple(side) for side in s.config["cropping"]]
        others = [change(*side) for side in own]
        return None if others == own else Moves(_cropped(s.x, others))

    return make


_CROPPING = LayerKind(
    "Cropping2D",
    {**IMAGE, "cropping": ANY},
    move=lambda config, x: _cropped(x, config["cropping"]),
    variants=lambda case: {
        **{f"cropped {where}": _cropping(change) for where, change in ELSEWHERE.items()},
        "rows and columns of the cropping swapped": lambda s: s.but(
            config={"cropping": s.config["cropping"][::-1]}
        ),
    },
    probes=of_ranks,
)
CROPPING = lifted(_CROPPING)
CROPPING_1D = lifted(
    _CROPPING,
    "Cropping1D",
    {"cropping": ANY},
    lambda config: {**config, "cropping": [config["cropping"], (0, 0)]},
)


def _repeated(config: Config, x: Array) -> Array:
    rows, columns = config["size"]
    return x.repeat(rows, axis=2).repeat(columns, axis=3)


def _spaced(s: LayerCase) -> Variant:
    """Each value at the start of its patch, zeros elsewhere."""
    rows, columns = s.config["size"]
    out = np.zeros_like(_repeated(s.config, s.x))
    out[:, :, ::rows, ::columns] = s.x
    return Moves(out)


_UP_SAMPLING = LayerKind(
    "UpSampling2D",
    {**IMAGE, "size": ANY},
    move=_repeated,
    variants=lambda case: {
        "zeros between the values": _spaced,
        "image repeated as a whole": lambda s: Moves(np.tile(s.x, (1, 1, *s.config["size"]))),
        "rows and columns of the size swapped": lambda s: s.but(
            config={"size": s.config["size"][::-1]}
        ),
    },
    any_image=True,
    channelwise=True,
    probes=of_ranks,
)
UP_SAMPLING = lifted(_UP_SAMPLING)
UP_SAMPLING_1D = lifted(
    _UP_SAMPLING,
    "UpSampling1D",
    {"length": ANY},
    lambda config: {**config, "size": (config["length"], 1)},
)
DROPOUT = LayerKind(
    "Dropout",
    {"p": ANY},
    move=_same,
    variants=lambda case: {
        "values scaled by 1 - p": lambda s: Mapped(s.x, lambda x: x * (1 - s.config["p"]))
    },
    fits=((dropout_on,),),
    channelwise=True,
    passes_on=True,
    beside_activation=True,
    probes=of_ranks,
)
PASSED_ON = tuple(
    LayerKind(name, dict.fromkeys(settings, ANY), move=_same, passes_on=True, probes=of_ranks)
    for name, settings in (
        ("GaussianNoise", ("sigma",)),
        ("GaussianDropout", ("p",)),
        ("SpatialDropout1D", ("p",)),
        ("SpatialDropout2D", ("p", "dim_ordering")),
        ("SpatialDropout3D", ("p", "dim_ordering")),
        ("ActivityRegularization", ("l1", "l2")),
    )
)
FLATTEN = LayerKind(
    "Flatten",
    {},
    move=lambda config, x: x.reshape(len(x), -1),
    variants=lambda case: RESHAPES,
    by_shape=(target,),
    probes=of_ranks,
)
PERMUTE = LayerKind(
    "Permute",
    {"dims": ANY},
    move=lambda config, x: x.transpose(0, *config["dims"]),
    variants=lambda case: PERMUTATIONS,
    axes=_permuted_axes,
    probes=of_ranks,
)
RESHAPE = LayerKind(
    "Reshape",
    {"target_shape": ANY},
    move=lambda config, x: x.reshape(len(x), *config["target_shape"]),
    variants=lambda case: RESHAPES,
    by_shape=(target,),
    probes=of_ranks,
)
