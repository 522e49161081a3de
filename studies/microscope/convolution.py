"""A convolution with and without the flip of its kernels, and whether this input and these kernels
could show the difference.
"""

import numpy as np

from parity.kinds import layer_case
from parity.kinds.convolution import convolution


def asymmetry(kernels):
    """{whole, least, least_kernel}: |W - flip(W)|/|W| of all kernels (K, C, kh, kw) and of the
    most symmetric one; 0: no flip shows.
    """
    wide = kernels.astype(np.float64)
    change, size = (
        np.sqrt(np.square(a).sum(axis=(1, 2, 3))) for a in (wide - wide[:, :, ::-1, ::-1], wide)
    )
    each = change / np.where(size == 0, 1, size)
    return {
        "whole": float(np.linalg.norm(change) / (np.linalg.norm(size) or 1)),
        "least": float(each.min()),
        "least_kernel": int(each.argmin()),
    }


def examine(layer, params, given, expected, actual, keras, unflipped=None):
    """What the flip is worth at one layer, as plain numbers.

    given: the original's float32 input; expected, actual: the original's and the port's output of
    it; unflipped: the port's output with its kernels not flipped, or None: then the float64
    oracle's stands in.
    Returns {asymmetry, decidability, visible, message, flipped, unflipped: {max_abs, rms} of port
    - original}. decidability: largest |oracle unflipped - oracle|/B, the flip is visible from 1
    on.
    """
    (ratio, stand_in), found = (
        _decidability(layer, params, given, expected, keras),
        asymmetry(params["W"]),
    )
    visible = bool(ratio >= 1)
    return {
        "asymmetry": found,
        "decidability": ratio,
        "visible": visible,
        "message": None if visible else symmetric(layer, found) or _hidden(layer, found, given),
        "flipped": distance(actual, expected),
        "unflipped": stand_in if unflipped is None else distance(unflipped, expected),
    }


def symmetric(layer, found):
    """What is said of kernels that are their own flips, from their `asymmetry`; None of others."""
    return (
        None
        if found["whole"]
        else f"{layer.name}: a flip could not be seen here, as its kernels are symmetric"
    )


def _hidden(layer, found, given):
    """What is said where kernels differ from their flips and this input does not show it."""
    largest = float(np.abs(given).max())
    why = (
        "its input is silent"
        if largest == 0
        else f"its input, of at most {largest:.2g}, hardly changes from place to place"
    )
    return (
        f"{layer.name}: a flip could not be seen here, as {why}; its kernels differ from "
        "their flips by "
        f"{found['whole']:.2g} of their size"
    )


def _decidability(layer, params, given, expected, keras):
    """(largest |o_unflipped - o|/B, distance of o_unflipped from the original's output), block by
    block.
    """
    case = layer_case(layer, params, given, keras)
    judge, turned = case.witness, convolution(case.but({}, {"W": params["W"][:, :, ::-1, ::-1]}))
    recorded, ratio2, largest, squares = expected.reshape(judge.view), 0.0, 0.0, 0.0
    for where in judge.blocks():
        block = judge.block(where)
        unflipped = turned.sums(given, where)
        ratio2 = max(ratio2, float((np.square(unflipped - block.o) / block.bound2).max()))
        gap = np.abs(unflipped - recorded[where])
        largest, squares = max(largest, float(gap.max())), squares + float(np.square(gap).sum())
    return float(np.sqrt(ratio2)), {
        "max_abs": largest,
        "rms": float(np.sqrt(squares / recorded.size)),
    }


def distance(actual, expected):
    """{max_abs, rms} of actual - expected, in float64."""
    drift = np.subtract(actual, expected, dtype=np.float64)
    return {
        "max_abs": float(np.abs(drift).max()),
        "rms": float(np.sqrt(np.mean(np.square(drift, out=drift)))),
    }
