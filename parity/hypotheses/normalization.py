"""What ports get wrong in batch normalisation: all are scale*(x - mean) + beta with another scale, mean or beta."""

import re
from types import SimpleNamespace

import numpy as np

from parity import oracle
from parity.bounds import Normalized
from parity.rounding import FLUSHED, Block, U, Witness

EPSILONS = (1e-6, 1e-5, 2e-5, 1e-3)  # Keras 1.0.4 - 1.0.7, 1.0.8 - 1.1.2, Chainer, Keras 1.2
ALIKE = 1e-12  # two float64 values nearer than this share of their terms are the same

# 1/spread of a stored or measured value s: Keras's dialects (normalization.py of each version), then what ports made of them.
SPREADS = {
    "1/(s + eps)": lambda s, eps: 1 / (s + eps),
    "1/(sqrt(s) + eps)": lambda s, eps: 1 / (np.sqrt(s) + eps),
    "1/sqrt(s + eps)": lambda s, eps: 1 / np.sqrt(s + eps),
    "1/sqrt(s^2 + eps)": lambda s, eps: 1 / np.sqrt(s * s + eps),
    "1/(sqrt(s + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s + eps) + eps),
    "1/(sqrt(s^2 + eps) + eps)": lambda s, eps: 1 / (np.sqrt(s * s + eps) + eps),
}
# (the original's formula, another formula): what taking one for the other amounts to.
MEANINGS = {
    ("1/(s + eps)", "1/(sqrt(s) + eps)"): "standard deviation taken for a variance (Keras 1.0.7)",
    ("1/(s + eps)", "1/sqrt(s + eps)"): "standard deviation taken for a variance (Keras 1.0.8 and later)",
    ("1/(s + eps)", "1/sqrt(s^2 + eps)"): "eps under the root: the published Chainer port's sqrt(std^2 + eps)",
    ("1/(s + eps)", "1/(sqrt(s^2 + eps) + eps)"): "eps twice",
    ("1/(sqrt(s) + eps)", "1/(s + eps)"): "variance taken for a standard deviation (Keras 1.0.6)",
    ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)"): "eps under the root (Keras 1.0.8 and later)",
    ("1/sqrt(s + eps)", "1/(s + eps)"): "variance taken for a standard deviation (Keras 1.0.6)",
    ("1/sqrt(s + eps)", "1/(sqrt(s) + eps)"): "eps beside the root (Keras 1.0.7)",
    ("1/(sqrt(s + eps) + eps)", "1/(s + eps)"): "variance taken for a standard deviation",
    ("1/(sqrt(s + eps) + eps)", "1/(sqrt(s) + eps)"): "eps beside the root (Keras 1.0.7)",
    ("1/(sqrt(s + eps) + eps)", "1/sqrt(s + eps)"): "eps once (Keras 1.0.8 and later)",
}
MEANINGS |= {(own, "1/(sqrt(s + eps) + eps)"): "eps twice" for own in ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)")}
MEANINGS |= {(own, "1/sqrt(s^2 + eps)"): "variance squared: stored standard deviations expected"
             for own in ("1/(sqrt(s) + eps)", "1/sqrt(s + eps)", "1/(sqrt(s + eps) + eps)")}


class Affine(Normalized):
    """scale*(x - mean) + beta with any (C,) vectors; of_batch: whether they were measured on the batch."""

    def __init__(self, subject, scale, mean, beta, of_batch):
        self.of_batch = None if not of_batch else (*(row[:, None] for row in subject.batch[1:]), subject)
        layer = SimpleNamespace(**{**vars(_plain(subject.layer)), "config": {**subject.layer.config, "mode": 0, "epsilon": 0.0}})
        params = {"gamma": scale, "beta": beta, "running_mean": mean, "running_std": np.ones_like(scale)}
        super().__init__(layer, params, subject.x, "1.1.0")  # where the scale is gamma/sqrt(1 + 0)

    def _statistics_errors(self, mean, variance, size, eps):
        if not self.of_batch:
            return super()._statistics_errors(mean, variance, size, eps)
        variance, size, subject = self.of_batch
        return super()._statistics_errors(mean, variance, size, max(float(subject.layer.config["epsilon"]), 1e-12))


