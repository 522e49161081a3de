"""Harmless ways to compute the same: other orders of summation, other blocking, more digits. The
harness must stay quiet.
"""

import os

import numpy as np
from chainer import as_array

from parity.faults.plant import formula
from parity.kinds.convolution.transforms import matrices, products
from parity.port.links.convolution_2d import same_convolution_2d
from parity.port.links.dense import sigmoid
from parity.processes import side_by_side


def _padded(x):
    return np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))


def _columns(x):
    """im2col of a 3 x 3 "same" convolution: x (B,C,F,T) -> (B, 9C, F T), taps within channels."""
    windows = np.lib.stride_tricks.sliding_window_view(_padded(x), (3, 3), axis=(2, 3))
    columns = np.ascontiguousarray(windows.transpose(0, 1, 4, 5, 2, 3))  # (B,C,3,3,F,T)
    return columns.reshape(len(x), -1, x.shape[2] * x.shape[3])


def _blocked(matrix, columns):
    parts = range(0, matrix.shape[1], 64)
    return sum(matrix[:, k : k + 64] @ columns[k : k + 64] for k in parts)


def _reversed(matrix, columns):
    return np.ascontiguousarray(matrix[:, ::-1]) @ np.ascontiguousarray(columns[::-1])


def _pairwise(matrix, columns):
    if matrix.shape[1] <= 9:
        return matrix @ columns
    half = matrix.shape[1] // 2
    return _pairwise(matrix[:, :half], columns[:half]) + _pairwise(matrix[:, half:], columns[half:])


def _double(matrix, columns):
    return (matrix.astype(np.float64) @ columns).astype(columns.dtype)


ORDERS = {"blocked": _blocked, "reversed": _reversed, "pairwise": _pairwise, "float64": _double}


@formula
def convolution(link, x, *, order):
    """im2col, then the sum over taps and channels in one of ORDERS; the bias last."""
    matrix = link.W.array.reshape(len(link.W.array), -1)
    sums = np.stack([ORDERS[order](matrix, columns) for columns in _columns(x)])
    return (sums + link.b.array[:, None]).reshape(len(x), -1, *x.shape[2:])


@formula
def direct_convolution(link, x):
    """No im2col: one matrix product per tap, summed over taps."""
    (clips, channels, bands, frames), W, y = x.shape, link.W.array, 0
    for row, column in np.ndindex(3, 3):
        under = _padded(x)[:, :, row : row + bands, column : column + frames]
        y = y + np.matmul(W[:, :, row, column], under.reshape(clips, channels, -1))
    return (y + link.b.array[:, None]).reshape(clips, -1, bands, frames)


@formula
def channels_last(link, x, *, order="blocked"):
    """The same with taps before channels: summed over rows, columns, then channels."""
    filters, channels = link.W.shape[:2]
    matrix = link.W.array.transpose(0, 2, 3, 1).reshape(filters, -1)
    columns = _columns(x).reshape(len(x), channels, 9, -1).swapaxes(1, 2)
    columns = np.ascontiguousarray(columns).reshape(len(x), matrix.shape[1], -1)
    sums = np.stack([ORDERS[order](matrix, each) for each in columns])
    return (sums + link.b.array[:, None]).reshape(len(x), -1, *x.shape[2:])


@formula
def einsum(link, x):
    """One sum written by its indices."""
    windows = np.lib.stride_tricks.sliding_window_view(_padded(x), (3, 3), axis=(2, 3))
    y = np.einsum("bcijmn,kcmn->bkij", windows, link.W.array, optimize=True)
    return np.ascontiguousarray(y + link.b.array[:, None, None])


