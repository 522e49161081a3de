"""What ports get wrong in a dense layer and its sigmoid."""

import numpy as np

from parity.diagnose.convolution import bias, operands
from parity.diagnose.precision import FORMATS
from parity.diagnose.subject import whole
from parity.kinds import bounds, oracle
from parity.numerics.rounding import FLUSHED, U, Whole


def _sums(subject):
    return bounds.logits(subject.layer, subject.params, subject.x)


def _activation(formula, slope):
    return lambda s: whole(_sums(s), formula, slope, roundings=8)


def _is_sigmoid(subject):
    return subject.layer.config.get("activation", "linear") == "sigmoid"


def _softmax(subject):
    """exp(s)/sum exp(s): an error d of the sums changes it by at most e^2|d| - 1 of itself."""
    judge = _sums(subject)
    powers = np.exp(judge.out - judge.out.max(axis=1, keepdims=True))
    out = powers / powers.sum(axis=1, keepdims=True)
    worst = np.sqrt(judge.bound2).max(axis=1, keepdims=True) + U * np.abs(judge.out).max()
    bound2 = np.square(out * (np.expm1(2 * worst) + (8 + out.shape[1]) * U) + FLUSHED)
    return Whole(1, *(a.reshape(judge.shape) for a in (out, bound2, bound2 / 49, bound2)))


def _transposed(s):
    """Where it is not square, W.T's values filled row by row into W's shape: else it would not fit
    (see parity.diagnose.failing).
    """
    return s.but(params={"W": s.params["W"].T.reshape(s.params["W"].shape)})


def _read_by_units(s):
    """The file's bytes taken for a matrix (units, inputs), as Chainer and PyTorch have it."""
    rows, columns = s.params["W"].shape
    return s.but(params={"W": s.params["W"].reshape(columns, rows).T}) if rows != columns else None


TABLE = {
    "matrix transposed": _transposed,
    "matrix read as units by inputs": _read_by_units,
    "bias left out": bias(0),
    "bias added twice": bias(2),
    "softmax instead of sigmoid": lambda s: _softmax(s) if _is_sigmoid(s) else None,
    "no sigmoid": lambda s: _sums(s) if _is_sigmoid(s) else None,
    "sigmoid applied": lambda s: (
        None if _is_sigmoid(s) else s.but(config={"activation": "sigmoid"})
    ),
    "sigmoid applied twice": lambda s: (
        whole(s.witness, oracle.sigmoid, lambda y: np.full_like(y, 0.25), 8)
        if _is_sigmoid(s)
        else None
    ),
    "hard sigmoid instead of sigmoid": lambda s: (
        _activation(oracle.hard_sigmoid, lambda a: np.full_like(a, 0.2))(s)
        if _is_sigmoid(s)
        else None
    ),
    "tanh instead of sigmoid": lambda s: (
        _activation(np.tanh, lambda a: 1 - np.tanh(a) ** 2)(s) if _is_sigmoid(s) else None
    ),
    "inputs in reversed order": lambda s: s.but(x=s.x[:, ::-1]),
    "inputs one off": lambda s: s.but(x=np.roll(s.x, 1, axis=1)),
    **{f"operands rounded to {name}": operands(rounded) for name, rounded in FORMATS.items()},
}
