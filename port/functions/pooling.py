"""Max pooling as Keras does it: stride = pool size, the remainder at the end is dropped (floor)."""

import functools

import numpy as np
from chainer.functions.pooling.max_pooling_nd import MaxPoolingND


class FloorMaxPooling2D(MaxPoolingND):
    """Forward by maxima of strided slices; the arg-maxima that backward needs are found only in
    backward.
    """

    def __init__(self, pool_size):
        super().__init__(2, pool_size, cover_all=False)

    def forward_cpu(self, inputs):
        self.retain_inputs((0,))
        (height, width), x = self.ksize, inputs[0]
        bands, frames = x.shape[2] // height * height, x.shape[3] // width * width
        x = x[:, :, :bands, :frames]
        rows = functools.reduce(
            np.maximum, [x[:, :, row::height] for row in range(height)]
        )  # (B,C,F/height,T)
        return (
            functools.reduce(np.maximum, [rows[..., column::width] for column in range(width)]),
        )

    def backward(self, indexes, grad_outputs):
        super().forward_cpu(tuple(x.array for x in self.get_retained_inputs()))  # sets self.indexes
        return super().backward(indexes, grad_outputs)


def max_pooling_2d(x, *, pool_size):
    """x (B,C,F,T) -> (B,C,F//height,T//width) for pool_size (height, width); exact, any float
    dtype.
    """
    return FloorMaxPooling2D(pool_size).apply((x,))[0]
