"""What a port may be given in the place of the original's spectrogram: asked of the layers that
read one, (B, 1, F, T).
"""

import numpy as np

from parity.diagnose.precision import FORMATS, STORED
from parity.kinds import oracle
from parity.numerics.rounding import FLUSHED, Block, U, Witness

READERS = ("ZeroPadding2D", "BatchNormalization")  # what the three networks have first
BOTH = "input scaled and shifted"  # named last: it explains whatever either does
PER_DECIBEL = np.log(10) / 10  # d ln(power) / d decibel


class Blurred(Witness):
    """A layer on an input the port computed itself: x (float64) with `error`, the most its float32
    may be off, of x's shape.
    """

    def __init__(self, subject, x, error):
        self.base = subject.but(x=x.astype(np.float32)).witness
        super().__init__(self.base.shape, self.base.axis)
        if self.base.moves:
            error = oracle.MOVES[subject.layer.kind](subject.layer.config, error)
            self.extra = np.broadcast_to(error, self.shape).reshape(self.view)
        else:
            self.extra = np.abs(self.base.scale) * error.reshape(self.view)

    def block(self, where):
        """The base's values there; its bound and what the input's own error adds."""
        block = self.base.block(where)
        own = 0.0 if block.bound2 is None else np.sqrt(block.bound2)
        return Block(
            where, block.o.astype(np.float64), np.square(own + self.extra[where] + FLUSHED)
        )


def reads_one(s):
    """Whether the layer's input is a spectrogram, normalised, if at all, by stored statistics."""
    return (
        s.layer.kind in READERS
        and s.x.ndim == 4
        and s.x.shape[1] == 1
        and s.layer.config.get("mode") != 2
    )


def computed(change):
    """Hypothesis: the input is change(x) = (values, error), float64, computed by the port in
    float32.
    """
    return lambda s: Blurred(s, *change(s.x.astype(np.float64))) if reads_one(s) else None


def _given(change):
    """Hypothesis: the input is change(x), bit for bit."""
    return lambda s: s.but(x=np.ascontiguousarray(change(s.x))) if reads_one(s) else None


def _power(x):
    """10^(x/10): an exponent of size n is rounded by u n, which is relative in the power."""
    power = np.power(10.0, np.minimum(x, 380) / 10)
    return power, U * (8 + 2 * PER_DECIBEL * np.abs(x)) * power


def line(x, factor=1.0, offset=0.0):
    """factor x + offset, with the error of a multiplication, an addition and rounded constants."""
    return factor * x + offset, 2 * U * (np.abs(factor * x) + abs(offset)) * (
        (factor != 1) + (offset != 0)
    )


def _of_clip(reduce):
    return lambda x: reduce(x.reshape(len(x), -1), axis=1).reshape(-1, 1, 1, 1)


def _from_peak(x):
    moved = x - _of_clip(np.max)(x)
    return moved, 2 * U * np.abs(moved)


def _standardised(x):
    mean, deviation = _of_clip(np.mean)(x), _of_clip(np.std)(x) + 1e-30
    out = (x - mean) / deviation
    return out, 16 * U * ((np.abs(x) + np.abs(mean)) / deviation + np.abs(out))


TABLE = {
    "one mel band off": _given(lambda x: np.roll(x, 1, axis=2)),
    "one mel band off, the other way": _given(lambda x: np.roll(x, -1, axis=2)),
    "input transposed": _given(lambda x: x.swapaxes(2, 3)),
    **{f"input stored as {name}": _given(FORMATS[name]) for name in STORED},
    "logarithm left out (power for decibel)": computed(_power),
    "decibels below each clip's peak": computed(_from_peak),
    "each clip standardised": computed(_standardised),
}


def fitted(subject, judge, actual):
    """The input multiplied by a constant, moved by one, or both: found by least squares over all
    of the output.
    """
    if not reads_one(subject):
        return
    sums = _line_sums(subject, judge, actual)
    for name, columns, make in (
        ("input scaled by {0:.6g}", [0], lambda a: (a, 0.0)),
        ("input shifted by {0:.6g}", [1], lambda b: (1.0, b)),
        (f"{BOTH}, by {{0:.6g}} and {{1:.6g}}", [0, 1], lambda a, b: (a, b)),
    ):
        values, errors = _solved(*sums, columns)
        if np.isfinite(values).all():
            estimate = {
                "what": "factor" if 0 in columns else "offset",
                "value": float(values[0]),
                "se": float(errors[0]),
            }
            yield name.format(*values), _on_line(subject, *make(*values)), estimate


def _on_line(subject, factor, offset):
    return computed(lambda x: line(x, factor, offset))(subject)


def _line_sums(subject, judge, actual):
    """Per row of the view's middle axis, (n, 2, 2), (n, 2) and (n, 2): of y = s (a x + b) + t,
    with weights 1/B^2.

    The products of s x and s with each other, with y - t, and with y - t - s x.
    """
    x, s, left, weights = (
        a.reshape(-1, *a.shape[-2:]).astype(np.float64) for a in _parts(subject, judge, actual)
    )
    design = np.stack([s * x, s])
    cross = np.einsum("iacp,jacp,acp->cij", design, design, weights)
    return (
        cross,
        np.einsum("iacp,acp->ci", design, left * weights),
        np.einsum("iacp,acp->ci", design, (left - s * x) * weights),
    )


def _parts(subject, judge, actual):
    """(x, s, y - t, weights) where y = s x + t: of a moving layer s is 1 where values are and 0
    where it fills in.
    """
    if judge.moves:
        move = oracle.MOVES[subject.layer.kind]
        y = np.asarray(actual)[:, 0]
        return (
            *(move(subject.layer.config, a)[:, 0] for a in (subject.x, np.ones_like(subject.x))),
            y,
            np.ones_like(y),
        )
    y, bound2 = np.ascontiguousarray(actual).reshape(judge.view), np.empty(judge.view)
    for where in judge.blocks():
        bound2[where] = judge.block(where).bound2
    return judge.x, np.broadcast_to(judge.scale, judge.view), y - judge.shift, 1 / bound2


def _solved(cross, with_left, with_rest, columns):
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
