"""Formulas that a port may have in the place of Keras's, written apart from the hypotheses that
have to name them.

Each keeps its input's dtype, so that in float64 it shows what the formula alone does.
"""

import chainer.functions as F
import numpy as np
from chainer import Variable

from parity.faults.arrays import Change, rounded
from parity.faults.plant import formula
from parity.port.links.batch_normalization import normalize
from parity.port.links.convolution_2d import same_convolution_2d


@formula
def padded(link, x, *, widths=((1, 1), (1, 1)), mode="constant"):
    """A convolution whose border is not one zero on every side."""
    return F.convolution_2d(np.pad(x, ((0, 0), (0, 0), *widths), mode), link.W, link.b)


@formula
def without_bias(link, x):
    return F.convolution_2d(x, link.W, pad=1) if x.ndim == 4 else F.sigmoid(F.linear(x, link.W))


@formula
def low_precision(link, x, *, bits):
    """A convolution whose operands are rounded to `bits` bits before they are multiplied."""
    cut = rounded(bits)
    return same_convolution_2d(cut(x), cut(link.W.array), link.b)


@formula
def on_changed_input(link, x, *, change: Change):
    """The layer reads change(x)."""
    return link(change(x))


def _normalized(link, x, mean, divisor):
    """gamma (x - mean)/divisor + beta, in the dtype of x."""
    shape = [1] * x.ndim
    shape[link.axis] = -1
    mean, scale, beta = (
        np.asarray(vector).astype(x.dtype).reshape(shape)
        for vector in (mean, link.gamma.array / divisor, link.beta.array)
    )
    return (x - mean) * scale + beta


@formula
def published_normalization(link, x, *, eps):
    """gamma (x - mean)/sqrt(std^2 + eps) + beta, from the published port (music-tagger-test.py)."""
    return _normalized(link, x, link.running_mean, np.sqrt(link.running_std**2 + eps))


@formula
def unbiased_normalization(link, x):
    """Batch statistics with N - 1 for N."""
    count = x.size // x.shape[link.axis]
    axes = tuple(axis for axis in range(x.ndim) if axis != link.axis % x.ndim)
    variance = x.var(axis=axes, dtype=np.float64) * count / (count - 1)
    divisor = np.sqrt(variance + link.eps) + link.eps
    return _normalized(link, x, x.mean(axis=axes, dtype=np.float64), divisor)


@formula
def without_mean(link, x):
    """gamma x/divisor + beta."""
    divisor = link.dialect.test_divisor(Variable(link.running_std), link.eps)
    scale = link.dialect.scale(link.gamma, divisor)
    return normalize(x, np.zeros_like(link.running_mean), scale, link.beta, link.axis)


@formula
def applied(link, x, *, function):
    """A function of x alone."""
    return function(x)


@formula
def pooled(link, x, *, function=F.max_pooling_2d, **arguments):
    """Another pooling over the link's own windows."""
    return function(x, link.arguments["pool_size"], **arguments)


@formula
def pooled_late(link, x):
    """Windows that start one frame late."""
    return link(np.concatenate([x[..., 1:], x[..., -1:]], axis=-1))


@formula
def bordered(link, x, *, to_the_right=0, **padding):
    """Another padding, in numpy.pad's words, or with columns of the left on the right."""
    bands, frames = link.arguments["padding"]
    widths = ((0, 0), (0, 0), (bands, bands), (frames - to_the_right, frames + to_the_right))
    return np.pad(x, widths, **padding)


def _hard_sigmoid(a, slope=0.2):
    return np.minimum(np.maximum(slope * a + 0.5, 0), 1).astype(a.dtype)  # faster than np.clip


def true_sigmoid(a):
    return (1 / (1 + np.exp(-a))).astype(a.dtype)


def one_sixth(a):
    """The hard sigmoid of Keras 2.16 and PyTorch: slope 1/6 for 1/5."""
    return _hard_sigmoid(a, 1 / 6)


@formula
def gru(
    link, x, *, gate=_hard_sigmoid, keep="z", reset="before", backwards=False, carried=False,
    biases=1, curve=np.tanh, kept=None,
):  # fmt: skip
    """Keras's recurrence in plain NumPy, to be varied.

    gate: the gates' nonlinearity; keep: the old state's factor, "z" or "1-z"; reset: before or
    after the product with U_h; carried: a clip starts with the last one's state; biases: how often
    the bias is added; curve: the candidate's nonlinearity; kept: the state's type.
    """
    W, U, b = (
        dict(zip("zrh", np.split(p.array, 3), strict=True)) for p in (link.W, link.U, link.b)
    )
    frames = x[:, ::-1] if backwards else x
    h = np.zeros((len(x), link.out_size), x.dtype)
    states = np.empty((*x.shape[:2], link.out_size), x.dtype)
    for clip in range(len(x)) if carried else [slice(None)]:
        now = h[clip - 1] if carried and clip else h[clip]
        for t in range(x.shape[1]):
            to = {g: frames[clip, t] @ W[g].T + biases * b[g] for g in "zrh"}
            z, r = (gate(to[g] + now @ U[g].T) for g in "zr")
            inner = (r * now) @ U["h"].T if reset == "before" else r * (now @ U["h"].T)
            share = z if keep == "z" else 1 - z
            now = share * now + (1 - share) * curve(to["h"] + inner)
            now = states[clip, t] = now.astype(kept or x.dtype).astype(x.dtype)
        h[clip] = now
    return states if link.return_sequences else h


@formula
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
