"""A convolution with and without the flip of its kernels, and whether this input and these kernels
could show the difference.
"""

from dataclasses import dataclass

import numpy as np

from parity.kinds.api import LayerCase, Params
from parity.kinds.convolution.bound import convolution
from parity.numerics.rounding import Array
from parity.port_api import Port, ask
from parity.results import Asymmetry, Distance, Figure


@dataclass
class Flip:
    """What the flip of the kernels is worth at one layer: the port's distance from the original
    with it and without; visible: from a decidability (largest |oracle unflipped - oracle|/B) of 1
    on.
    """

    asymmetry: Asymmetry
    decidability: Figure
    visible: bool
    message: str | None
    flipped: Distance
    unflipped: Distance


def asymmetry(kernels: Array) -> Asymmetry:
    """Of kernels (K, C, kh, kw)."""
    wide = kernels.astype(np.float64)
    change, size = (np.sqrt(np.square(a).sum(axis=(1, 2, 3))) for a in (wide - _turned(wide), wide))
    each = change / np.where(size == 0, 1, size)
    whole = float(np.linalg.norm(change) / (np.linalg.norm(size) or 1))
    return Asymmetry(whole, float(each.min()), int(each.argmin()))


def glance(case: LayerCase, expected: Array, port: Port) -> tuple[Asymmetry, str | None]:
    """How far the kernels are from symmetric, and what is to be said of kernels that are."""
    found = asymmetry(case.params["W"])
    said = "a flip could not be seen here, as its kernels are symmetric"
    return found, None if found.whole else f"{case.layer.name}: {said}"


def examine(case: LayerCase, expected: Array, actual: Array, port: Port) -> Flip:
    """What the flip is worth at one layer. The unflipped port is asked where it takes other
    weights; else the oracle stands in.
    """
    found, message = glance(case, expected, port)
    turned = {"W": _turned(case.params["W"])}
    ratio, stand_in = _decidability(case, expected, turned)
    unflipped = _with_weights(port, case, turned)
    visible = bool(ratio >= 1)
    return Flip(
        found,
        ratio,
        visible,
        None if visible else message or _hidden(case, found),
        distance(actual, expected),
        stand_in if unflipped is None else distance(unflipped, expected),
    )


def _turned(kernels: Array) -> Array:
    return kernels[:, :, ::-1, ::-1]


def _with_weights(port: Port, case: LayerCase, changes: Params) -> Array | None:
    """The layer's output with other weights; None of a port that takes none."""
    name = case.layer.name
    return ask("the port", lambda x: port.with_weights(name, changes).run(name, x), case.x).actual


def _hidden(case: LayerCase, found: Asymmetry) -> str:
    """What is said where kernels differ from their flips and this input does not show it."""
    largest = float(np.abs(case.x).max())
    why = (
        f"its input, of at most {largest:.2g}, hardly changes from place to place"
        if largest
        else "its input is silent"
    )
    return (
        f"{case.layer.name}: a flip could not be seen here, as {why}; its kernels differ from "
        f"their flips by {found.whole:.2g} of their size"
    )


def _decidability(case: LayerCase, expected: Array, turned: Params) -> tuple[float, Distance]:
    """(largest |o_unflipped - o|/B, distance of o_unflipped from the original's output)."""
    judge, unflipped = case.witness, convolution(case.but(params=turned))
    recorded, ratio2, largest, squares = expected.reshape(judge.view), 0.0, 0.0, 0.0
    for where in judge.blocks():
        block = judge.block(where)
        sums = unflipped.sums(case.x, where)
        ratio2 = max(ratio2, float((np.square(sums - block.o) / block.bound2).max()))
        gap = np.abs(sums - recorded[where])
        largest, squares = max(largest, float(gap.max())), squares + float(np.square(gap).sum())
    rms = float(np.sqrt(squares / recorded.size))
    return float(np.sqrt(ratio2)), Distance(largest, rms)


def distance(actual: Array, expected: Array) -> Distance:
    """Of actual - expected, in float64."""
    drift = np.subtract(actual, expected, dtype=np.float64)
    largest = float(np.abs(drift).max())
    return Distance(largest, float(np.sqrt(np.mean(np.square(drift, out=drift)))))
