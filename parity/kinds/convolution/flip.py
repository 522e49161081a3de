"""A convolution with and without the flip of its kernels, and whether this input and these kernels
could show the difference.
"""

import numpy as np

from parity.kinds.api import Evidence, LayerCase, Params
from parity.kinds.convolution.bound import convolution
from parity.numerics.rounding import Array
from parity.port_api import Port, ask


def asymmetry(kernels: Array) -> Evidence:
    """{whole, least, least_kernel}: |W - flip(W)|/|W| of all kernels (K, C, kh, kw) and of the
    most symmetric one; 0: no flip shows.
    """
    wide = kernels.astype(np.float64)
    change, size = (np.sqrt(np.square(a).sum(axis=(1, 2, 3))) for a in (wide - _turned(wide), wide))
    each = change / np.where(size == 0, 1, size)
    return {
        "whole": float(np.linalg.norm(change) / (np.linalg.norm(size) or 1)),
        "least": float(each.min()),
        "least_kernel": int(each.argmin()),
    }


def glance(case: LayerCase, expected: Array, port: Port) -> tuple[Evidence, str | None]:
    """How far the kernels are from symmetric, and what is to be said of kernels that are."""
    found = asymmetry(case.params["W"])
    said = "a flip could not be seen here, as its kernels are symmetric"
    return found, None if found["whole"] else f"{case.layer.name}: {said}"


def examine(case: LayerCase, expected: Array, actual: Array, port: Port) -> Evidence:
    """What the flip is worth at one layer.

    Returns {asymmetry, decidability, visible, message, flipped, unflipped: {max_abs, rms} of port
    - original}. decidability: largest |oracle unflipped - oracle|/B; the flip is visible from 1
    on. The unflipped port is asked where it takes other weights; else the oracle stands in.
    """
    found, message = glance(case, expected, port)
    turned = {"W": _turned(case.params["W"])}
    ratio, stand_in = _decidability(case, expected, turned)
    unflipped = _with_weights(port, case, turned)
    visible = bool(ratio >= 1)
    return {
        "asymmetry": found,
        "decidability": ratio,
        "visible": visible,
        "message": None if visible else message or _hidden(case, found),
        "flipped": distance(actual, expected),
        "unflipped": stand_in if unflipped is None else distance(unflipped, expected),
    }


def _turned(kernels: Array) -> Array:
    return kernels[:, :, ::-1, ::-1]


def _with_weights(port: Port, case: LayerCase, changes: Params) -> Array | None:
    """The layer's output with other weights; None of a port that takes none."""
    name = case.layer.name
    return ask("the port", lambda x: port.with_weights(name, changes).run(name, x), case.x).actual


def _hidden(case: LayerCase, found: Evidence) -> str:
    """What is said where kernels differ from their flips and this input does not show it."""
    largest = float(np.abs(case.x).max())
    why = (
        f"its input, of at most {largest:.2g}, hardly changes from place to place"
        if largest
        else "its input is silent"
    )
    return (
        f"{case.layer.name}: a flip could not be seen here, as {why}; its kernels differ from "
        f"their flips by {found['whole']:.2g} of their size"
    )


def _decidability(case: LayerCase, expected: Array, turned: Params) -> tuple[float, Evidence]:
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
    return float(np.sqrt(ratio2)), {"max_abs": largest, "rms": rms}


def distance(actual: Array, expected: Array) -> Evidence:
    """{max_abs, rms} of actual - expected, in float64."""
    drift = np.subtract(actual, expected, dtype=np.float64)
    return {
        "max_abs": float(np.abs(drift).max()),
        "rms": float(np.sqrt(np.mean(np.square(drift, out=drift)))),
    }
