"""Harmless ways to compute the same: other orders of summation, other blocking, more digits. The
harness must stay quiet.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from parity.faults.kept import PROJECT
from parity.port.functions.elementwise import sigmoid


def _columns(x):
    """im2col of a 3 x 3 "same" convolution: x (B,C,F,T) -> (B, 9C, F T), taps within channels."""
    wide = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(wide, (3, 3), axis=(2, 3))  # (B,C,F,T,3,3)
    return np.ascontiguousarray(windows.transpose(0, 1, 4, 5, 2, 3)).reshape(
        len(x), -1, x.shape[2] * x.shape[3]
    )


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


def convolution(link, x, *, order):
    """im2col, then the sum over taps and channels in one of ORDERS; the bias last."""
    matrix = link.W.array.reshape(len(link.W.array), -1)
    sums = np.stack([ORDERS[order](matrix, columns) for columns in _columns(x)])
    return (sums + link.b.array[:, None]).reshape(len(x), -1, *x.shape[2:])


def direct_convolution(link, x):
    """No im2col: one matrix product per tap, summed over taps."""
    (_, _, bands, frames), W = x.shape, link.W.array
    wide, y = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1))), 0
    for row, column in np.ndindex(3, 3):
        under = wide[:, :, row : row + bands, column : column + frames].reshape(
            *x.shape[:2], -1
        )  # (B,C,F T)
        y = y + np.matmul(W[:, :, row, column], under)
    return (y + link.b.array[:, None]).reshape(len(x), -1, bands, frames)


def dense(link, x, *, order):
    """The dense layer's sums in one of ORDERS."""
    sums = ORDERS[order](link.W.array, np.ascontiguousarray(x.T)).T
    return sigmoid(sums + link.b.array)


def with_threads(link, x, *, count):
    """The port's own step with `count` BLAS threads."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(count) if count else nullcontext():
        return link(x)


def on_core(link, x, *, kind):
    """The port's own convolution as OpenBLAS computes it on another kind of core: other kernels,
    other blocking.
    """
    with tempfile.TemporaryDirectory() as folder:
        for name, array in (("x", x), ("W", link.W.array), ("b", link.b.array)):
            np.save(Path(folder, f"{name}.npy"), array)
        done = subprocess.run(
            [sys.executable, "-m", "parity.faults.elsewhere", folder],
            cwd=PROJECT,
            capture_output=True,
            text=True,
            env={**os.environ, "OPENBLAS_CORETYPE": kind},
        )
        if done.returncode:
            raise RuntimeError(
                "the convolution of another core type failed: "
                f"{done.stderr.strip().splitlines()[-1]}"
            )
        return np.load(Path(folder, "y.npy"))


def fused_normalization(link, x):
    """s x + t, with s and t computed once: one rounding more in t, one less in x - mean."""
    shape = [1] * x.ndim
    shape[link.axis] = -1
    s = link.gamma.array / link.dialect.test_divisor(link.running_std, link.eps)
    s = getattr(s, "array", s)
    return x * s.reshape(shape) + (link.beta.array - s * link.running_mean).reshape(shape)
