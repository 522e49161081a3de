"""ELU in the two forms that Keras had."""

from collections.abc import Callable

import chainer
import chainer.functions as F
import numpy as np
from chainer import FunctionNode

from parity.port.keras_versions import dialect
from parity.port.links.blocks import row_blocks
from parity.port.types import Array


def _exp_minus_one(negative: np.ndarray) -> None:
    np.exp(negative, out=negative)
    negative -= 1


def _expm1(negative: np.ndarray) -> None:
    np.expm1(negative, out=negative)


# Up to 1.1.0 keras/layers/advanced_activations.py ELU.call: relu(x) + alpha * (exp((x - |x|) / 2) -
# 1). From 1.1.1 K.elu, which is T.nnet.elu; in Theano 1.0.5 (tensor/nnet/nnet.py) that is alpha *
# expm1(x).
NEGATIVE_SIDE = {"1.0.4": _exp_minus_one, "1.1.1": _expm1}


class ELUFunction(FunctionNode):
    """max(x, 0) + alpha * (exp(min(x, 0)) - 1); a positive x comes back bit for bit."""

    def __init__(self, negative_side: Callable[[np.ndarray], None], alpha: float) -> None:
        super().__init__()
        self.negative_side = negative_side
        self.alpha = alpha

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray]:
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

    def backward(
        self, indexes: tuple[int, ...], grad_outputs: tuple[chainer.Variable, ...]
    ) -> tuple[chainer.Variable]:
        (x,), (gy,) = self.get_retained_inputs(), grad_outputs
        slope = self.alpha * F.exp(F.minimum(x, x.xp.zeros_like(x.array)))
        return (gy * F.where(x.array > 0, x.xp.ones_like(x.array), slope),)


def elu(x: Array, *, keras: str, alpha: float = 1.0) -> chainer.Variable:
    """ELU as Keras release `keras` computes it; any shape, float32 or float64, same out."""
    return ELUFunction(dialect(NEGATIVE_SIDE, keras), alpha).apply((x,))[0]
