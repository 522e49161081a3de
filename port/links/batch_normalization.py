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

from parity.port.functions.normalization import moments, normalize
from parity.port.keras_versions import dialect


class Dialect(NamedTuple):
    """One release's formulas; s is the divisor of (x - mean), var the batch's biased variance."""

    eps: float  # default epsilon
    momentum: float  # default momentum of the moving averages
    stored: str  # what running_std holds: "std" or "variance"
    test_divisor: Callable  # (running_std, eps) -> s in the test phase of mode 0
    batch_divisor: Callable  # (var, eps) -> s from batch statistics
    average: Callable  # (var, eps) -> what running_std follows
    scale: Callable = lambda gamma, s: gamma / s  # as the release rounds it


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
    """x of any shape with `size` features along `axis` -> (x - mean) * gamma / s + beta, same
    shape and dtype.

    mode 0: running statistics in the test phase, batch statistics in the train phase, which also
    moves the running
    ones. mode 2: batch statistics in both phases, and the running ones stay as they are, so a
    clip's result depends on the other clips of its batch, as in the original, unless `freeze` gave
    it statistics. The phase is chainer.config.train.

    Parameters gamma, beta (size,); persistent running_mean, running_std (size,), where running_std
    holds what release `keras` kept under that name (`self.dialect.stored`). They are replaced,
    never written into.
    """

    def __init__(self, size, axis=1, mode=0, keras="1.0.6", eps=None, momentum=None):
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
        self.add_persistent("running_mean", np.zeros(size, np.float32))
        self.add_persistent("running_std", np.ones(size, np.float32))
        self.frozen = None

    def freeze(self, mean, variance):
        """Use mean and biased variance (size,) in place of the batch's in the test phase;
        ValueError where the mode is not 2.
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

    def thaw(self):
        """Use the batch's statistics again."""
        self.frozen = None

    def forward(self, x):
        mean, s = (
            self._batch_statistics(x)
            if chainer.config.train or self.mode == 2
            else self._running_statistics()
        )
        return normalize(x, mean, self.dialect.scale(self.gamma, s), self.beta, self.axis)

    def _running_statistics(self):
        running_std = chainer.Variable(self.running_std, requires_grad=False)
        return self.running_mean, self.dialect.test_divisor(running_std, self.eps)

    def _batch_statistics(self, x):
        mean, var = (
            self.frozen if self.frozen and not chainer.config.train else moments(x, self.axis)
        )
        if chainer.config.train and self.mode == 0:
            average = self.dialect.average(chainer.Variable(var.array), self.eps)
            self.running_mean = self._moved(self.running_mean, mean.array)
            self.running_std = self._moved(self.running_std, average.array)
        return mean, self.dialect.batch_divisor(var, self.eps)

    def _moved(self, running, batch):
        # keras/backend/theano_backend.py, moving_average_update; the same sum is spelled out up to
        # 1.0.6.
        return (running * self.momentum + batch * (1 - self.momentum)).astype(
            running.dtype, copy=False
        )
