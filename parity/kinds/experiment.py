"""Layers without a formula here: Keras's own graph in float64 is the oracle, and what noise of one
rounding at each of its nodes does to the output bounds float32's error.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import LayerCase, LayerKind
from parity.kinds.probing import BATCHES, ROOM, Probe, gathered, like, noise, right
from parity.numerics.experiment import bound_of, draws_for
from parity.numerics.rounding import FLUSHED, NOTHING, Array, Where, squares
from parity.numerics.witness import Block, Witness


class Experiment(Witness):
    """What the original answers in float64, and how far draws of rounding stray from that.

    ask : (inputs, draws) -> (value, spread or None), see parity.recording.asking.
    """

    certain_share = None

    def __init__(self, ask: Any, inputs: tuple[Array, ...]) -> None:
        self.ask, self.inputs = ask, inputs
        self.values, _ = ask(inputs)
        super().__init__(self.values.shape, min(1, self.values.ndim - 1))

    @cached_property
    def found(self) -> tuple[Array, Array]:
        """(values, B), seen as (before, C, after). What no draw moves is float32's nearest."""
        values, spread = self.ask(self.inputs, draws_for(self.values.size))
        still = spread == 0
        with np.errstate(over="ignore"):
            values = np.where(still, values.astype(np.float32), values)
        bound = np.where(still, 0.0, bound_of(spread) + FLUSHED)
        bound[~np.isfinite(bound)] = np.nan  # what may be anything is no proof of anything
        return values.reshape(self.view), bound.reshape(self.view)

    @cached_property
    def moves(self) -> bool:  # type: ignore[override]
        """Whether no draw moves any element."""
        return not self.found[1].any()

    def block(self, where: Where) -> Block:
        """The values there and their bound."""
        values, bound = (whole[where] for whole in self.found)
        still = int(np.count_nonzero(bound == 0))
        if self.moves:
            return Block(where, values, None, exact_count=still)
        spread2 = np.square(bound / bound_of(np.ones(self.shape)).flat[0])
        return Block(where, values, bound**2 + NOTHING, spread2 + NOTHING, exact_count=still)

    @property
    def share(self) -> float:
        """The norm of B of that of the values: how little an answer within B may say."""
        values, bound = self.found
        return float(np.sqrt(squares(bound) / max(squares(values), FLUSHED)))

    def value(self, where: Where) -> Array:
        """The values there: no draws are needed."""
        return self.values.reshape(self.view)[where]

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        """There is no certain bound: B stands in for it."""
        return block.bound2, None


@dataclass(frozen=True)
class ByExperiment(LayerKind):
    """The kind of every layer that the original itself has to explain."""

    def check_settings(self, layer: Any) -> None:
        """Keras computes all of them."""


def _reference(case: LayerCase) -> Witness:
    ask = getattr(case.layer, "ask", None)
    if ask is None:
        raise CannotRun(
            f"layer {case.layer.name} ({case.layer.kind}): only the original itself can say what "
            "it computes, and it cannot be asked about other settings or weights"
        )
    return Experiment(ask, (case.x, *case.more))


def _probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Nothing, values like the real input, small and large ones, and one value at a time; in
    batches of all sizes as far as there is room.
    """
    if case.x.dtype.kind != "f":
        raise CannotRun("it reads whole numbers, and which ones it takes is not known")
    size = int(np.prod(case.x.shape[1:]))
    one, two, *more = [clips for clips in BATCHES if clips * size <= ROOM or clips <= 2]
    many = more[-1] if more else two
    impulses = np.zeros((many, size), np.float32)
    impulses[np.arange(many), rng.integers(0, size, many)] = rng.choice([-1, 1], many)
    questions = {
        "nothing": np.zeros(like(case, one), np.float32),
        "random values": noise(case, rng, two),
        "random values of 2^-12": noise(case, rng, many, centred=True) * np.float32(2**-12),
        "random values of 2^6": noise(case, rng, more[0] if more else one) * np.float32(2**6),
        "one value at a time": impulses.reshape(like(case, many)),
    }
    for name, x in questions.items():
        others = tuple(_other(each, len(x), rng) for each in case.more)
        witness = case.but(x=x, more=others).witness
        with np.errstate(all="ignore"):
            expected, allowed, _ = gathered(witness)
            at: Any = np.isfinite(expected + allowed) & (np.abs(expected) < np.finfo("f4").max)
        if not at.any():
            continue
        at = ... if at.all() else np.nonzero(at)
        low, high = right(expected[at], allowed[at])
        yield Probe(name, x, low, high, at, expected=expected[at], more=others)


def _other(like_this: Array, clips: int, rng: np.random.Generator) -> Array:
    """Values for an input beside the first; a mask hides a quarter."""
    shape = (clips, *like_this.shape[1:])
    if like_this.dtype == bool:
        return rng.random(shape) < 3 / 4
    return rng.standard_normal(shape, np.float32)


EXPERIMENT = ByExperiment("any other", {}, reference=_reference, input_ranks=(), probes=_probes)
