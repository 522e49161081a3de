"""ELU in the forms Keras had, and a sigmoid that keeps its relative accuracy far from zero."""

import chainer.functions as F
import numpy as np
from chainer import FunctionNode
from chainer.functions.activation.sigmoid import Sigmoid

from parity.port.functions.blocks import row_blocks
from parity.port.keras_versions import dialect


def _exp_minus_one(negative):
    np.exp(negative, out=negative)
    negative -= 1


def _expm1(negative):
    np.expm1(negative, out=negative)


# Up to 1.1.0 keras/layers/advanced_activations.py ELU.call: relu(x) + alpha * (exp((x - |x|) / 2) -
# 1). From 1.1.1 K.elu, which is T.nnet.elu; in Theano 1.0.5 (tensor/nnet/nnet.py) that is alpha *
# expm1(x).
NEGATIVE_SIDE = {"1.0.4": _exp_minus_one, "1.1.1": _expm1}


class ELUFunction(FunctionNode):
    """max(x, 0) + alpha * (exp(min(x, 0)) - 1); a positive x comes back bit for bit."""

    def __init__(self, negative_side, alpha):
        super().__init__()
        self.negative_side = negative_side
        self.alpha = alpha

    def forward_cpu(self, inputs):
        self.retain_inputs((0,))
        x = np.ascontiguousarray(inputs[0]).reshape(-1)
        y = np.empty_like(x)
        for block in row_blocks(x.size, 1):
            negative = np.minimum(x[block], 0)
            self.negative_side(negative)
            if self.alpha != 1:
                negative *= x.dtype.type(self.alpha)
            np.maximum(x[block], 0, out=y[block])
            y[block] += negative
        return (y.reshape(inputs[0].shape),)

    def backward(self, indexes, grad_outputs):
        (x,), (gy,) = self.get_retained_inputs(), grad_outputs
        slope = self.alpha * F.exp(F.minimum(x, x.xp.zeros_like(x.array)))
        return (gy * F.where(x.array > 0, x.xp.ones_like(x.array), slope),)


def elu(x, *, keras, alpha=1.0):
    """Exponential linear unit as Keras release `keras` computes it; any shape, float32 or float64,
    same out.
    """
    return ELUFunction(dialect(NEGATIVE_SIDE, keras), alpha).apply((x,))[0]


class AccurateSigmoid(Sigmoid):
    """1 / (1 + exp(-x)): a few rounding errors relative to y, even where y is 1e-30.

    Chainer's tanh(x/2)/2 + 1/2 lives on a grid of 2^-25 near 0 (at x = -17 it is off by 44 %).
    Theano's float32 C code (tensor/nnet/sigm.py, ScalarSigmoid) returns exactly 1 above x = 15;
    that is not copied.
    """

    def forward_cpu(self, inputs):
        with np.errstate(over="ignore"):  # exp(-x) = inf below x = -88 gives y = 0, as it should
            y = np.exp(-inputs[0])
        y += 1
        np.reciprocal(y, out=y)
        self.retain_outputs((0,))
        self._use_cudnn = False
        return (y,)


def sigmoid(x):
    """Logistic function; any shape, float32 or float64, same out, values in [0, 1]."""
    return AccurateSigmoid().apply((x,))[0]
