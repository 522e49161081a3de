"""A layer of sums that ends in an activation."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from parity.kinds.activation import POINTWISE, Pointwise, instead
from parity.kinds.api import LayerCase, LayerKind, Maker, Makers, Variant
from parity.kinds.probing import Probe, Reading, of_witness, random_probe
from parity.numerics.rounding import Array, Where
from parity.numerics.witness import Block, Witness

ONE = 64  # exponent that lifts impulses of 2^64 down to about 1


class Activated(Witness):
    """An activation of another witness' sums, block by block, with what it makes of their bound."""

    certain_share = None

    def __init__(self, sums: Witness, activation: Pointwise) -> None:
        super().__init__(sums.shape, sums.axis)
        self.sums, self.activation = sums, activation

    def blocks(self) -> Iterator[Where]:
        return self.sums.blocks()

    def block(self, where: Where) -> Block:
        block = self.sums.block(where)
        sigma2 = block.sigma2
        if sigma2 is None:
            sigma2 = np.square(self.sums.sigma_share) * block.bound2
        turned = [np.moveaxis(a, 1, -1) for a in (block.o, block.bound2, sigma2)]
        y, bound2, variance = (np.moveaxis(a, -1, 1) for a in self.activation.through(*turned))
        return Block(where, y, bound2, variance)

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        sums = self.sums.block(block.where).kept()
        certain2, operands2 = self.sums.certain(sums)
        known = [certain2, 0 * sums.o if operands2 is None else operands2]
        s, *turned = (np.moveaxis(np.asarray(a), 1, -1) for a in (sums.o, *known))
        _, bound2, variance = (np.moveaxis(a, -1, 1) for a in self.activation.through(s, *turned))
        return bound2, None if operands2 is None else variance


def activated(linear: LayerKind, both: LayerKind) -> LayerKind:
    """The kind `linear`, which computes no activation, with any; both: the same, whose probes come
    with either sign.
    """

    def own(case: LayerCase) -> str:
        return str(case.config.get("activation", "linear"))

    def of_sums(case: LayerCase) -> LayerCase:
        return replace(case.but(config={"activation": "linear"}), kind=linear)

    def reference(case: LayerCase) -> Witness:
        return applied(case, POINTWISE[own(case)])

    def applied(case: LayerCase, activation: Pointwise) -> Witness:
        sums = linear.reference(case)
        return sums if activation is POINTWISE["linear"] else Activated(sums, activation)

    def through(make: Maker) -> Maker:
        def made(case: LayerCase) -> Variant:
            other = make(of_sums(case))
            sums = other.witness if isinstance(other, LayerCase) else other
            return sums and Activated(sums, POINTWISE[own(case)])

        return made

    def variants(case: LayerCase) -> Makers:
        table = linear.variants(case)
        if own(case) == "linear":
            return table
        return {
            **{name: through(make) for name, make in table.items()},
            **instead(own(case), applied),
        }

    def combined(case: LayerCase) -> Makers:
        table = linear.combined(case)
        if own(case) == "linear":
            return table
        return {name: through(make) for name, make in table.items()}

    def propagate(case: LayerCase, d: Array) -> Array:
        change = linear.carry(of_sums(case), d)
        if own(case) == "linear":
            return change
        sums, value = of_sums(case).value(), POINTWISE[own(case)].value
        return np.asarray(value(sums + change) - value(sums), np.float32)

    def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        if own(case) == "linear":
            assert linear.probes
            yield from linear.probes(case, rng)
            return
        yield from near_one(case, rng)
        if own(case) == "relu":
            assert both.probes
            for probe in both.probes(of_sums(case), rng):
                yield _rectified(probe)

    def near_one(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        """Impulses whose sums are about 1, and values as the layer meets them."""
        assert linear.probes
        weight = np.median(np.abs(case.parameter("W"))) or 1.0
        scale = np.exp2(-ONE - np.round(np.log2(weight)))
        for probe in linear.probes(of_sums(case), rng):
            if probe.read:
                x = (probe.x * scale).astype(np.float32)
                yield of_witness("impulses whose sums are about 1, and nothing", case, x)
            else:
                yield random_probe(case, probe.x, probe.name)

    def transform(case: LayerCase, at_most: bool) -> Array:
        """Of the sums: no activation is steeper than 1."""
        assert linear.transform
        return linear.transform(of_sums(case), at_most)

    return replace(
        linear,
        settings={**linear.settings, "activation": tuple(POINTWISE)},
        reference=reference,
        variants=variants,
        combined=combined,
        propagate=propagate,
        probes=probes,
        transform=linear.transform and transform,
    )


def _rectified(probe: Probe) -> Probe:
    """A probe of sums, of which only those above 0 get through."""

    def read(answer: Array) -> Iterator[Reading]:
        for each in probe.read(answer):  # type: ignore[misc]
            yield each._replace(seen=each.seen & (each.value != 0))

    low = np.maximum(probe.low, 0)
    return replace(
        probe,
        low=low,
        high=low if probe.high is probe.low else np.maximum(probe.high, 0),
        expected=None if probe.expected is None else np.maximum(probe.expected, 0),
        sigma=None,
        read=probe.read and read,
    )
