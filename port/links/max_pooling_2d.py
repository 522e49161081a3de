"""Max pooling as Keras does it: stride = pool size, the remainder at the end is dropped (floor)."""

import functools

import chainer
import numpy as np
from chainer.functions.pooling.max_pooling_nd import MaxPoolingND

from parity.port.types import Array


class FloorMaxPooling2D(MaxPoolingND):
    """Forward by maxima of strided slices; only backward looks for the arg-maxima it needs."""

    def __init__(self, pool_size: tuple[int, int]) -> None:
        super().__init__(2, pool_size, cover_all=False)

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray]:
        self.retain_inputs((0,))
        (height, width), x = self.ksize, inputs[0]
        bands, frames = x.shape[2] // height * height, x.shape[3] // width * width
        x = x[:, :, :bands, :frames]
        rows = functools.reduce(np.maximum, [x[:, :, row::height] for row in range(height)])
        return (functools.reduce(np.maximum, [rows[..., at::width] for at in range(width)]),)

    def backward(
        self, indexes: tuple[int, ...], grad_outputs: tuple[chainer.Variable, ...]
    ) -> tuple[chainer.Variable, ...]:
        super().forward_cpu(tuple(x.array for x in self.get_retained_inputs()))  # sets self.indexes
        gradients: tuple[chainer.Variable, ...] = super().backward(indexes, grad_outputs)
        return gradients


def max_pooling_2d(x: Array, *, pool_size: tuple[int, int]) -> chainer.Variable:
    """x (B,C,F,T) -> (B,C,F//height,T//width) for pool_size (height, width); exact."""
    return FloorMaxPooling2D(pool_size).apply((x,))[0]
