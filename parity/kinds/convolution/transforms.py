"""How far a convolution by way of a transform may be off: FFT, Winograd on tiles of 2 and 4."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.kinds.api import LayerCase
from parity.kinds.convolution.arithmetic import Convolution
from parity.kinds.convolution.bound import convolution
from parity.numerics.rounding import Array, U, tail_factor

TILES = (2, 4)  # outputs of a tile along each axis
POINTS = (0.0, 1.0, -1.0, 2.0, -2.0, 0.5, -0.5)  # at which polynomials are evaluated
KERNELS = (2, 3, 4, 5)  # sizes that are computed so: larger ones would need more points


def room(case: LayerCase, at_most: bool = False) -> Array:
    """The farther of the two that an answer may be off, against the output's shape, float64;
    at_most: or more, by norms alone.
    """
    conv = convolution(case)
    winograd = _by_norms if at_most else _winograd
    return np.maximum(_fft(conv, case.x), winograd(conv, case.x))


def _fft(conv: Convolution, x: Array) -> Array:
    """(clips, filters, 1, 1).

    A transform of n values errs by log2(n) 6.7 u of their norm (Higham, Accuracy and Stability,
    theorem 24.2), and there are three of them: 20 log2(n) u |x| |w|, Euclidean norms of a channel
    and its kernel, summed over C channels with C u more.
    """
    n = np.prod([size + k - 1 for size, k in zip(x.shape[2:], conv.size, strict=True)])
    inputs, norms = map(np.sqrt, _squares(conv, x))
    allowed: Array = U * (20 * np.log2(n) + x.shape[1]) * (inputs @ norms.T)
    return allowed[:, :, None, None]


def _squares(conv: Convolution, x: Array) -> tuple[Array, Array]:
    """Squared norms of each clip's channels, (clips, C), and of each kernel's, (K, C)."""
    kernels = np.square(conv.matrix.reshape(len(conv.bias), x.shape[1], -1)).sum(axis=2)
    return np.square(x, dtype=np.float64).sum(axis=(2, 3)), kernels


def _tiles_of(conv: Convolution, x: Array) -> Iterator[tuple[int, list[Any], float]]:
    """(outputs of a tile, matrices of each axis, lam u sqrt(T)) of those that fit."""
    if conv.stride != (1, 1) or not all(size in KERNELS for size in conv.size):
        return
    lam = tail_factor(np.prod(conv.output_shape(x.shape)))
    for tile in TILES:
        sides = [matrices(tile, size) for size in conv.size]
        roundings = 6 * sum(len(G) for _, G, _ in sides) + x.shape[1] / 3
        yield tile, sides, float(lam * U * np.sqrt(roundings))


def _by_norms(conv: Convolution, x: Array) -> Array:
    """(clips, filters, 1, 1), at least what `_winograd` gives: no entry of M a N' is larger than
    the norms of a row of M, of one of N and of a.
    """
    inputs, kernels = _squares(conv, x)
    most = 0.0
    for _, sides, share in _tiles_of(conv, x):
        rows = (
            np.square(A) @ (np.square(G).sum(axis=1) * np.square(B).sum(axis=1))
            for A, G, B in sides
        )
        most = max(most, 2 * share * float(np.sqrt(np.prod([each.max() for each in rows]))))
    return most * np.sqrt(inputs @ kernels.T)[:, :, None, None]


def _winograd(conv: Convolution, x: Array) -> Array:
    """(clips, filters, rows, columns), 0 where no such tiles fit.

    Y = A'[sum over channels of (G w G') * (B' d B)]A. Written out, an output is a sum of products
    of one entry of each matrix, a weight and an input; as each of its T roundings is of a partial
    sum of these, its variance is at most T u^2 times A'^2[sum of (|G w G'|^2 + G^2 w^2 G'^2) *
    (|B'd B|^2 + B'^2 d^2 B^2)]A^2, squares element by element: a partial sum is the whole one at
    most, or has a part of its terms, in any signs. T adds up n roundings of each matrix along each
    axis and C/3 of the sum over C channels. The bound is lam of its deviations.
    """
    shape = conv.output_shape(x.shape)
    kernels = conv.matrix.reshape(shape[1], x.shape[1], *conv.size)
    found = np.zeros(shape)
    for tile, sides, share in _tiles_of(conv, x):
        weights = _both_ways(kernels, *(G for _, G, _ in sides))
        for clip, tiles in enumerate(_tiles(conv, x, tile)):
            inputs = _both_ways(tiles, *(B for _, _, B in sides))
            sums = products(weights, inputs)
            one, other = (np.square(A) for A, _, _ in sides)
            spread = np.einsum("ip,krspq,jq->krisj", one, sums, other, optimize=True)
            rows, columns = shape[2:]
            whole = spread.reshape(shape[1], spread.shape[1] * tile, -1)[:, :rows, :columns]
            np.maximum(found[clip], share * np.sqrt(whole), out=found[clip])
    return found


def matrices(tile: int, size: int) -> tuple[Array, Array, Array]:
    """(A', G, B') of Toom and Cook for so many outputs and a kernel of that size: G (n, size), B'
    (n, n), A' (tile, n), the last point at infinity.
    """
    n = tile + size - 1
    points = np.array(POINTS[: n - 1])
    A, G, B = np.zeros((tile, n)), np.zeros((n, size)), np.zeros((n, n))
    for at, point in enumerate(points):
        others = np.delete(points, at)
        A[:, at] = point ** np.arange(tile)
        G[at] = point ** np.arange(size) / np.prod(point - others)
        B[at, : n - 1] = np.poly(others)[::-1]
    A[-1, -1] = G[-1, -1] = 1.0
    B[-1] = np.poly(points)[::-1]
    return A, G, B


def products(kernels: Array, tiles: Array) -> Array:
    """Sums over channels, (K, rows, columns, p, q), of kernels (K, C, p, q) and tiles (C, rows,
    columns, p, q).
    """
    flat = tiles.reshape(len(tiles), -1, *tiles.shape[3:])
    # in C order, or NumPy leaves BLAS out
    one, other = (np.ascontiguousarray(a.transpose(2, 3, 0, 1)) for a in (kernels, flat))
    sums = one @ other
    return sums.transpose(2, 3, 0, 1).reshape(len(kernels), *tiles.shape[1:])


def _both_ways(a: Array, one: Array, other: Array) -> Array:
    """|M a N'|^2 + M^2 a^2 N'^2 over the last two axes."""
    whole = np.einsum("pi,...ij,qj->...pq", one, a, other, optimize=True)
    parts = np.einsum(
        "pi,...ij,qj->...pq", np.square(one), np.square(a), np.square(other), optimize=True
    )
    return np.asarray(np.square(whole) + parts)


def _tiles(conv: Convolution, x: Array, tile: int) -> Iterator[Array]:
    """What the tiles of each clip read, (C, rows of tiles, columns of tiles, n, n), float64."""
    out, pads, sizes = conv.output_shape(x.shape)[2:], [(0, 0)], []
    for n, many, k, pad in zip(x.shape[2:], out, conv.size, conv.pad, strict=True):
        sizes.append(tile + k - 1)
        pads.append((pad, max(0, -(-many // tile) * tile + k - 1 - n - pad)))
    for clip in x:
        windows: Array = sliding_window_view(  # type: ignore[call-overload]
            np.pad(clip.astype(np.float64), pads), sizes, axis=(1, 2)
        )
        yield windows[:, ::tile, ::tile][:, : -(-out[0] // tile), : -(-out[1] // tile)]