def _plain(layer):
    return SimpleNamespace(name=layer.name, kind=layer.kind, config=layer.config)


class PerClip(Witness):
    """Each clip normalised by its own statistics, as in a batch of one; bounded as Normalized with running statistics."""

    def __init__(self, subject, reciprocal):
        super().__init__(subject.x.shape, 1)
        self.x = subject.view
        rows = [oracle.batch_statistics(self.x[clip:clip + 1])[:2] for clip in range(len(self.x))]
        self.mean, variance = (np.stack(wide)[:, :, None] for wide in zip(*rows, strict=True))
        self.scale = subject.parameter("gamma")[:, None] * reciprocal(variance)
        self.beta = subject.parameter("beta")[:, None]
        self.reduced = 4 * np.sqrt(self.view[2]) * U  # of the statistics, in rows: bounds.Normalized

    def block(self, where):
        """The values there and their bound."""
        scale, mean = self.scale[where[0], where[1]], self.mean[where[0], where[1]]
        x, beta = self.x[where].astype(np.float64), self.beta[where[1]]
        o = scale * (x - mean) + beta
        size = np.abs(scale) * (np.abs(x) + np.abs(mean))
        return Block(where, o, np.square((4 * U + self.reduced) * size + U * (2 * np.abs(beta) + np.abs(o)) + FLUSHED))


def own_spread(subject):
    """(name, function) of the original's formula for 1/spread, its Keras version and mode considered."""
    stored, batch = oracle.dialect(subject.keras)
    own = batch if subject.layer.config["mode"] == 2 else stored
    probe = np.array([0.3, 2.0])
    return next((name, made) for name, made in SPREADS.items() if np.allclose(made(probe, 0.1), own(probe, 0.1), rtol=1e-14))


def statistics(subject, of_batch=None):
    """(mean, s) that the layer uses, float64 (C,); of_batch chooses the other kind."""
    of_batch = subject.layer.config["mode"] == 2 if of_batch is None else of_batch
    return subject.batch[:2] if of_batch else (subject.parameter("running_mean"), subject.parameter("running_std"))


def _affine(subject, reciprocal=None, mean=1.0, beta=1.0, gamma=True, of_batch=None, unbiased=False):
    """The layer with parts replaced: 1/spread as a function of s; factors of mean and beta."""
    eps = float(subject.layer.config["epsilon"])
    made = reciprocal or (lambda s: own_spread(subject)[1](s, eps))
    centre, s = statistics(subject, of_batch)
    if unbiased:
        count = subject.view.shape[0] * subject.view.shape[2]
        s = s * count / max(1, count - 1)
    with np.errstate(all="ignore"):
        scale = made(s) * (subject.parameter("gamma") if gamma else 1.0)
    used = subject.layer.config["mode"] == 2 if of_batch is None else of_batch
    if not np.isfinite(scale).all():
        return None
    return Affine(subject, scale, mean * centre, beta * subject.parameter("beta"), used)


def with_spread(name, eps):
    """Hypothesis: that formula of 1/spread with that eps; eps None: the layer's own."""
    def make(subject):
        value = float(subject.layer.config["epsilon"]) if eps is None else eps
        return _affine(subject, lambda s: SPREADS[name](s, value))

    return make


def _batch_for_stored(subject):
    if subject.layer.config["mode"] == 2:
        return None
    eps, batch = float(subject.layer.config["epsilon"]), oracle.dialect(subject.keras)[1]
    return _affine(subject, lambda s: batch(s, eps), of_batch=True)


def _stored_for_batch(subject):
    if subject.layer.config["mode"] != 2:
        return None
    eps, stored = float(subject.layer.config["epsilon"]), oracle.dialect(subject.keras)[0]
    return _affine(subject, lambda s: stored(s, eps), of_batch=False)


def _unbiased(subject):
    return _affine(subject, unbiased=True) if subject.layer.config["mode"] == 2 else None


