"""What ports get wrong in batch normalisation: all are scale*(x - mean) + beta with another scale,
mean or beta.
"""

import itertools
from types import SimpleNamespace

import numpy as np

from parity.diagnose.spreads import (
    CHAINERS,
    EPSILONS,
    SPREADS,
    formula_name,
    own_spread,
    spread_name,
)
from parity.kinds import oracle
from parity.kinds.bounds import Normalized
from parity.numerics.rounding import FLUSHED, Block, U, Witness

ALIKE = 1e-12  # two float64 values nearer than this share of their terms are the same


class Affine(Normalized):
    """scale*(x - mean) + beta with any (C,) vectors; of_batch: whether the port measured them on
    the batch.
    """

    def __init__(self, subject, scale, mean, beta, of_batch):
        self.of_batch = (
            None if not of_batch else (*(row[:, None] for row in subject.batch[1:]), subject)
        )
        layer = SimpleNamespace(
            **{
                **vars(_plain(subject.layer)),
                "config": {**subject.layer.config, "mode": 0, "epsilon": 0.0},
            }
        )
        params = {
            "gamma": scale,
            "beta": beta,
            "running_mean": mean,
            "running_std": np.ones_like(scale),
        }
        super().__init__(layer, params, subject.x, "1.1.0")  # where the scale is gamma/sqrt(1 + 0)

    def _statistics_errors(self, mean, variance, size, eps):
        if not self.of_batch:
            return super()._statistics_errors(mean, variance, size, eps)
        variance, size, subject = self.of_batch
        return super()._statistics_errors(
            mean, variance, size, max(float(subject.layer.config["epsilon"]), 1e-12)
        )


def _plain(layer):
    return SimpleNamespace(name=layer.name, kind=layer.kind, config=layer.config)


def _unbiased(subject):
    """As the batch's, with N - 1 for N."""
    mean, variance = subject.batch[:2]
    count = subject.view.shape[0] * subject.view.shape[2]
    return mean, variance * count / max(1, count - 1)


# Where mean and s come from, float64 (C,), and whether the port has measured them in float32 of an
# unknown order.
STORED, BATCH, IN_A_ROW, UNBIASED = "stored", "batch", "one by one", "unbiased"
SOURCES = {
    STORED: (lambda s: (s.parameter("running_mean"), s.parameter("running_std")), False),
    BATCH: (lambda s: s.batch[:2], True),
    IN_A_ROW: (lambda s: s.one_by_one, False),
    UNBIASED: (_unbiased, True),
}


def own_source(subject):
    """Where the original has its statistics from."""
    return BATCH if subject.layer.config["mode"] == 2 else STORED


def statistics(subject):
    """(mean, s) that the layer uses, float64 (C,)."""
    return SOURCES[own_source(subject)][0](subject)


def affine(subject, reciprocal=None, mean=1.0, beta=1.0, gamma=True, source=None):
    """The layer with parts replaced: 1/spread as a function of s; factors of mean and beta;
    another of SOURCES.
    """
    eps = float(subject.layer.config["epsilon"])
    made = reciprocal or (lambda s: own_spread(subject)[1](s, eps))
    read, of_batch = SOURCES[source or own_source(subject)]
    with np.errstate(all="ignore"):
        centre, s = read(subject)
        scale = made(s) * (subject.parameter("gamma") if gamma else 1.0)
    if not np.isfinite(scale).all():
        return None
    return Affine(subject, scale, mean * centre, beta * subject.parameter("beta"), of_batch)


def with_spread(name, eps, source=None):
    """Hypothesis: that formula of 1/spread with that eps; eps None: the layer's own."""

    def make(subject):
        value = float(subject.layer.config["epsilon"]) if eps is None else eps
        return affine(subject, lambda s: SPREADS[name](s, value), source=source)

    return make


def _instead(source, mode):
    """Hypothesis at a layer of that mode: statistics from there, as the original's Keras would use
    them.
    """

    def make(subject):
        if subject.layer.config["mode"] != mode:
            return None
        eps, spread = (
            float(subject.layer.config["epsilon"]),
            oracle.dialect(subject.keras)[source != STORED],
        )
        return affine(subject, lambda s: spread(s, eps), source=source)

    return make


