"""Keras's batch normalisation on Theano, release by release.

Read in keras/layers/normalization.py and keras/backend/theano_backend.py
(normalize_batch_in_training, batch_normalization) of 1.0.4 - 1.0.8, 1.1.0, 1.1.2 and 1.2.0 -
1.2.2. `running_std` is the name in every release, whatever it holds.
"""

from collections.abc import Callable
from typing import NamedTuple

import chainer
import chainer.functions as F
import numpy as np
from chainer import FunctionNode

from parity.port.keras_versions import dialect
from parity.port.links.blocks import row_blocks
from parity.port.types import Array

Formula = Callable[..., chainer.Variable]


class Dialect(NamedTuple):
    """One release's formulas; s is the divisor of (x - mean), var the batch's biased variance."""

    eps: float  # default epsilon
    momentum: float  # default momentum of the moving averages
    stored: str  # what running_std holds: "std" or "variance"
    test_divisor: Formula  # (running_std, eps) -> s in the test phase of mode 0
    batch_divisor: Formula  # (var, eps) -> s from batch statistics
    average: Formula  # (var, eps) -> what running_std follows
    scale: Formula = lambda gamma, s: gamma / s  # as the release rounds it


DIALECTS = {
    "1.0.4": Dialect(
        1e-6, 0.9, "std",
        test_divisor=lambda std, eps: std + eps,
        batch_divisor=lambda var, eps: F.sqrt(var + eps) + eps,
        average=lambda var, eps: F.sqrt(var + eps),
    ),
    "1.0.6": Dialect(
        1e-6, 0.9, "std",
        test_divisor=lambda std, eps: std + eps,
        batch_divisor=lambda var, eps: F.sqrt(var + eps) + eps,  # eps twice
        average=lambda var, eps: F.sqrt(var + eps),
        scale=lambda gamma, s: gamma * (1 / s),
    ),
    "1.0.7": Dialect(
        1e-6, 0.99, "variance",
        test_divisor=lambda var, eps: F.sqrt(var) + eps,
        batch_divisor=lambda var, eps: F.sqrt(var) + eps,
        average=lambda var, eps: var,
    ),
    "1.0.8": Dialect(
        1e-5, 0.99, "variance",
        test_divisor=lambda var, eps: F.sqrt(var + eps),
        batch_divisor=lambda var, eps: F.sqrt(var + eps),
        average=lambda var, eps: var,
    ),
    "1.2.0": Dialect(
        1e-3, 0.99, "variance",
        test_divisor=lambda var, eps: F.sqrt(var + eps),
        batch_divisor=lambda var, eps: F.sqrt(var + eps),
        # 1 / stdinv^2 of Theano's op gives eps back with the variance
        average=lambda var, eps: var + eps,
    ),
}  # fmt: skip


