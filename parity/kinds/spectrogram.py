"""What a port may be given in place of the original's spectrogram: asked of the layers that read
one, (B, 1, F, T).
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from parity.kinds.api import Change, LayerCase, Maker
from parity.kinds.fitting import Proposal, Seen, estimate
from parity.numerics.precision import FORMATS, STORED
from parity.numerics.rounding import FLUSHED, Array, U, Where
from parity.numerics.witness import Block, Witness

PER_DECIBEL = np.log(10) / 10  # d ln(power) / d decibel


class Blurred(Witness):
    """A layer on an input the port computed itself: x (float64) with `error`, the most its float32
    may be off, of x's shape.
    """

    def __init__(self, case: LayerCase, x: Array, error: Array) -> None:
        case = case.but(x=x.astype(np.float32))
        self.base = case.witness
        super().__init__(self.base.shape, self.base.axis)
        error = np.broadcast_to(error, x.shape)
        moved, slope, _ = case.kind.affine(case.but(x=error))
        self.extra = np.broadcast_to(np.abs(slope) * moved, self.shape).reshape(self.view)

    def block(self, where: Where) -> Block:
        """The base's values there; its bound and what the input's own error adds."""
        block = self.base.block(where)
        own = 0.0 if block.bound2 is None else np.sqrt(block.bound2)
        bound2 = np.square(own + self.extra[where] + FLUSHED)
        return Block(where, block.o.astype(np.float64), bound2)


def reads_one(s: LayerCase) -> bool:
    """Whether the layer's input is a spectrogram, normalised, if at all, by stored statistics."""
    image = s.kind.affine and s.x.ndim == 4 and s.x.shape[1] == 1
    return bool(image and s.config.get("mode") not in (1, 2))


def computed(change: Callable[[Array], tuple[Array, Array]]) -> Maker:
    """The input is change(x) = (values, error), float64, computed by the port in float32."""
    return lambda s: Blurred(s, *change(s.x.astype(np.float64)))


def _taken(change: Change) -> Maker:
    """The input is change(x), bit for bit."""
    return lambda s: s.but(x=np.ascontiguousarray(change(s.x)))


def _power(x: Array) -> tuple[Array, Array]:
    """10^(x/10): an exponent of size n is rounded by u n, which is relative in the power."""
    power = np.power(10.0, np.minimum(x, 380) / 10)
    return power, U * (8 + 2 * PER_DECIBEL * np.abs(x)) * power


def line(x: Array, factor: float = 1.0, offset: float = 0.0) -> tuple[Array, Array]:
    """factor x + offset, with the error of a multiplication, an addition and rounded constants."""
    steps = (factor != 1) + (offset != 0)
    return factor * x + offset, 2 * U * (np.abs(factor * x) + abs(offset)) * steps


def _of_clip(reduce: Callable[..., Any]) -> Callable[[Array], Array]:
    return lambda x: reduce(x.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1)


def _from_peak(x: Array) -> tuple[Array, Array]:
    moved = x - _of_clip(np.max)(x)
    return moved, 2 * U * np.abs(moved)


def _standardised(x: Array) -> tuple[Array, Array]:
    mean, deviation = _of_clip(np.mean)(x), _of_clip(np.std)(x) + 1e-30
    out = (x - mean) / deviation
    return out, 16 * U * ((np.abs(x) + np.abs(mean)) / deviation + np.abs(out))


VARIANTS = {
    "one mel band off": _taken(lambda x: np.roll(x, 1, axis=2)),
    "one mel band off, the other way": _taken(lambda x: np.roll(x, -1, axis=2)),
    "input transposed": _taken(lambda x: x.swapaxes(2, 3)),
    **{f"input stored as {name}": _taken(FORMATS[name]) for name in STORED},
    "logarithm left out (power for decibel)": computed(_power),
    "decibels below each clip's peak": computed(_from_peak),
    "each clip standardised": computed(_standardised),
}
LINES = (  # name, which of factor and offset are fitted, what is estimated
    ("input scaled by {0:.6g}", [0], "factor"),
    ("input shifted by {0:.6g}", [1], "offset"),
    ("input scaled and shifted, by {0:.6g} and {1:.6g}", [0, 1], "factor"),
)


def fitted(seen: Seen) -> Iterator[Proposal]:
    """The input multiplied by a constant, moved by one, or both: found by least squares over all
    of the output.
    """
    if not reads_one(seen.case):
        return
    sums = _line_sums(seen)
    for name, columns, what in LINES:
        values, errors = _solved(*sums, columns)
        if np.isfinite(values).all():
            found = {0: 1.0, 1: 0.0, **dict(zip(columns, values, strict=True))}
            made = computed(partial(line, factor=found[0], offset=found[1]))(seen.case)
            read = estimate(what, values[0], errors[0])
            yield Proposal(name.format(*values), made, read, explains_any=len(columns) == 2)


def _line_sums(seen: Seen) -> tuple[Array, Array, Array]:
    """Per row, (n, 2, 2), (n, 2) and (n, 2): of y = s (a x + b) + t, with weights 1/B^2.

    The products of s x and s with each other, with y - t, and with y - t - s x. A row is one of the
    view's middle axis, or of the map where nothing may round.
    """
    x, s, t = seen.case.kind.affine(seen.case)
    if seen.judge.moves:
        parts = (a[:, 0] for a in (x, s, seen.actual - t, np.ones_like(x)))
    else:
        weights = np.empty(seen.judge.view)
        for where in seen.judge.blocks():
            weights[where] = 1 / seen.judge.block(where).bound2
        parts = (
            np.broadcast_to(a, seen.judge.shape).reshape(seen.judge.view)
            for a in (x, s, seen.actual - t, weights.reshape(seen.judge.shape))
        )
    x, s, left, weights = (a.reshape(-1, *a.shape[-2:]).astype(np.float64) for a in parts)
    design = np.stack([s * x, s])
    cross = np.einsum("iacp,jacp,acp->cij", design, design, weights)
    return (
        cross,
        np.einsum("iacp,acp->ci", design, left * weights),
        np.einsum("iacp,acp->ci", design, (left - s * x) * weights),
    )


def _solved(
    cross: Array, with_left: Array, with_rest: Array, columns: list[int]
) -> tuple[Array, Array]:
    """(values, standard errors clustered by row) of a and b, or of one of them where the other is
    1 or 0.
    """
    right = with_rest if columns == [1] else with_left
    cross, right = cross[:, columns][:, :, columns], right[:, columns]
    try:
        inverse = np.linalg.inv(cross.sum(axis=0))
    except np.linalg.LinAlgError:
        return np.full(2, np.nan), np.full(2, np.nan)
    values = inverse @ right.sum(axis=0)
    scores = right - cross @ values
    return values, np.sqrt(np.diag(inverse @ (scores.T @ scores) @ inverse))