@formula
def by_fft(link, x):
    """By float32 transforms of the whole image."""
    W, (bands, frames) = link.W.array[..., ::-1, ::-1], x.shape[2:]
    image, kernels = (_transformed(each, (bands + 2, frames + 2)) for each in (x, W))
    sums = np.einsum("bcij,kcij->bkij", image, kernels)
    y = _transformed(sums, sums.shape[2:])  # twice is the values in reversed order
    y = y[:, :, -np.arange(bands) - 1][..., -np.arange(frames) - 1].real
    return y / np.float32(sums[0, 0].size) + link.b.array[:, None, None]


def _transformed(a, least):
    """Fourier's transform of the last two axes in complex64, padded to powers of 2."""
    sizes = [2 ** int(np.ceil(np.log2(n))) for n in least]
    edges = [(0, size - n) for size, n in zip(sizes, a.shape[2:], strict=True)]
    a = np.pad(a, ((0, 0), (0, 0), *edges)).astype(np.complex64)
    return _fft(_fft(a).swapaxes(2, 3)).swapaxes(2, 3)


def _fft(a):
    """Along the last axis (Cooley and Tukey)."""
    if a.shape[-1] == 1:
        return a
    even, odd = _fft(a[..., ::2]), _fft(a[..., 1::2])
    turn = np.exp(-2j * np.pi * np.arange(odd.shape[-1]) / a.shape[-1]).astype(np.complex64)
    return np.concatenate([even + turn * odd, even - turn * odd], axis=-1)


@formula
def by_winograd(link, x, *, tile):
    """In tiles of so many outputs along each axis: fewer products, more roundings."""
    A, G, B = (each.astype(np.float32) for each in matrices(tile, 3))
    (clips, _, bands, frames), n = x.shape, tile + 2
    more = [(1, 1 - size % -tile) for size in (bands, frames)]
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(x, ((0, 0), (0, 0), *more)), (n, n), axis=(2, 3)
    )[:, :, ::tile, ::tile]
    kernels, tiles = (
        np.einsum("pi,...ij,qj->...pq", M, each, M, optimize=True)
        for M, each in ((G, link.W.array), (B, windows))
    )
    sums = np.stack([products(kernels, each) for each in tiles])
    y = np.einsum("ip,bkrspq,jq->bkrisj", A, sums, A, optimize=True)
    y = y.reshape(clips, len(kernels), y.shape[2] * tile, -1)[:, :, :bands, :frames]
    return np.ascontiguousarray(y) + link.b.array[:, None, None]


def same_buffer(tagger, layer):
    """Every answer of one shape is written into the same array."""
    buffers = {}

    def step(x):
        y = as_array(tagger[layer](x))
        out = buffers.setdefault(y.shape, np.empty_like(y))
        out[...] = y
        return out

    return {layer: step}


@formula
def dense(link, x, *, order):
    """The dense layer's sums in one of ORDERS."""
    sums = ORDERS[order](link.W.array, np.ascontiguousarray(x.T)).T
    return sigmoid(sums + link.b.array)


@formula
def with_threads(link, x, *, count):
    """The port's own step with `count` BLAS threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count):
        return link(x)


@formula
def on_core(link, x, *, kind):
    """The port's convolution as OpenBLAS computes it on another kind of core: other kernels and
    blocking, chosen as a process loads NumPy.
    """
    ours = {name: os.environ[name] for name in ("OPENBLAS_NUM_THREADS",) if name in os.environ}
    jobs = {kind: (x, link.W.array, link.b.array)}
    return dict(side_by_side(_convolved, jobs, 1, OPENBLAS_CORETYPE=kind, **ours))[kind]


def _convolved(x, W, b):
    return same_convolution_2d(x, W, b).array


@formula
def fused_normalization(link, x):
    """s x + t, with s and t computed once: one rounding more in t, one less in x - mean."""
    shape = [1] * x.ndim
    shape[link.axis] = -1
    s = link.gamma.array / link.dialect.test_divisor(link.running_std, link.eps)
    s = getattr(s, "array", s)
    return x * s.reshape(shape) + (link.beta.array - s * link.running_mean).reshape(shape)
