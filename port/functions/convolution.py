"""A stride-1 "same" convolution: Chainer's function with a forward pass that makes no needless
copy.
"""

import numpy as np
from chainer.functions.connection.convolution_2d import Convolution2DFunction


class SameConvolution2D(Convolution2DFunction):
    """Correlation, stride 1, zero padding of half the kernel; backward is Chainer's own.

    Chainer's forward_cpu (functions/connection/convolution_2d.py) gathers all clips at once, lets
    tensordot copy that matrix again, and returns channel-last memory. Here each clip is one matrix
    product, written in place.
    """

    def forward_cpu(self, inputs):
        self.retain_inputs((0, 1))
        x, W, b = inputs
        filters, channels, height, width = W.shape
        y = np.empty((len(x), filters, *x.shape[2:]), dtype=x.dtype)  # (B,O,F,T)
        matrix = W.reshape(filters, -1)
        columns = np.empty((channels, height, width, *x.shape[2:]), dtype=x.dtype)
        for clip, out in zip(x, y, strict=True):
            _gather(clip, columns)
            np.matmul(matrix, columns.reshape(matrix.shape[1], -1), out=out.reshape(filters, -1))
            out += b[:, None, None]
        return (y,)


def _gather(clip, columns):
    # (C,F,T) -> (C,height,width,F,T): the shifted copy of the padded clip under each tap.
    _, height, width, bands, frames = columns.shape
    top, left = height // 2, width // 2
    padded = np.pad(clip, ((0, 0), (top, top), (left, left)))
    for row in range(height):
        for column in range(width):
            columns[:, row, column] = padded[:, row : row + bands, column : column + frames]


def same_convolution_2d(x, W, b):
    """x (B,C,F,T), W (O,C,odd,odd), b (O,) -> (B,O,F,T): correlation, as Chainer counts taps."""
    pad = (W.shape[2] // 2, W.shape[3] // 2)
    return SameConvolution2D(pad=pad).apply((x, W, b))[0]
