"""A convolution in float64, block of rows by block of rows: the sums, and what bounds their rounding."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

U = 2.0**-24  # float32 unit roundoff
BLOCK = 2**15  # output elements per block: its float64 arrays stay in the core's own cache
_SQUARES_FIT = (2.0**-30, 2.0**30)  # magnitudes whose squares and their sums are float32 numbers


class Convolution:
    """Theano's convolution: kernels are flipped (tensor/nnet/abstract_conv.py, filter_flip=True); 'same' pads k//2 each side.

    kernels (K, C, kh, kw) and bias (K,) in float64; stride (rows, columns). Outputs are seen as (B, K, rows*columns).
    """

    def __init__(self, kernels, bias, border_mode, stride):
        self.size = kernels.shape[2:]
        self.pad = tuple(k // 2 for k in self.size) if border_mode == "same" else (0, 0)
        self.same, self.stride, self.bias = border_mode == "same", stride, bias
        self.matrix = np.ascontiguousarray(kernels[:, :, ::-1, ::-1]).reshape(len(kernels), -1)  # (K, C*kh*kw)
        self.squares = np.square(self.matrix)
        self.squares32 = self.squares.astype(np.float32)
        self.terms = self.matrix.shape[1] + 1  # of each sum, the bias included

    def output_shape(self, shape):
        """(B, K, rows, columns) for an input of this shape."""
        if self.same:  # Keras cuts what an even kernel leaves over: theano_backend.py, _postprocess_conv2d_output
            image = [-(-n // s) for n, s in zip(shape[2:], self.stride)]
        else:
            image = [(n - k) // s + 1 for n, k, s in zip(shape[2:], self.size, self.stride)]
        return shape[0], len(self.matrix), *image

    def blocks(self, shape):
        """Yield (clip slice, all channels, position slice): whole rows of one clip, about BLOCK elements each."""
        clips, kernels, rows, columns = self.output_shape(shape)
        step = max(1, BLOCK // (kernels * columns))
        for clip in range(clips):
            for row in range(0, rows, step):
                stop = min(rows, row + step)
                yield slice(clip, clip + 1), slice(None), slice(row * columns, stop * columns)

    def patches(self, x, where):
        """(C*kh*kw, positions): what the kernels meet at these outputs, in x's dtype, zeros beyond the edge."""
        columns = self.output_shape(x.shape)[3]
        first, stop = where[2].start // columns, where[2].stop // columns
        rows = self._rows(x[where[0].start], first, stop)
        windows = sliding_window_view(rows, self.size, axis=(1, 2))[:, ::self.stride[0], ::self.stride[1]]
        windows = windows[:, :stop - first, :columns].transpose(0, 3, 4, 1, 2)  # (C, kh, kw, rows, columns)
        return np.ascontiguousarray(windows).reshape(self.terms - 1, -1)

    def _rows(self, image, first, stop):
        """The zero-padded input rows that output rows first..stop-1 read: (C, rows, columns + padding)."""
        top = first * self.stride[0] - self.pad[0]
        bottom = (stop - 1) * self.stride[0] - self.pad[0] + self.size[0]
        inside = image[:, max(top, 0):max(min(bottom, image.shape[1]), 0)]
        return np.pad(inside, ((0, 0), (max(-top, 0), max(bottom - image.shape[1], 0)), (self.pad[1], self.pad[1])))

    def sums(self, x, where):
        """(1, K, positions): the outputs in float64."""
        return self._dot(self.matrix, self.bias, self.patches(x, where).astype(np.float64))

    def magnitudes(self, x, where):
        """(1, K, positions): sum |w x| + |b|, the A of the deterministic bound."""
        return self._dot(np.abs(self.matrix), np.abs(self.bias), np.abs(self.patches(x, where).astype(np.float64)))

    def square_sums(self, x, where):
        """(1, K, positions): sum (w x)^2 + b^2 in float64."""
        return self._dot(self.squares, np.square(self.bias), np.square(self.patches(x, where).astype(np.float64)))

    def sums_and_squares(self, x, where, fast):
        """The sums, and sum (w x)^2 without the bias; with `fast` the squares are summed in float32, from below.

        All terms are positive: the float32 sum errs by less than (terms + 4) u of itself, which is taken off.
        """
        patches = self.patches(x, where)
        wide = patches.astype(np.float64)
        sums = self._dot(self.matrix, self.bias, wide)
        if fast:
            return sums, (self.squares32 @ np.square(patches))[None], 1 - 2 * (self.terms + 4) * U
        return sums, (self.squares @ np.square(wide, out=wide))[None], 1.0

    def squares_fit(self, x):
        """Whether float32 squares of this input and these kernels neither overflow nor vanish."""
        low, high = _SQUARES_FIT
        sizes = max(x.max(), -x.min()), np.abs(self.matrix).max()
        return x.dtype == np.float32 and all(low < size < high for size in sizes)

    @staticmethod
    def _dot(matrix, bias, patches):
        out = matrix @ patches
        out += bias[:, None]
        return out[None]
