"""Steps a port may have in the place of Keras's: each is called with the link it replaces and the
layer's input, an array.

They keep the input's dtype, so that in float64 they show what the formula alone does, without
rounding.
"""

import chainer.functions as F
import numpy as np
from chainer import Variable

from parity.faults.arrays import rounded
from parity.port.functions.convolution import same_convolution_2d
from parity.port.functions.normalization import normalize


def _along(link, vector, x):
    shape = [1] * x.ndim
    shape[link.axis] = -1
    return np.asarray(vector).astype(x.dtype).reshape(shape)


def padded_otherwise(link, x, *, widths=((1, 1), (1, 1)), mode="constant"):
    """A convolution whose border is not one zero on every side."""
    wide = np.pad(x, ((0, 0), (0, 0), *widths), mode)
    return F.convolution_2d(wide, link.W, link.b)


def valid_convolution(link, x):
    return F.convolution_2d(x, link.W, link.b)


def without_bias(link, x):
    return F.convolution_2d(x, link.W, pad=1) if x.ndim == 4 else F.sigmoid(F.linear(x, link.W))


def low_precision(link, x, *, bits):
    """Operands of a convolution rounded to `bits` bits before they are multiplied."""
    cut = rounded(bits)
    return same_convolution_2d(cut(x), cut(link.W.array), link.b)


def on_changed_input(link, x, *, change):
    """The layer on change(x)."""
    return link(change(x))


def published_normalization(link, x, *, eps):
    """gamma (x - mean)/sqrt(std^2 + eps) + beta, as the published port has it
    (music-tagger-test.py).
    """
    spread = np.sqrt(link.running_std**2 + eps)
    return (x - _along(link, link.running_mean, x)) * _along(
        link, link.gamma.array / spread, x
    ) + _along(link, link.beta.array, x)


def without_mean(link, x):
    """gamma x/spread + beta."""
    scale = link.dialect.scale(
        link.gamma, link.dialect.test_divisor(Variable(link.running_std), link.eps)
    )
    return normalize(x, np.zeros_like(link.running_mean), scale, link.beta, link.axis)


def unbiased_normalization(link, x):
    """Batch statistics with N - 1 for N."""
    count = x.size // x.shape[link.axis]
    axes = tuple(axis for axis in range(x.ndim) if axis != link.axis % x.ndim)
    mean, variance = (
        x.mean(axis=axes, dtype=np.float64),
        x.var(axis=axes, dtype=np.float64) * count / (count - 1),
    )
    spread = np.sqrt(variance + link.eps) + link.eps
    return (x - _along(link, mean, x)) * _along(link, link.gamma.array / spread, x) + _along(
        link, link.beta.array, x
    )


def applied(link, x, *, function):
    """A function of x alone."""
    return function(x)


def pooled(link, x, *, function, **arguments):
    """Another pooling over the link's own windows."""
    return function(x, link.arguments["pool_size"], **arguments)


def pooled_late(link, x):
    """Windows that start one frame late."""
    return link(np.concatenate([x[..., 1:], x[..., -1:]], axis=-1))


def padded_with(link, x, *, to_the_right=0, **padding):
    """Padding with something else (as numpy.pad has it), or with columns of the left on the
    right.
    """
    bands, frames = link.arguments["padding"]
    return np.pad(
        x,
        ((0, 0), (0, 0), (bands, bands), (frames - to_the_right, frames + to_the_right)),
        **padding,
    )


def _hard_sigmoid(a, slope=0.2):
    return np.clip(slope * a + 0.5, 0, 1).astype(a.dtype)


def gru(
    link,
    x,
    *,
    gate=_hard_sigmoid,
    roles="zrh",
    keep="z",
    reset="before",
    backwards=False,
    carried=False,
    biases=1,
    last=None,
):
    """Keras's recurrence, to be varied; plain NumPy.

    gate: the gates' nonlinearity; roles: what the stacked matrices are taken for; keep: what the
    old state is multiplied with, "z" or "1-z"; reset: before or after the product with U_h;
    carried: a clip starts with the last one's state;
    biases: how often the bias is added; last: only the last state, or all; None for as the link
    says.
    """
    size = link.out_size
    W, U, b = (
        dict(zip(roles, np.split(p.array, 3), strict=True)) for p in (link.W, link.U, link.b)
    )
    h, states = np.zeros((len(x), size), x.dtype), []
    for clip in range(len(x)) if carried else [slice(None)]:
        now = h[clip - 1] if carried and clip else h[clip]
        for frame in _frames(x[clip], backwards):
            to = {g: frame @ W[g].T + biases * b[g] for g in "zrh"}
            z, r = (gate(to[g] + now @ U[g].T) for g in "zr")
            inner = (r * now) @ U["h"].T if reset == "before" else r * (now @ U["h"].T)
            share = z if keep == "z" else 1 - z
            now = share * now + (1 - share) * np.tanh(to["h"] + inner)
            states.append(now)
        h[clip] = now
    return h if not _sequences(link, last) else _stacked(states, x)


def _frames(x, backwards):
    frames = np.moveaxis(x, -2, 0)
    return frames[::-1] if backwards else frames


def _sequences(link, last):
    return link.return_sequences if last is None else not last


def _stacked(states, x):
    # T states of (B,H), or B T states of (H,) where clips were taken one after the other -> (B,T,H)
    if states[0].ndim == 2:
        return np.stack(states, axis=1)
    return np.stack(states).reshape(*x.shape[:2], -1)


def true_sigmoid(a):
    return (1 / (1 + np.exp(-a))).astype(a.dtype)


def one_sixth(a):
    """Keras 2.16's and PyTorch's hard sigmoid: slope 1/6 for 1/5."""
    return _hard_sigmoid(a, 1 / 6)


def scores(link, x, *, activation):
    """The dense layer with another activation."""
    return activation(link.logits(x))


def one_at_a_time(step, x):
    """Batches of one clip."""
    return np.concatenate([step(clip[None]) for clip in x])


def with_another(step, x):
    """The first clip runs along once more."""
    return step(np.concatenate([x, x[:1]]))[: len(x)]


def in_reverse(step, x):
    """The batch in another order."""
    return np.ascontiguousarray(step(np.ascontiguousarray(x[::-1]))[::-1])