class PerClip(Witness):
    """Each clip normalised by its own statistics, as in a batch of one: the witnesses of such
    batches, one after the other.
    """

    def __init__(self, clips):
        super().__init__((len(clips), *clips[0].shape[1:]), 1)
        self.clips = clips

    def block(self, where):
        """The values there, their bound and sigma."""
        parts = [clip.block((slice(0, 1), *where[1:])) for clip in self.clips[where[0]]]
        return Block(
            where,
            *(
                np.concatenate([getattr(part, name) for part in parts])
                for name in ("o", "bound2", "sigma2")
            ),
        )


def each_clip(subject):
    """Hypothesis: the batch is run clip by clip."""
    if oracle.channel_axis(subject.layer, subject.x.shape) != 1 or (
        subject.layer.config["mode"] == 2 and len(subject.x) == 1
    ):
        return None
    eps, batch = float(subject.layer.config["epsilon"]), oracle.dialect(subject.keras)[1]
    clips = [
        affine(subject.but(x=clip[None]), lambda s: batch(s, eps), source=BATCH)
        for clip in subject.x
    ]
    return PerClip(clips) if all(clips) else None


def _wrong_axis(axis):
    def make(subject):
        shape = subject.x.shape
        fits = (
            axis < len(shape)
            and shape[axis] == len(subject.params["gamma"])
            and axis != oracle.channel_axis(subject.layer, shape)
        )
        return subject.but(config={"axis": axis}) if fits else None

    return make


def _parameters_one_off(step):
    return lambda subject: subject.but(
        params={key: np.roll(value, step) for key, value in subject.params.items()}
    )


# what the port does -> (where its statistics come from, at layers of which mode)
ELSEWHERE = {
    "batch statistics instead of the stored": (BATCH, 0),
    "stored statistics instead of the batch's": (STORED, 2),
    "statistics summed one by one in float32": (IN_A_ROW, 2),
}
FIXED = {
    "mean not subtracted": lambda s: affine(s, mean=0.0),
    "mean added": lambda s: affine(s, mean=-1.0),
    "gamma left out": lambda s: affine(s, gamma=False),
    "beta left out": lambda s: affine(s, beta=0.0),
    "not divided by the spread": lambda s: affine(s, np.ones_like),
    **{what: _instead(source, mode) for what, (source, mode) in ELSEWHERE.items()},
    "unbiased batch variance": _instead(UNBIASED, 2),
    "statistics of each clip alone": each_clip,
    "parameters one channel off": _parameters_one_off(1),
    "parameters one channel off, the other way": _parameters_one_off(-1),
    "gamma and beta swapped": lambda s: s.but(
        params={"gamma": s.params["beta"], "beta": s.params["gamma"]}
    ),
    **{f"along axis {axis}": _wrong_axis(axis) for axis in (1, 2, 3)},
}


def table(subject):
    """name -> maker, for this layer: every dialect with every known eps, the layer's own
    included.
    """
    own, own_eps = own_spread(subject)[0], float(subject.layer.config["epsilon"])
    spreads = {
        spread_name(subject, name, eps): with_spread(name, eps)
        for name, eps in _formulas(own_eps)
        if (name, eps) != (own, own_eps)
    }
    return {**spreads, f"eps left out instead of {own_eps:g}": with_spread(own, 0.0), **FIXED}


def combined(subject):
    """name -> maker: other statistics under every formula of 1/spread and every known eps;
    Chainer's own phases are among them.
    """
    mode, own_eps = subject.layer.config["mode"], float(subject.layer.config["epsilon"])
    formulas = sorted(
        _formulas(own_eps), key=lambda formula: formula != CHAINERS
    )  # the likeliest first
    return {
        f"{what}, {formula_name(name, eps)}": with_spread(name, eps, source)
        for what, (source, at) in ELSEWHERE.items()
        if at == mode
        for name, eps in formulas
    }


def _formulas(own_eps):
    return itertools.product(SPREADS, sorted({*EPSILONS, own_eps}))


def most_distance(original, other):
    """No element of `other` lies farther from `original` than this, in units of the latter's
    bound; None where unknown.

    y - y' = (s - s')(x - mu) + (beta - y'(mu)), and B = 4u|s|(|x| + |mu|) + v|y| + ... >= (4u +
    v)|s||x - mu| + what is left of the constant without v|beta|. Below 1, neither a gain nor an
    offset reaches what the regression asks for.
    """
    alike = (
        isinstance(other, Normalized)
        and isinstance(original, Normalized)
        and original.view == other.view
    )
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


def base(subject):
    """The layer's own formula as an Affine, which shares the batch's statistics with the
    hypotheses.
    """
    return affine(subject) if subject.layer.config["mode"] == 2 else subject.witness
