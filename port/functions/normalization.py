"""The two passes of batch normalisation over large arrays: statistics per feature, and (x - mean)
* scale + beta.
"""

import chainer.functions as F
import numpy as np
from chainer import FunctionNode

from parity.port.functions.blocks import row_blocks


class Moments(FunctionNode):
    """Mean and biased two-pass variance of each feature along `axis`: x (...) -> (features,),
    (features,), x's dtype.

    Accumulated in float64, as Theano's Sum does for float32 (tensor/elemwise.py,
    CAReduceDtype.acc_dtype).
    """

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward_cpu(self, inputs):
        self.retain_inputs((0,))
        self.retain_outputs((0,))
        (x,) = inputs
        folded, count = _fold(x, self.axis), x.size // x.shape[self.axis]
        mean = _sum(folded, lambda values, block: values) / count
        var = _sum(folded, lambda values, block: np.square(values - mean[block, None])) / count
        return mean.astype(x.dtype), var.astype(x.dtype)

    def backward(self, indexes, grad_outputs):
        (x,), (mean,) = self.get_retained_inputs(), self.get_retained_outputs()
        count, (gmean, gvar), gx = x.size // x.shape[self.axis], grad_outputs, 0
        if gmean is not None:
            gx += _spread(gmean / count, x, self.axis)
        if gvar is not None:
            gx += _spread(gvar * (2 / count), x, self.axis) * (x - _spread(mean, x, self.axis))
        return (gx,)


class Normalize(FunctionNode):
    """(x - mean) * scale + beta in this order, one value of each vector per feature along `axis`;
    x's shape and dtype.
    """

    def __init__(self, axis):
        super().__init__()
        self.axis = axis

    def forward_cpu(self, inputs):
        self.retain_inputs((0, 1, 2))
        x, *vectors = inputs
        mean, scale, beta = (vector[:, None] for vector in vectors)
        folded = _fold(x, self.axis)
        y = np.empty_like(folded)
        for source, target in zip(folded, y, strict=True):
            for block in row_blocks(*source.shape):
                out = np.subtract(source[block], mean[block], out=target[block])
                out *= scale[block]
                out += beta[block]
        return (y.reshape(x.shape),)

    def backward(self, indexes, grad_outputs):
        (x, mean, scale), (gy,) = self.get_retained_inputs(), grad_outputs
        others = tuple(axis for axis in range(x.ndim) if axis != self.axis % x.ndim)
        gbeta = F.sum(gy, axis=others)
        gscale = F.sum(gy * (x - _spread(mean, x, self.axis)), axis=others)
        return gy * _spread(scale, x, self.axis), -gbeta * scale, gscale, gbeta


def moments(x, axis):
    """Mean and variance of each feature along `axis`, as two Variables."""
    return Moments(axis).apply((x,))


def normalize(x, mean, scale, beta, axis):
    """(x - mean) * scale + beta, as a Variable of x's shape; nothing given is written to."""
    return Normalize(axis).apply((x, mean, scale, beta))[0]


def _fold(x, axis):
    # (outer, features, inner): every shape and axis becomes one case.
    features = x.shape[axis]
    inner = int(np.prod(x.shape[axis % x.ndim + 1 :]))
    return np.ascontiguousarray(x).reshape(-1, features, inner)


def _sum(folded, of_block):
    # float64 (features,): the sum of of_block(values, block) over outer and inner.
    sums = np.zeros(folded.shape[1])
    for source in folded:
        for block in row_blocks(*source.shape):
            sums[block] += of_block(source[block].astype(np.float64), block).sum(axis=1)
    return sums


def _spread(vector, x, axis):
    shape = [1] * x.ndim
    shape[axis] = -1
    return F.broadcast_to(F.reshape(vector, shape), x.shape)