class BatchNormalization(chainer.Link):
    """x with `size` features along `axis` -> (x - mean) * gamma / s + beta, same shape and dtype.

    mode 0: running statistics in the test phase; batch statistics in the train phase, which also
    moves the running ones. mode 2: batch statistics in both phases, so a clip's result depends on
    the other clips of its batch, as in the original, unless `freeze` gave it statistics. The phase
    is chainer.config.train.

    Parameters gamma, beta (size,); persistent running_mean, running_std (size,), where running_std
    holds what release `keras` kept under that name (`self.dialect.stored`). They are replaced,
    never written into.
    """

    def __init__(
        self,
        size: int,
        axis: int = 1,
        mode: int = 0,
        keras: str = "1.0.6",
        eps: float | None = None,
        momentum: float | None = None,
    ) -> None:
        if mode not in (0, 2):
            raise ValueError(
                f"batch normalisation of mode {mode} is not ported; mode 0 and mode 2 are"
            )
        super().__init__()
        self.axis, self.mode = axis, mode
        self.dialect = dialect(DIALECTS, keras)
        self.eps = self.dialect.eps if eps is None else eps
        self.momentum = self.dialect.momentum if momentum is None else momentum
        with self.init_scope():
            self.gamma = chainer.Parameter(np.ones(size, np.float32))
            self.beta = chainer.Parameter(np.zeros(size, np.float32))
        self.running_mean: np.ndarray = np.zeros(size, np.float32)
        self.running_std: np.ndarray = np.ones(size, np.float32)
        self.register_persistent("running_mean")
        self.register_persistent("running_std")
        self.frozen: tuple[chainer.Variable, ...] | None = None

    def keras_arrays(self) -> dict[str, np.ndarray]:
        return {
            "gamma": self.gamma.array,
            "beta": self.beta.array,
            "running_mean": self.running_mean,
            "running_std": self.running_std,
        }

    def freeze(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """Use mean and biased variance (size,) in place of the batch's in the test phase.

        Raises ValueError where the mode is not 2.
        """
        if self.mode != 2:
            raise ValueError(
                "only mode 2 normalises with its batch's statistics in the test phase; "
                "there is nothing to freeze here"
            )
        self.frozen = tuple(
            chainer.Variable(np.asarray(values, np.float32), requires_grad=False)
            for values in (mean, variance)
        )

    def thaw(self) -> None:
        """Use the batch's statistics again."""
        self.frozen = None

    def forward(self, x: Array) -> chainer.Variable:
        of_batch = chainer.config.train or self.mode == 2
        mean, s = self._batch_statistics(x) if of_batch else self._running_statistics()
        return normalize(x, mean, self.dialect.scale(self.gamma, s), self.beta, self.axis)

    def _running_statistics(self) -> tuple[Array, chainer.Variable]:
        running_std = chainer.Variable(self.running_std, requires_grad=False)
        return self.running_mean, self.dialect.test_divisor(running_std, self.eps)

    def _batch_statistics(self, x: Array) -> tuple[Array, chainer.Variable]:
        frozen = None if chainer.config.train else self.frozen
        mean, var = frozen or moments(x, self.axis)
        if chainer.config.train and self.mode == 0:
            average = self.dialect.average(chainer.Variable(var.array), self.eps)
            self.running_mean = self._moved(self.running_mean, mean.array)
            self.running_std = self._moved(self.running_std, average.array)
        return mean, self.dialect.batch_divisor(var, self.eps)

    def _moved(self, running: np.ndarray, batch: np.ndarray) -> np.ndarray:
        # keras/backend/theano_backend.py, moving_average_update; up to 1.0.6 spelled out.
        moved = running * self.momentum + batch * (1 - self.momentum)
        return moved.astype(running.dtype, copy=False)


class Moments(FunctionNode):
    """Mean and biased two-pass variance of each feature along `axis`, in x's dtype.

    Accumulated in float64, as Theano's Sum does for float32 (tensor/elemwise.py,
    CAReduceDtype.acc_dtype).
    """

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray, np.ndarray]:
        self.retain_inputs((0,))
        self.retain_outputs((0,))
        (x,) = inputs
        folded, count = _fold(x, self.axis), x.size // x.shape[self.axis]
        mean = _sum(folded, lambda values, block: values) / count
        var = _sum(folded, lambda values, block: np.square(values - mean[block, None])) / count
        return mean.astype(x.dtype), var.astype(x.dtype)

    def backward(
        self, indexes: tuple[int, ...], grad_outputs: tuple[chainer.Variable | None, ...]
    ) -> tuple[chainer.Variable]:
        (x,), (mean,) = self.get_retained_inputs(), self.get_retained_outputs()
        count, (gmean, gvar), gx = x.size // x.shape[self.axis], grad_outputs, 0
        if gmean is not None:
            gx += _spread(gmean / count, x, self.axis)
        if gvar is not None:
            gx += _spread(gvar * (2 / count), x, self.axis) * (x - _spread(mean, x, self.axis))
        return (gx,)


class Normalize(FunctionNode):
    """(x - mean) * scale + beta in this order, one value of each vector per feature."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward_cpu(self, inputs: tuple[np.ndarray, ...]) -> tuple[np.ndarray]:
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

    def backward(
        self, indexes: tuple[int, ...], grad_outputs: tuple[chainer.Variable, ...]
    ) -> tuple[chainer.Variable, ...]:
        (x, mean, scale), (gy,) = self.get_retained_inputs(), grad_outputs
        others = tuple(axis for axis in range(x.ndim) if axis != self.axis % x.ndim)
        gbeta = F.sum(gy, axis=others)
        gscale = F.sum(gy * (x - _spread(mean, x, self.axis)), axis=others)
        return gy * _spread(scale, x, self.axis), -gbeta * scale, gscale, gbeta


def moments(x: Array, axis: int) -> tuple[chainer.Variable, chainer.Variable]:
    """Mean and biased variance (features,) of each feature along `axis`."""
    mean, variance = Moments(axis).apply((x,))
    return mean, variance


def normalize(x: Array, mean: Array, scale: Array, beta: Array, axis: int) -> chainer.Variable:
    """(x - mean) * scale + beta, of x's shape; writes to none of its inputs."""
    return Normalize(axis).apply((x, mean, scale, beta))[0]


def _fold(x: np.ndarray, axis: int) -> np.ndarray:
    # (outer, features, inner): every shape and axis becomes one case.
    inner = int(np.prod(x.shape[axis % x.ndim + 1 :]))
    return np.ascontiguousarray(x).reshape(-1, x.shape[axis], inner)


def _sum(folded: np.ndarray, of_block: Callable[[np.ndarray, slice], np.ndarray]) -> np.ndarray:
    # float64 (features,): the sum of of_block(values, block) over outer and inner.
    sums = np.zeros(folded.shape[1])
    for source in folded:
        for block in row_blocks(*source.shape):
            sums[block] += of_block(source[block].astype(np.float64), block).sum(axis=1)
    return sums


def _spread(vector: chainer.Variable, x: chainer.Variable, axis: int) -> chainer.Variable:
    shape = [1] * x.ndim
    shape[axis] = -1
    return F.broadcast_to(F.reshape(vector, shape), x.shape)
