"""A 3 x 3 convolution of stride 1 and "same" padding, whose forward pass makes no needless copy."""

import chainer
import chainer.links as L
import numpy as np
from chainer import initializers
from chainer.functions.connection.convolution_2d import Convolution2DFunction

from parity.port.types import Array


class SameConvolution2D(Convolution2DFunction):
    """Correlation, stride 1, zero padding of half the kernel; backward is Chainer's own.

    Chainer's forward_cpu (functions/connection/convolution_2d.py) gathers all clips at once, lets
    tensordot copy that matrix again, and returns channel-last memory. Here each clip is one matrix
    product, written in place.
    """

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray]:
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


def _gather(clip: np.ndarray, columns: np.ndarray) -> None:
    # (C,F,T) -> (C,height,width,F,T): the shifted copy of the padded clip under each tap.
    _, height, width, bands, frames = columns.shape
    top, left = height // 2, width // 2
    padded = np.pad(clip, ((0, 0), (top, top), (left, left)))
    for row in range(height):
        for column in range(width):
            columns[:, row, column] = padded[:, row : row + bands, column : column + frames]


def same_convolution_2d(x: Array, W: Array, b: Array) -> chainer.Variable:
    """x (B,C,F,T), W (O,C,odd,odd), b (O,) -> (B,O,F,T): correlation, as Chainer counts taps."""
    pad = (W.shape[2] // 2, W.shape[3] // 2)
    return SameConvolution2D(pad=pad).apply((x, W, b))[0]


class Convolution2D(L.Convolution2D):
    """x (B,C,F,T) -> (B,O,F,T). Parameters W (O,C,3,3) and b (O,), taps in Chainer's order."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(
            in_channels, out_channels, ksize=3, pad=1, initialW=initializers.GlorotUniform()
        )

    def forward(self, x: Array) -> chainer.Variable:
        return same_convolution_2d(x, self.W, self.b)

    def keras_arrays(self) -> dict[str, np.ndarray]:
        # Theano convolves and Chainer correlates: the same kernel, read from its other end.
        return {"W": self.W.array[:, :, ::-1, ::-1], "b": self.b.array}
