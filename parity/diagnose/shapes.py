"""Hypotheses read from an output's shape: what was padded, pooled or reshaped to, where it is not
what the original has.

Each is tested like any other: the shape only says what there is to try.
"""

import itertools

import numpy as np

from parity.kinds import oracle
from parity.numerics.rounding import Moves

POOLS_MOST = 8  # rows or columns of a window


def padding(subject, judge, actual):
    """Other amounts, sides or values: where the input lies in the output and what is around it are
    read from the output.
    """
    place = _place(subject.x, actual)
    if place is None:
        return
    sides = [
        (start, whole - start - size)
        for start, whole, size in zip(place, actual.shape[2:], subject.x.shape[2:], strict=True)
    ]
    ring = np.ones(actual.shape, bool)
    ring[
        :, :, place[0] : place[0] + subject.x.shape[2], place[1] : place[1] + subject.x.shape[3]
    ] = False
    value = actual[ring].flat[0] if ring.any() else actual.dtype.type(0)
    filled = f"padded with {value:g}" if value else ""
    own = all(
        before == after == p
        for (before, after), p in zip(sides, subject.layer.config["padding"], strict=True)
    )
    yield (
        ", ".join(filter(None, ("" if own else _amount(sides), filled))) or "padded",
        Moves(np.pad(subject.x, ((0, 0), (0, 0), *sides), constant_values=value)),
        None,
    )


def _place(x, actual):
    """(row, column) of the output at which the input lies, or None."""
    if actual.ndim != 4 or x.ndim != 4 or actual.shape[:2] != x.shape[:2] or not x.size:
        return None
    room = [
        range(whole - size + 1) for whole, size in zip(actual.shape[2:], x.shape[2:], strict=True)
    ]
    middle = x.shape[2] // 2
    for row, column in itertools.product(*room):
        if np.array_equal(
            actual[0, 0, row + middle, column : column + x.shape[3]], x[0, 0, middle]
        ):
            return row, column
    return None


def _amount(sides):
    before, after = zip(*sides, strict=True)
    return f"padding {before}" if before == after else f"padding {before} before and {after} after"


def pooling(subject, judge, actual):
    """Windows of another size, next to each other or with the original's stride."""
    size, strides = (
        subject.layer.config["pool_size"],
        subject.layer.config.get("strides") or subject.layer.config["pool_size"],
    )
    for other in itertools.product(range(1, POOLS_MOST + 1), repeat=2):
        for apart in dict.fromkeys((other, tuple(strides))):
            if (other, apart) != (tuple(size), tuple(strides)) and _pooled(
                subject.x, other, apart
            ) == actual.shape:
                name = f"pool size {other}" + ("" if apart == other else f", stride {apart}")
                yield (
                    name,
                    subject.but(config={"pool_size": list(other), "strides": list(apart)}),
                    None,
                )


def _pooled(x, size, strides):
    return (
        *x.shape[:2],
        *((n - k) // s + 1 for n, k, s in zip(x.shape[2:], size, strides, strict=True)),
    )


def target(subject, judge, actual):
    """The same values in another shape, in one of three orders."""
    x = subject.x
    if actual.shape == judge.shape or actual.size != x.size or len(actual) != len(x):
        return
    shape = actual.shape[1:]
    yield f"target shape {shape}", Moves(x.reshape(actual.shape)), None
    slowest = np.stack([each.ravel(order="F").reshape(shape) for each in x])
    yield f"target shape {shape}, last axis slowest (Fortran order)", Moves(slowest), None
    if x.ndim > 2:
        yield (
            f"target shape {shape}, channels last",
            Moves(np.moveaxis(x, 1, -1).reshape(actual.shape)),
            None,
        )


def pooled_instead(subject, judge, actual):
    """Maximum pooling where this layer is: a wrong layer order that the shape shows."""
    if (
        actual.ndim != 4
        or subject.x.ndim != 4
        or not all(actual.shape)
        or actual.shape == subject.x.shape
    ):
        return
    size = [n // m for n, m in zip(subject.x.shape[2:], actual.shape[2:], strict=True)]
    if all(size) and _pooled(subject.x, size, size) == actual.shape:
        yield (
            "wrong layer order: maximum pooling in its place",
            Moves(oracle.max_pool({"pool_size": size, "strides": size}, subject.x)),
            None,
        )


BY_KIND = {
    "ZeroPadding2D": (padding,),
    "MaxPooling2D": (pooling,),
    "Reshape": (target,),
    "Flatten": (target,),
    "BatchNormalization": (pooled_instead,),
    "ELU": (pooled_instead,),
    "Convolution2D": (pooled_instead,),
}
