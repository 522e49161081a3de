"""Layers without parameters that move values and do not change them."""

from collections.abc import Callable

import chainer
import chainer.functions as F

from parity.port.types import Array


class Apply(chainer.Link):
    """A layer without parameters: `function(x, **arguments)`."""

    def __init__(self, function: Callable[..., chainer.Variable], **arguments: object) -> None:
        super().__init__()
        self.function = function
        self.arguments = arguments

    def forward(self, x: Array) -> chainer.Variable:
        return self.function(x, **self.arguments)


def zero_padding_2d(x: Array, *, padding: tuple[int, int]) -> chainer.Variable:
    """x (B,C,F,T) -> (B,C,F+2p,T+2q) for padding (p, q): zeros on both sides."""
    bands, frames = padding
    return F.pad(x, ((0, 0), (0, 0), (bands, bands), (frames, frames)), "constant")


def permute(x: Array, *, dims: tuple[int, ...]) -> chainer.Variable:
    """Reorder the axes; `dims` counts from 1 and the batch axis stays first, as in Keras."""
    return F.transpose(x, (0, *dims))


def reshape(x: Array, *, target_shape: tuple[int, ...]) -> chainer.Variable:
    """Give each clip's values another shape, in the same order; the batch axis stays."""
    return F.reshape(x, (x.shape[0], *target_shape))


def flatten(x: Array) -> chainer.Variable:
    """x (B,...) -> (B,values per clip)."""
    return F.reshape(x, (x.shape[0], -1))
