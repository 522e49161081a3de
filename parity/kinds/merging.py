"""Merging several inputs (Keras 1 engine/topology.py, Merge): element by element, end to end, or by
products.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import ANY, LayerCase, LayerKind, Maker, Makers, Variant
from parity.kinds.probing import BATCHES, Probe, of_witness
from parity.numerics.rounding import FLUSHED, SPREAD, Array, U, Where, tail_factor
from parity.numerics.witness import Adjusted, Block, Moves, Whole, Witness

EPSILON = 1e-7  # the least length that "cos" divides by: K.epsilon(), if keras.json says nothing


def inputs(case: LayerCase) -> list[Array]:
    """All inputs, in their order."""
    if not case.more:
        raise CannotRun(
            f"layer {case.layer.name} ({case.layer.kind}): it has one input; a merge takes more"
        )
    return [case.x, *case.more]


class Joined(Witness):
    """Sums, means and products of inputs of one shape, element by element, in any order.

    n terms: partial sums of k of them, over all orders, have a mean square of Q k/n + (S^2 - Q)
    k(k-1)/(n(n-1)); each rounds with 0.425 u of it. No order errs by more than (n-2) u A + u|S|. A
    mean's quotient, or its product with float32's 1/n, rounds by 2 u|y| more; n factors round
    n - 1 times.
    """

    def __init__(self, some: Sequence[Array], mode: str) -> None:
        super().__init__(some[0].shape, min(1, some[0].ndim - 1))
        self.some, self.mode = [np.ascontiguousarray(x).reshape(self.view) for x in some], mode

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        terms = [x[where].astype(np.float64) for x in self.some]
        return Block(where, *(_product if self.mode == "mul" else self._sum)(terms))

    def _sum(self, terms: list[Array]) -> tuple[Array, Array, Array]:
        n, total = len(terms), np.sum(terms, axis=0)
        squares, sizes = np.sum(np.square(terms), axis=0), np.sum(np.abs(terms), axis=0)
        share = n if self.mode == "ave" else 1
        k = np.arange(2, n + 1)
        partial2 = squares * (k / n).sum()
        partial2 += (np.square(total) - squares) * (k * (k - 1)).sum() / (n * (n - 1))
        last = 2 * np.square(total) if self.mode == "ave" else 0
        bound = U * ((n - 2) * sizes + (3 if self.mode == "ave" else 1) * np.abs(total)) / share
        sigma2 = np.square(SPREAD * U / share) * (np.maximum(partial2, 0) + last)
        return total / share, np.square(bound + FLUSHED), sigma2 + FLUSHED**2


def _product(terms: list[Array]) -> tuple[Array, Array, Array]:
    out, times = np.prod(terms, axis=0), len(terms) - 1
    lost = FLUSHED * np.prod([np.maximum(1, np.abs(x)) for x in terms], axis=0)
    bound = times * U * (1 + times * U) * np.abs(out) + lost
    return out, np.square(bound), times * np.square(SPREAD * U * out) + np.square(lost)


def _elementwise(mode: str) -> Callable[[LayerCase, list[Array]], Witness]:
    return lambda case, some: Joined(some, mode)


def _concatenated(case: LayerCase, some: list[Array]) -> Witness:
    return Moves(np.concatenate(some, axis=int(case.config["concat_axis"])))


def _contracted(axes: tuple[int, int], x: Array, y: Array) -> Array:
    """Sums over an axis of each, clip by clip; one number a clip is (B, 1)."""
    x, y = np.moveaxis(x, axes[0], -1), np.moveaxis(y, axes[1], 1)
    out = x.reshape(len(x), -1, x.shape[-1]) @ y.reshape(len(y), y.shape[1], -1)
    shape = (len(x), *x.shape[1:-1], *y.shape[2:])
    return out.reshape(shape if len(shape) > 1 else (len(x), 1))


class Dots:
    """Values, bound, certain bound and sigma of the sums over an axis of each of two inputs."""

    def __init__(self, axes: tuple[int, int], x: Array, y: Array) -> None:
        wide = x.astype(np.float64), y.astype(np.float64)
        n = x.shape[axes[0]]
        self.value = _contracted(axes, *wide)
        squares = _contracted(axes, *map(np.square, wide))
        sizes = _contracted(axes, *map(np.abs, wide))
        deviation = np.sqrt((n / 3 + 1) * np.square(self.value) + (n / 6 + 1) * squares)
        lam = tail_factor(self.value.size)
        self.bound = lam * U * deviation + n * FLUSHED
        self.certain = n * (U * sizes + FLUSHED)
        self.sigma2 = np.square(SPREAD * U * deviation) + FLUSHED**2


def _axes(case: LayerCase, x: Array, y: Array) -> tuple[int, int]:
    axes = np.broadcast_to(case.config["dot_axes"], 2)
    return int(axes[0]) % x.ndim, int(axes[1]) % y.ndim


def _dot(case: LayerCase, some: list[Array]) -> Witness:
    x, y = some
    of = Dots(_axes(case, x, y), x, y)
    return Whole(1, of.value, np.square(of.bound), of.sigma2, np.square(of.certain))


def _cosine(case: LayerCase, some: list[Array]) -> Witness:
    """N/max(sqrt(max(Dx Dy, 0)), 1e-7), with an axis of 1 after the clips: the sums' own bounds,
    the lengths that those of Dx and Dy allow, and three roundings.
    """
    x, y = some
    of_x, of_y = _axes(case, x, y)
    product = Dots((of_x, of_y), x, y)
    squares = [Dots(axes, z, z) for axes, z in (((of_x, of_y), x), ((of_x, of_y), y))]
    length = np.sqrt(np.maximum(squares[0].value * squares[1].value, 0))  # K.sqrt clips
    least = length < EPSILON
    length = np.where(least, EPSILON, length)
    out = product.value / length

    def off(own: str) -> Array:
        (a, of_a), (b, of_b) = ((np.abs(z.value), getattr(z, own)) for z in squares)
        lost = a * of_b + b * of_a + of_a * of_b
        of_both = squares[0].value * squares[1].value
        low, high = (np.sqrt(np.maximum(of_both + e, EPSILON**2)) for e in (-lost, lost))
        share = np.maximum(length / low - 1, 1 - length / high) + np.where(high > EPSILON, U, 0)
        return getattr(product, own) / low + np.abs(out) * (share + 2 * U) + FLUSHED

    with np.errstate(divide="ignore", invalid="ignore"):
        variance = sum(z.sigma2 / np.square(z.value) for z in squares) / 4
    variance = np.where(least, 0, variance) + 2.25 * np.square(SPREAD * U)
    parts = (
        out,
        *(np.square(off(own)) for own in ("bound", "certain")),
        product.sigma2 / np.square(length) + np.square(out) * variance + FLUSHED**2,
    )
    value, bound2, certain2, sigma2 = (part[:, None] for part in parts)
    return Whole(1, value, bound2, sigma2, certain2)


MODES: dict[str, Callable[[LayerCase, list[Array]], Witness]] = {
    **{mode: _elementwise(mode) for mode in ("sum", "ave", "mul")},
    "max": lambda case, some: Moves(np.maximum.reduce(some)),
    "concat": _concatenated,
    "dot": _dot,
    "cos": _cosine,
}
ALIKE = ("sum", "ave", "mul", "max")  # of inputs that have one shape


def _in_mode(case: LayerCase, mode: str | None = None, some: list[Array] | None = None) -> Witness:
    some = inputs(case) if some is None else some
    return MODES[mode or case.config["mode"]](case, some)


def _instead(mode: str) -> Maker:
    def make(case: LayerCase) -> Variant:
        own = case.config["mode"]
        fits = mode in ALIKE and own in ALIKE
        return _in_mode(case, mode) if fits and mode != own else None

    return make


def _order(change: Callable[[list[Array]], list[Array]]) -> Maker:
    """The inputs in another order, where that changes anything."""

    def make(case: LayerCase) -> Variant:
        if case.config["mode"] != "concat":
            return None
        made = _in_mode(case, None, change(inputs(case)))
        return made if made.shape == _in_mode(case).shape else None

    return make


def _other_axis(case: LayerCase) -> Variant:
    """Concatenated along the next axis, laid into the shape that the layer gives."""
    if case.config["mode"] != "concat":
        return None
    some, own = inputs(case), int(case.config["concat_axis"]) % case.x.ndim
    if own < 2 or len({x.shape for x in some}) > 1:
        return None
    return Moves(np.concatenate(some, axis=own - 1).reshape(_in_mode(case).shape))


def _one_left_out(at: int) -> Maker:
    def make(case: LayerCase) -> Variant:
        some = inputs(case)
        if case.config["mode"] not in ALIKE:
            return None
        rest = [x for number, x in enumerate(some) if number != at % len(some)]
        return _in_mode(case, None, rest) if len(rest) > 1 else Moves(rest[0])

    return make


def _first_twice(case: LayerCase) -> Variant:
    some = inputs(case)
    return _in_mode(case, None, [some[0], some[0], *some[2:]]) if _one_shape(some) else None


def _one_shape(some: list[Array]) -> bool:
    return len({x.shape for x in some}) == 1


def _transposed(case: LayerCase) -> Variant:
    """The product's two axes the other way round, where it is square."""
    if case.config["mode"] != "dot":
        return None
    x, y = inputs(case)
    axes = _axes(case, x, y)
    of = Dots(axes, x, y)
    if of.value.ndim != 3 or of.value.shape[1] != of.value.shape[2]:
        return None
    parts = (of.value, np.square(of.bound), of.sigma2, np.square(of.certain))
    return Whole(1, *(part.transpose(0, 2, 1) for part in parts))