def _each_clip(subject):
    eps = float(subject.layer.config["epsilon"])
    if oracle.channel_axis(subject.layer, subject.x.shape) != 1 or (subject.layer.config["mode"] == 2 and len(subject.x) == 1):
        return None
    batch = oracle.dialect(subject.keras)[1]
    return PerClip(subject, lambda s: batch(s, eps))


def _wrong_axis(axis):
    def make(subject):
        shape = subject.x.shape
        fits = axis < len(shape) and shape[axis] == len(subject.params["gamma"]) and axis != oracle.channel_axis(subject.layer, shape)
        return subject.but(config={"axis": axis}) if fits else None

    return make


def _parameters_one_off(step):
    return lambda subject: subject.but(params={key: np.roll(value, step) for key, value in subject.params.items()})


FIXED = {
    "mean not subtracted": lambda s: _affine(s, mean=0.0),
    "mean added": lambda s: _affine(s, mean=-1.0),
    "gamma left out": lambda s: _affine(s, gamma=False),
    "beta left out": lambda s: _affine(s, beta=0.0),
    "not divided by the spread": lambda s: _affine(s, np.ones_like),
    "batch statistics instead of the stored": _batch_for_stored,
    "stored statistics instead of the batch's": _stored_for_batch,
    "unbiased batch variance": _unbiased,
    "statistics of each clip alone": _each_clip,
    "parameters one channel off": _parameters_one_off(1),
    "parameters one channel off, the other way": _parameters_one_off(-1),
    "gamma and beta swapped": lambda s: s.but(params={"gamma": s.params["beta"], "beta": s.params["gamma"]}),
    **{f"along axis {axis}": _wrong_axis(axis) for axis in (1, 2, 3)},
}


def spread_name(subject, name, eps):
    """What using that formula with that eps is called at this layer."""
    own, own_eps = own_spread(subject)[0], float(subject.layer.config["epsilon"])
    if name == own:
        return f"eps {eps:g} instead of {own_eps:g}"
    return f"{MEANINGS.get((own, name), f'spread {name}')}, eps {eps:g}"


def table(subject):
    """name -> maker, for this layer: every dialect with every known eps, the layer's own included."""
    own, own_eps = own_spread(subject)[0], float(subject.layer.config["epsilon"])
    epsilons = sorted({*EPSILONS, own_eps})
    spreads = {spread_name(subject, name, eps): with_spread(name, eps) for name in SPREADS for eps in epsilons
               if (name, eps) != (own, own_eps)}
    return {**spreads, f"eps left out instead of {own_eps:g}": with_spread(own, 0.0), **FIXED}


def most_distance(original, other):
    """No element of `other` lies farther from `original` than this, in units of the latter's bound; None where unknown.

    y - y' = (s - s')(x - mu) + (beta - y'(mu)), and B = 4u|s|(|x| + |mu|) + v|y| + ... >= (4u + v)|s||x - mu| + what is left
    of the constant without v|beta|. Below 1, neither a gain nor an offset reaches what the regression asks for.
    """
    alike = isinstance(other, Normalized) and isinstance(original, Normalized) and original.view == other.view
    if not alike or not np.may_share_memory(original.x, other.x):  # another input
        return None
    scale, beta = original.scale, original.limits.centre[:, None]
    if not scale.all():
        return None
    centre = (beta - original.shift) / scale  # mu, as shift = beta - s mu
    of_scale = np.abs(scale - other.scale) / (np.abs(scale) * (4 * U + original.per_y))
    at_centre = np.abs(other.shift + other.scale * centre - beta)
    at_centre[at_centre < ALIKE * (np.abs(scale * centre) + np.abs(beta))] = 0
    left = original.constant - 4 * U * np.abs(scale * centre) - original.per_y * np.abs(beta)
    return float((of_scale + at_centre / np.maximum(left, FLUSHED / 2)).max())


def eps_in(name):
    """The eps a hypothesis' name states, or None."""
    found = re.search(r"eps ([0-9.e+-]+)", name)
    return float(found.group(1)) if found else None


def base(subject):
    """The layer's own formula as an Affine, which shares the batch's statistics with the hypotheses."""
    return _affine(subject) if subject.layer.config["mode"] == 2 else subject.witness
