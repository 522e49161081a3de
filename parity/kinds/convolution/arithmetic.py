"""A convolution in float64, by blocks of rows: the sums, and what bounds their rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.kinds.api import Change
from parity.numerics.rounding import Array, Scratch, Shape, U, Where

BLOCK = 2**16  # output elements per block; smaller ones waste the matrix product
PADDING: dict[str, Callable[[int], int]] = {
    "valid": lambda k: 0,
    "same": lambda k: k // 2,
    "full": lambda k: k - 1,
}
_SQUARES_FIT = (2.0**-30, 2.0**30)  # magnitudes whose squares and their sums are float32 numbers


class Convolution:
    """Theano's convolution: kernels are flipped (tensor/nnet/abstract_conv.py, filter_flip=True);
    'same' pads k//2 each side, 'full' k - 1.

    kernels (K, C, kh, kw) and bias (K,) in float64; stride (rows, columns). Outputs are seen as
    (B, K, rows*columns).
    """

    def __init__(
        self, kernels: Array, bias: Array, border_mode: str, stride: tuple[int, int]
    ) -> None:
        self.size = kernels.shape[2:]
        self.pad = tuple(PADDING[border_mode](k) for k in self.size)
        self.same, self.stride, self.bias = border_mode == "same", stride, bias
        flipped = np.ascontiguousarray(kernels[:, :, ::-1, ::-1])
        self.matrix = flipped.reshape(len(kernels), -1)  # (K, C*kh*kw)
        self.squares = np.square(self.matrix)
        self.squares32 = self.squares.astype(np.float32)
        self.terms = self.matrix.shape[1] + 1  # of each sum, the bias included
        self.scratch = Scratch()

    def output_shape(self, shape: Shape) -> tuple[int, ...]:
        """(B, K, rows, columns) for an input of this shape."""
        # Keras cuts what an even kernel leaves over: theano_backend.py, _postprocess_conv2d_output
        sides = zip(shape[2:], self.size, self.stride, self.pad, strict=True)
        image = [-(-n // s) if self.same else (n + 2 * pad - k) // s + 1 for n, k, s, pad in sides]
        return shape[0], len(self.matrix), *image

    def blocks(self, shape: Shape) -> Iterator[Where]:
        """Yield (clip, all channels, positions): rows of a clip or pieces of one, about BLOCK
        elements each.
        """
        clips, kernels, rows, columns = self.output_shape(shape)
        pieces = -(-kernels * columns // (2 * BLOCK))
        some_rows = max(1, BLOCK // (kernels * columns)) * columns
        many, step = (some_rows,) * 2 if pieces == 1 else (columns, -(-columns // pieces))
        for clip in range(clips):
            for start in range(0, rows * columns, many):
                stop = min(start + many, rows * columns)
                for first in range(start, stop, step):
                    yield slice(clip, clip + 1), slice(None), slice(first, min(first + step, stop))

    def rows_read(self, where: Where, shape: Shape) -> slice:
        """The slice of input rows that the outputs at `where` read, without the padding."""
        columns = self.output_shape(shape)[3]
        top = where[2].start // columns * self.stride[0] - self.pad[0]
        bottom = (where[2].stop - 1) // columns * self.stride[0] - self.pad[0] + self.size[0]
        return slice(min(max(top, 0), shape[2]), max(min(bottom, shape[2]), 0))

    def patches(self, x: Array, where: Where) -> Array:
        """(C*kh*kw, positions): what the kernels meet at these outputs, zeros beyond the edge."""
        columns = self.output_shape(x.shape)[3]
        rows, left, right = self._rows(x, where, columns)
        windows: Array = sliding_window_view(rows, self.size, axis=(1, 2))  # type: ignore[call-overload]
        windows = windows[:, :: self.stride[0], :: self.stride[1]][:, :, : right - left]
        windows = windows.transpose(0, 3, 4, 1, 2)  # (C, kh, kw, rows, columns)
        out = self.scratch.take(f"patches {x.dtype}", windows.shape, x.dtype)
        np.copyto(out, windows)
        return out.reshape(self.terms - 1, -1)

    def _rows(self, x: Array, where: Where, columns: int) -> tuple[Array, int, int]:
        """The zero-padded input that these outputs read, (C, rows, columns + padding), and their
        first and last+1 column.
        """
        start, stop = where[2].start, where[2].stop
        rows = slice(start // columns, -(-stop // columns))
        left, right = 0, columns
        if stop - start < columns:
            left, right = start % columns, start % columns + stop - start
        image = x[where[0].start]
        cuts, pads = [slice(None)], [(0, 0)]
        for axis, (first, last) in enumerate(((rows.start, rows.stop), (left, right))):
            low = first * self.stride[axis] - self.pad[axis]
            high = (last - 1) * self.stride[axis] - self.pad[axis] + self.size[axis]
            size = image.shape[axis + 1]
            cuts.append(slice(min(max(low, 0), size), max(min(high, size), 0)))
            pads.append((max(-low, 0), max(high - size, 0)))
        return np.pad(image[tuple(cuts)], pads), left, right

    def sums(self, x: Array, where: Where) -> Array:
        """(1, K, positions): the outputs in float64."""
        return self._dot(self.matrix, self.bias, self.patches(x, where).astype(np.float64))

    def positive(self, form: Change, x: Array, where: Where) -> Array:
        """(1, K, positions): sum form(w) form(x) + form(b), of positive terms.

        At least that where x is float32: at half the cost it errs by (terms + 4) u of the sum,
        which are added.
        """
        matrix, bias, patches = form(self.matrix), form(self.bias), self.patches(x, where)
        if patches.dtype == np.float32:
            sums = np.matmul(matrix.astype(np.float32), form(patches), dtype=np.float32)
            sums = sums.astype(np.float64)
            sums *= 1 + 2 * (self.terms + 4) * U
            if np.isfinite(sums).all():
                return (sums + bias[:, None])[None]
        return self._dot(matrix, bias, form(patches.astype(np.float64))).copy()

    def sums_and_squares(self, x: Array, where: Where, fast: bool) -> tuple[Array, Array, float]:
        """The sums, and sum (w x)^2 without the bias; with `fast` the squares are summed in
        float32, from below.

        All terms are positive: the float32 sum errs by less than (terms + 4) u of itself, which is
        taken off.
        """
        patches = self.patches(x, where)
        wide = self.scratch.take("wide", patches.shape)
        np.copyto(wide, patches)
        sums = self._dot(self.matrix, self.bias, wide)
        squares, matrix = (patches, self.squares32) if fast else (wide, self.squares)
        np.square(squares, out=squares)
        room = self.scratch.take(f"terms2 {matrix.dtype}", sums.shape[1:], matrix.dtype)
        terms2 = np.matmul(matrix, squares, out=room)
        return sums, terms2[None], 1 - 2 * (self.terms + 4) * U if fast else 1.0

    def squares_fit(self, x: Array) -> bool:
        """Whether float32 squares of this input and these kernels neither overflow nor vanish."""
        low, high = _SQUARES_FIT
        sizes = max(x.max(), -x.min()), np.abs(self.matrix).max()
        return x.dtype == np.float32 and all(low < size < high for size in sizes)

    def _dot(self, matrix: Array, bias: Array, patches: Array) -> Array:
        room = self.scratch.take("sums", (len(matrix), patches.shape[1]))
        out = np.matmul(matrix, patches, out=room)
        out += bias[:, None]
        return out[None]