def _not_divided(case: LayerCase) -> Variant:
    """A cosine's product of the two, without their lengths."""
    if case.config["mode"] != "cos":
        return None
    x, y = inputs(case)
    of = Dots(_axes(case, x, y), x, y)
    parts = (of.value, np.square(of.bound), of.sigma2, np.square(of.certain))
    return Whole(1, *(part[:, None] for part in parts))


VARIANTS: dict[str, Maker] = {
    "sum instead of the layer's own mode": _instead("sum"),
    "mean instead of the layer's own mode": _instead("ave"),
    "product instead of the layer's own mode": _instead("mul"),
    "maximum instead of the layer's own mode": _instead("max"),
    "inputs in reversed order": _order(lambda some: some[::-1]),
    "inputs one off in their order": _order(lambda some: [*some[1:], some[0]]),
    "concatenated along the axis before": _other_axis,
    "first input left out": _one_left_out(0),
    "last input left out": _one_left_out(-1),
    "first input taken twice, the second left out": _first_twice,
    "axes of the product transposed": _transposed,
    "not divided by the lengths": _not_divided,
    "sum of the products instead of their cosine, negated": lambda case: (
        Adjusted(_in_mode(case), gain=-1.0) if case.config["mode"] == "cos" else None
    ),
}


def _variants(case: LayerCase) -> Makers:
    return VARIANTS


def _probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Random values of all inputs, of like sizes and not, and of one after the other alone."""
    given = inputs(case)
    alone = np.eye(len(given))
    sizes = 2.0 ** rng.integers(-8, 9, len(given))
    for name, scales in (
        ("random values", np.ones(len(given))),
        ("random values of several sizes", sizes),
        *(("one input alone", row) for row in alone),
    ):
        for clips in BATCHES:
            x, *more = (
                (scale * rng.standard_normal((clips, *each.shape[1:]))).astype(np.float32)
                for each, scale in zip(given, scales, strict=True)
            )
            yield of_witness(name, case.but(more=tuple(more)), x, more=tuple(more))


MERGE = LayerKind(
    "Merge",
    {
        "mode": tuple(MODES),
        **dict.fromkeys(
            (
                *("mode_type", "concat_axis", "dot_axes", "output_shape", "output_shape_type"),
                *("output_mask", "output_mask_type", "arguments"),
            ),
            ANY,
        ),
    },
    reference=_in_mode,
    variants=_variants,
    input_ranks=(2, 3, 4),
    probes=_probes,
)
