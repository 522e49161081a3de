"""Keras's other layers as links: convolution, dense with its sigmoid, and everything without
parameters.
"""

import chainer
import chainer.functions as F
import chainer.links as L
from chainer import initializers

from parity.port.functions.convolution import same_convolution_2d
from parity.port.functions.elementwise import sigmoid


class Convolution2D(L.Convolution2D):
    """3 x 3, stride 1, "same" padding: x (B,C,F,T) -> (B,O,F,T).

    Parameters W (O,C,3,3) and b (O,), taps in Chainer's order: Theano convolves, so W = keras_W[:,
    :, ::-1, ::-1].
    """

    def __init__(self, in_channels, out_channels):
        super().__init__(
            in_channels, out_channels, ksize=3, pad=1, initialW=initializers.GlorotUniform()
        )

    def forward(self, x):
        return same_convolution_2d(x, self.W, self.b)


class SigmoidDense(L.Linear):
    """x (B,in_size) -> tag scores (B,out_size) in [0, 1]. Parameters W (out,in), b (out,)."""

    def __init__(self, in_size, out_size):
        super().__init__(in_size, out_size, initialW=initializers.GlorotUniform())

    def logits(self, x):
        """The scores before the sigmoid."""
        return super().forward(x)

    def forward(self, x):
        return sigmoid(self.logits(x))


class Apply(chainer.Link):
    """A layer without parameters: `function(x, **arguments)`."""

    def __init__(self, function, **arguments):
        super().__init__()
        self.function = function
        self.arguments = arguments

    def forward(self, x):
        return self.function(x, **self.arguments)


def zero_padding_2d(x, *, padding):
    """x (B,C,F,T) -> (B,C,F+2p,T+2q) for padding (p, q): zeros on both sides."""
    bands, frames = padding
    return F.pad(x, ((0, 0), (0, 0), (bands, bands), (frames, frames)), "constant")


def permute(x, *, dims):
    """Axes reordered; `dims` counts from 1, the batch axis stays first, as in Keras."""
    return F.transpose(x, (0, *dims))


def reshape(x, *, target_shape):
    """Each clip's values in another shape, in the same order; the batch axis stays."""
    return F.reshape(x, (x.shape[0], *target_shape))


def flatten(x):
    """x (B,...) -> (B,values per clip)."""
    return F.reshape(x, (x.shape[0], -1))
