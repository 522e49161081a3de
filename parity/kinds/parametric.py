"""Rectifiers with arrays or thresholds of their own: PReLU and thresholded ReLU (Keras 1
advanced_activations.py).
"""

from collections.abc import Iterator

import numpy as np

from parity.kinds.api import ANY, LayerCase, LayerKind, Maker, Variant
from parity.kinds.probing import (
    Probe,
    Reading,
    batches,
    enough_clips,
    like,
    magnitudes,
    noise,
    of_table,
    random_probe,
    right,
)
from parity.kinds.rectifiers import Leaky
from parity.numerics.rounding import FLUSHED, NOTHING, SPREAD, Array, U, Where
from parity.numerics.witness import Block, Moves, Witness


class Parametric(Witness):
    """x above 0, which must arrive bit for bit, and alpha x below, alphas being the file's for each
    place of a clip, or for some axes shared. Keras computes alpha (x - |x|) 0.5, which rounds once;
    B = 2 u |alpha x| allows another.
    """

    one_sided = True

    def __init__(self, x: Array, alphas: Array) -> None:
        super().__init__(x.shape, min(1, x.ndim - 1))
        self.x = np.ascontiguousarray(x).reshape(self.view)
        whole = np.broadcast_to(alphas, x.shape[1:]).astype(np.float64)
        self.alphas = whole.reshape(1, *self.view[1:])

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        x = self.x[where].astype(np.float64)
        below = self.alphas[(slice(None), *where[1:])] * np.minimum(x, 0)
        size = np.abs(below) * (x < 0)
        bound2 = np.square(2 * U * size + FLUSHED * (x < 0)) + NOTHING
        sigma2 = np.square(SPREAD * U * size) + FLUSHED**2
        exact = int(np.count_nonzero(x >= 0))
        return Block(where, np.maximum(x, 0) + below, bound2, sigma2, exact_count=exact)


def _alphas(case: LayerCase) -> Array:
    """(1, ...) for a clip; axes that Keras shares have a size of 1."""
    return case.parameter("alphas")


def _parametric(case: LayerCase) -> Parametric:
    return Parametric(case.x, _alphas(case))


def _propagate(case: LayerCase, d: Array) -> Array:
    """alpha d, and (1 - alpha) times what d moves the part above 0 by."""
    alphas, x = _alphas(case), case.x
    above = np.maximum(d + np.minimum(x, 0), -np.maximum(x, 0))
    return np.asarray(alphas * d + (1 - alphas) * above, np.float32)


def _taken(change: Maker) -> Maker:
    """The layer with other alphas, where they are others."""

    def make(case: LayerCase) -> Variant:
        made = change(case)
        own = case.params["alphas"]
        if not isinstance(made, LayerCase) or np.array_equal(made.params["alphas"], own):
            return None
        return made

    return make


def _rolled(axis: int, step: int) -> Maker:
    return _taken(
        lambda s: (
            s.but(params={"alphas": np.roll(s.params["alphas"], step, axis=axis)})
            if not axis or s.params["alphas"].ndim > 1
            else None
        )
    )


def _shared(case: LayerCase) -> Variant:
    """One channel's alphas, the first's, for all."""
    return case.but(params={"alphas": case.params["alphas"][:1] + 0 * case.params["alphas"]})


PARAMETRIC: dict[str, Maker] = {
    "alpha of the first channel for all": _taken(_shared),
    "alphas one channel off": _rolled(0, 1),
    "alphas one channel off, the other way": _rolled(0, -1),
    "alphas one off along their last axis": _rolled(-1, 1),
    "alphas negated": _taken(lambda s: s.but(params={"alphas": -s.params["alphas"]})),
    "slope 1 - alpha": lambda s: s.but(params={"alphas": 1 - s.params["alphas"]}),
    "relu instead of PReLU": lambda s: Moves(np.maximum(s.x, 0)),
    "leaky ReLU with slope 0.3": lambda s: Leaky(s.x, 0.3),
    "slopes above 0 instead of below": lambda s: Parametric(-s.x, -_alphas(s)),
}
LARGE = 2.0**64


def _probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """-2^64 everywhere, whose answer is alpha bit for bit; both signs of many sizes, and noise."""
    alphas = np.broadcast_to(_alphas(case), case.x.shape[1:])
    least = np.broadcast_to(np.float32(LARGE), case.x.shape[1:])
    for part in batches(enough_clips(2, 8)):
        clips = part.stop - part.start
        x = np.full(like(case, clips), -LARGE, np.float32)
        expected = np.broadcast_to(-LARGE * alphas, x.shape)

        def read(answer: Array) -> Iterator[Reading]:
            yield Reading("alphas for each place", ..., -answer[0] / least, alphas)

        answers = expected.astype(np.float32)
        yield Probe("-2^64 everywhere", x, answers, answers, read=read)
    table = magnitudes(rng=rng)
    for start in range(0, table.size, 4 * alphas.size):
        x = np.resize(table[start : start + 4 * alphas.size], like(case, 4))
        witness = Parametric(x, alphas)
        block = witness.block((slice(None), slice(None), slice(None)))
        low, high = (a.reshape(x.shape) for a in right(block.o, np.sqrt(block.bound2)))
        yield Probe("all magnitudes", x, low, high)
    yield random_probe(case, noise(case, rng))


PRELU = LayerKind(
    "PReLU",
    {"init": ANY, "shared_axes": ANY},
    reference=_parametric,
    parameters=("alphas",),
    variants=lambda case: PARAMETRIC,
    propagate=_propagate,
    probes=_probes,
)


def _theta(case: LayerCase) -> float:
    return float(case.config["theta"])


def _above(case: LayerCase, theta: float) -> Moves:
    return Moves(np.where(case.x > theta, case.x, np.zeros_like(case.x)))


def _other_theta(theta: float) -> Maker:
    return lambda s: None if theta == _theta(s) else _above(s, theta)


THRESHOLDED = LayerKind(
    "ThresholdedReLU",
    {"theta": ANY},
    move=lambda config, x: np.where(x > config["theta"], x, np.zeros_like(x)),
    variants=lambda case: {
        "relu instead of a threshold": _other_theta(0.0),
        "threshold 1": _other_theta(1.0),
        "values below the threshold kept": lambda s: Moves(
            np.where(s.x > _theta(s), np.zeros_like(s.x), s.x)
        ),
        "threshold of the magnitude": lambda s: Moves(
            np.where(np.abs(s.x) > _theta(s), s.x, np.zeros_like(s.x))
        ),
        "values below raised to the threshold": lambda s: Moves(
            np.maximum(s.x, np.asarray(_theta(s), s.x.dtype))
        ),
    },
    channelwise=True,
    any_image=True,
    probes=lambda case, rng: of_table(case, magnitudes((0.0, _theta(case)), rng), "all magnitudes"),
)
