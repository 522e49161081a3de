"""The dense layer with its sigmoid, which keeps its relative accuracy far from zero."""

import chainer
import chainer.links as L
import numpy as np
from chainer import initializers
from chainer.functions.activation.sigmoid import Sigmoid

from parity.port.types import Array


class AccurateSigmoid(Sigmoid):
    """1 / (1 + exp(-x)): a few rounding errors relative to y, even where y is 1e-30.

    Chainer's tanh(x/2)/2 + 1/2 lives on a grid of 2^-25 near 0 (at x = -17 it is off by 44 %).
    Theano's float32 C code (tensor/nnet/sigm.py, ScalarSigmoid) returns exactly 1 above x = 15;
    that is not copied.
    """

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray]:
        with np.errstate(over="ignore"):  # exp(-x) = inf below x = -88 gives y = 0, as it should
            y = np.exp(-inputs[0])
        y += 1
        np.reciprocal(y, out=y)
        self.retain_outputs((0,))
        self._use_cudnn = False
        return (y,)


def sigmoid(x: Array) -> chainer.Variable:
    """Logistic function; any shape, float32 or float64, same out, values in [0, 1]."""
    return AccurateSigmoid().apply((x,))[0]


class SigmoidDense(L.Linear):
    """x (B,in_size) -> scores (B,out_size) in [0, 1]. Parameters W (out,in), b (out,)."""

    def __init__(self, in_size: int, out_size: int) -> None:
        super().__init__(in_size, out_size, initialW=initializers.GlorotUniform())

    def logits(self, x: Array) -> chainer.Variable:
        """The scores before the sigmoid."""
        return super().forward(x)

    def forward(self, x: Array) -> chainer.Variable:
        return sigmoid(self.logits(x))

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {"W": self.W.array.T, "b": self.b.array}
