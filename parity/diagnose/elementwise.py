"""What ports get wrong in ELU, pooling and the layers that only move values."""

import itertools

import numpy as np

from parity.diagnose.subject import Mapped
from parity.kinds import oracle
from parity.numerics.rounding import Moves, U, Whole

SELU = 1.0507009873554805, 1.6732632423543772  # scale, alpha: Klambauer et al. 2017
LN2 = 0.6931471805599453


def _leaky(slope):
    return lambda s: Mapped(s.x, lambda x: np.where(x > 0, x, slope * x))


ELU = {
    "ReLU": lambda s: s.but(config={"alpha": 0.0}),
    **{f"leaky ReLU with slope {slope:g}": _leaky(slope) for slope in (0.01, 0.1, 0.2, 0.3)},
    "SELU": lambda s: Mapped(s.x, lambda x: SELU[0] * oracle.elu(x, SELU[1])),
    "tanh": lambda s: Mapped(s.x, np.tanh),
    "sigmoid": lambda s: Mapped(s.x, oracle.sigmoid),
    "ELU of the negated input": lambda s: s.but(x=-s.x),
    "ELU applied twice": lambda s: Mapped(s.x, lambda x: oracle.elu(oracle.elu(x, 1.0), 1.0)),
}


def lattice_share(x, y, alpha=1.0):
    """Share of the outputs for -ln 2 < x < 0 on the 2^-24 grid: 1 where exp(x) - 1 was computed,
    far less for expm1.

    exp(x) lies in (1/2, 1), whose float32 numbers are 2^-24 apart; subtracting 1 is exact. None
    where no x lies there.
    """
    inside = (x > -LN2) & (x < 0)
    if alpha != 1.0 or not inside.any():
        return None
    scaled = y[inside].astype(np.float64) * 2.0**24
    return float(np.mean(scaled == np.rint(scaled)))


def _pool_geometry(s):
    size = s.layer.config["pool_size"]
    return size, s.layer.config.get("strides") or size


def _cover_all(s):
    """Chainer's default: a last window that is not full counts."""
    size, strides = _pool_geometry(s)
    short = [-(n - k) % stride for n, k, stride in zip(s.x.shape[2:], size, strides, strict=True)]
    if not any(short):
        return s
    return s.but(
        x=np.pad(s.x, ((0, 0), (0, 0), (0, short[0]), (0, short[1])), constant_values=-np.inf)
    )


def _windows(s, reduce):
    (rows, columns), strides = _pool_geometry(s)
    steps = [
        (n - k) // stride
        for n, k, stride in zip(s.x.shape[2:], (rows, columns), strides, strict=True)
    ]
    taps = [
        s.x[
            :,
            :,
            i : i + steps[0] * strides[0] + 1 : strides[0],
            j : j + steps[1] * strides[1] + 1 : strides[1],
        ]
        for i, j in itertools.product(range(rows), range(columns))
    ]
    return reduce(taps)


def _average(s):
    """The mean of each window; any order of its float32 sum errs by less than the number of terms
    times u sum|x|.
    """
    mean = _windows(s, lambda taps: sum(tap.astype(np.float64) for tap in taps) / len(taps))
    bound2 = _windows(
        s,
        lambda taps: np.square(U * sum(np.abs(tap.astype(np.float64)) for tap in taps) + 2.0**-126),
    )
    return Whole(1, mean, bound2, bound2 / 49, bound2)


def _minimum(s):
    return Moves(_windows(s, lambda taps: np.minimum.reduce(taps)))


def _strides(change):
    def make(s):
        size, strides = _pool_geometry(s)
        return s.but(
            config={
                "strides": [
                    max(1, change(k, stride)) for k, stride in zip(size, strides, strict=True)
                ]
            }
        )

    return make


def _moved(rows, columns):
    def make(s):
        return s.but(
            x=np.pad(
                s.x[:, :, rows:, columns:],
                ((0, 0), (0, 0), (0, rows), (0, columns)),
                constant_values=-np.inf,
            )
        )

    return make


def _pool_transposed(s):
    size, strides = _pool_geometry(s)
    if size[0] == size[1] and strides[0] == strides[1]:
        return None
    return s.but(config={"pool_size": size[::-1], "strides": strides[::-1]})


POOLING = {
    "last windows that are not full count (cover_all)": _cover_all,
    "average instead of maximum": _average,
    "minimum instead of maximum": _minimum,
    "stride 1": _strides(lambda size, stride: 1),
    "stride one less": _strides(lambda size, stride: stride - 1),
    "stride one more": _strides(lambda size, stride: stride + 1),
    "pool size and stride transposed": _pool_transposed,
    "windows start one row late": _moved(1, 0),
    "windows start one column late": _moved(0, 1),
}


def _padding(values, before=1, after=1):
    """The same amount, filled otherwise or distributed otherwise over the two sides."""

    def make(s):
        sides = [(before * p, after * p) for p in s.layer.config["padding"]]
        return Moves(np.pad(s.x, ((0, 0), (0, 0), *sides), **values))

    return make


PADDING = {
    "padded at the end only": _padding({"mode": "constant"}, 0, 2),
    "padded at the start only": _padding({"mode": "constant"}, 2, 0),
    "padded with the edge's values": _padding({"mode": "edge"}),
    "padded by reflection": _padding({"mode": "reflect"}),
    "padded with ones": _padding({"constant_values": 1.0}),
    "rows and columns of the padding swapped": lambda s: s.but(
        config={"padding": s.layer.config["padding"][::-1]}
    ),
}


def _permuted(order):
    return lambda s: (
        Moves(s.x.transpose(0, *order))
        if s.x.ndim == 4 and order != tuple(s.layer.config["dims"])
        else None
    )


PERMUTE = {f"dims {order}": _permuted(order) for order in itertools.permutations((1, 2, 3))}


def _out_shape(s):
    return (
        (len(s.x), *s.layer.config["target_shape"]) if s.layer.kind == "Reshape" else (len(s.x), -1)
    )


FLATTEN = {
    "last axis slowest (Fortran order)": lambda s: Moves(
        np.stack([clip.ravel(order="F") for clip in s.x]).reshape(_out_shape(s))
    ),
    "channels last": lambda s: Moves(np.moveaxis(s.x, 1, -1).reshape(_out_shape(s))),
    "batch in reversed order": lambda s: (
        Moves(s.x[::-1].reshape(_out_shape(s))) if len(s.x) > 1 else None
    ),
}
DROPOUT = {"values scaled by 1 - p": lambda s: Mapped(s.x, lambda x: x * (1 - s.layer.config["p"]))}
