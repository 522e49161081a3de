"""Layers that a port computes in one: the composition of their formulas, and of their bounds.

The oracle of a group is its layers' oracles in a row, in float64. Its bound is the first one's,
carried through the others, each of which adds its own: see "Fused layers" in docs/numerics.md.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.kinds.activation import POINTWISE
from parity.kinds.api import ANY, LayerCase, LayerKind, Maker, Params
from parity.kinds.probing import Probe, batches, gathered, like, noise, of_witness, random_probe
from parity.numerics.rounding import (
    FLUSHED,
    NOTHING,
    SPREAD,
    WORST_TO_SIGMA,
    Array,
    U,
    Where,
    tail_factor,
)
from parity.numerics.witness import Block, Whole, Witness

FUSED = "fused"
SIZES = 2.0 ** np.arange(-8, 9, 2)  # of the random values that probes draw
FOLDED = 3  # roundings of a weight that normalisation is multiplied into: spread, gamma, product


@dataclass
class Known:
    """What lies between two layers: float64 values, and how far float32 may be from them.

    bound: all but surely; sigma: the deviation to expect; certain: surely. Each of one shape.
    """

    value: Array
    bound: Array
    sigma: Array
    certain: Array

    @property
    def exact(self) -> bool:
        """Whether nothing was rounded yet."""
        return not self.certain.any()

    def plus(self, other: "Known") -> "Known":
        """These values, with what a layer adds to their bounds."""
        return Known(
            self.value,
            self.bound + other.bound,
            np.hypot(self.sigma, other.sigma),
            self.certain + other.certain,
        )

    def each(self, of: Callable[[Array], Array]) -> "Known":
        """Another size in the place of every bound."""
        return Known(self.value, *map(of, (self.bound, self.sigma, self.certain)))

    def farther(self, other: "Known") -> "Known":
        """These values, with the larger of two bounds."""
        pairs = ((getattr(self, of), getattr(other, of)) for of in ("bound", "sigma", "certain"))
        return Known(self.value, *(np.maximum(*pair) for pair in pairs))


def _known(found: LayerCase | Witness) -> Known:
    """A layer's own values and bounds on its input."""
    judge = found.witness if isinstance(found, LayerCase) else found
    value, bound, sigma = gathered(judge)
    certain = np.zeros(judge.view)
    for where in judge.blocks():
        block = judge.block(where)
        certain2 = judge.certain(block)[0]
        certain[block.where] = 0 if certain2 is None else np.sqrt(certain2)
    return Known(value, bound, sigma, certain.reshape(judge.shape))


def _at_both_ends(case: LayerCase, known: Known, make: Maker = lambda s: s) -> Known:
    """Of a layer whose every value rises or falls with one value of its input: it moves no farther
    in between. What it rounds by itself is the most that it does at either end. make: of a variant.
    """

    def at(sign: int, size: Array) -> Known:
        found: Any = make(case.but(x=case.x + sign * size))
        return _known(found)

    own: Any = at(0, known.bound)
    value = own.value
    for sign in (1, -1):
        own = own.farther(at(sign, known.bound))

    def moved(size: Array) -> Array:
        return np.maximum(*(np.abs(at(sign, size).value - value) for sign in (1, -1)))

    return replace(known, value=value).each(moved).plus(own)


def _moved(case: LayerCase, known: Known) -> Known:
    """Of a layer that moves or chooses values: the largest of those that it chooses from."""
    own = case.value()
    return replace(known, value=own).each(partial(case.kind.move, case.config))


def _averaged(case: LayerCase, known: Known) -> Known:
    """Of a mean: at most the mean of what its terms may be off by."""
    own = _known(case)
    return replace(known, value=own.value).each(lambda size: case.but(x=size).value()).plus(own)


def _activated(case: LayerCase, known: Known) -> Known:
    """Of an activation, by its own reach."""
    through = POINTWISE[case.config["activation"]].through
    y, bound2, sigma2 = through(case.x, np.square(known.bound), np.square(known.sigma))
    certain2 = through(case.x, np.square(known.certain), np.square(known.sigma))[1]
    return Known(y, *map(np.sqrt, (bound2, sigma2, certain2)))


Way = Callable[[LayerCase, Known], Known]
# Keras's class -> how a bound is carried through it. What is not here may only come first, or after
# layers that round nothing.
WAYS: dict[str, Way] = {
    "Activation": _activated,
    **dict.fromkeys(
        ("BatchNormalization", "ELU", "LeakyReLU", "PReLU", "ThresholdedReLU"), _at_both_ends
    ),
    **dict.fromkeys(
        "MaxPooling1D MaxPooling2D GlobalMaxPooling1D GlobalMaxPooling2D ZeroPadding1D "
        "ZeroPadding2D Cropping1D Cropping2D UpSampling1D UpSampling2D Permute Reshape Flatten "
        "RepeatVector Dropout SpatialDropout1D SpatialDropout2D GaussianNoise GaussianDropout "
        "ActivityRegularization".split(),
        _moved,
    ),
    **dict.fromkeys(
        "AveragePooling1D AveragePooling2D GlobalAveragePooling1D GlobalAveragePooling2D".split(),
        _averaged,
    ),
}
NORMALISED = "BatchNormalization"
SUMS = {"Convolution2D": 0, "Dense": 1}  # the axis of W that its outputs lie along


def _way_of(kind: str, config: Mapping[str, Any]) -> Any:
    """How a bound is carried through a layer; None where it is not known."""
    if kind == NORMALISED and config.get("mode", 0) != 0:
        return None  # every value depends on all of them
    return WAYS.get(kind)


def _after(member: LayerCase, known: Known | None) -> LayerCase:
    """A layer on what comes before it: float32 while nothing was rounded, as what comes in is."""
    if known is None:
        return member
    narrow = known.exact and member.x.dtype != np.float64
    x = known.value.astype(np.float32) if narrow else known.value
    return replace(member, x=x, more=(), facts={})


def _folded(sums: Any, normal: LayerCase) -> Known | None:
    """The same where a port multiplies normalisation into the weights of sums before it: the
    bound of sums of those weights, and what rounding them adds. None where there are no such sums.
    """
    linear = isinstance(sums, LayerCase) and sums.config.get("activation", "linear") == "linear"
    if not linear or sums.layer.kind not in SUMS or normal.layer.kind != NORMALISED:
        return None
    axis = SUMS[sums.layer.kind]
    weights, (_, scale, shift) = sums.parameter("W"), normal.kind.affine(normal)
    if scale.size != weights.shape[axis] or scale.shape[sums.witness.axis] != scale.size:
        return None
    along = [-1 if at == axis else 1 for at in range(weights.ndim)]
    weights = weights * scale.reshape(along)
    bias, none = sums.bias(scale.size) * scale.ravel() + shift.ravel(), np.zeros(scale.size)
    known = _known(sums.but(config={"bias": True}, params={"W": weights, "b": bias}))

    def summed(of: Callable[[Array], Array]) -> Array:
        positive = {"W": of(weights), "b": none}
        return sums.but(config={"bias": True}, params=positive, x=of(sums.x.astype(float))).value()

    beta, mean = (normal.parameter(each).reshape(scale.shape) for each in ("beta", "running_mean"))
    own = sums.bias(scale.size).reshape(scale.shape)
    size = np.abs(known.value) + np.abs(scale) * (np.abs(own) + np.abs(mean)) + np.abs(beta)
    rounded = FOLDED * U * np.broadcast_to(size, known.value.shape)
    sigma = SPREAD * U * np.sqrt(FOLDED * summed(np.square))
    return known.plus(
        Known(
            known.value,
            tail_factor(sigma.size) * sigma + rounded,
            np.hypot(sigma, rounded / WORST_TO_SIGMA),
            FOLDED * U * summed(np.abs) + rounded,
        )
    )


class Composed(Whole):
    """A composition, along the axis of its last layer's witness."""

    def __init__(self, last: Witness, known: Known) -> None:
        squares = (np.square(a) for a in (known.bound, known.sigma, known.certain))
        bound2, sigma2, certain2 = squares
        super().__init__(
            last.axis, known.value, bound2 + NOTHING, sigma2 + FLUSHED**2, certain2 + NOTHING
        )
        self.axis_name = last.axis_name

    def block(self, where: Where) -> Block:
        found = super().block(where)
        found.exact_count = int(np.count_nonzero(found.bound2 == NOTHING))
        return found


def _keeps(kinds: Mapping[str, LayerKind], kind: str) -> bool:
    return kind in kinds and kinds[kind].move is not None


def of_group(params: Mapping[str, Any], members: list[str]) -> dict[str, Array]:
    """The parameters of a group: {layer/suffix: array}, from {layer: {suffix: array}}."""
    return {f"{name}/{key}": a for name in members for key, a in params.get(name, {}).items()}


def of_member(params: Mapping[str, Array], name: str) -> dict[str, Array]:
    """Those of one of its layers, by their own suffixes."""
    start = f"{name}/"
    return {key.removeprefix(start): a for key, a in params.items() if key.startswith(start)}


@dataclass(frozen=True)
class Fused:
    """The kind of a group; kinds: those of its layers."""

    kinds: Mapping[str, LayerKind]

    def check(self, layer: Any, where: str = "") -> None:
        """Raise CannotRun for a group whose bound cannot be carried to its end."""
        first, *others = layer.config["layers"]
        exact = _keeps(self.kinds, first["kind"])
        for each in others:
            if not exact and _way_of(each["kind"], each["config"]) is None:
                raise CannotRun(
                    f"{where}{each['name']} ({each['kind']}) mixes many values of what comes "
                    f"before it, so {layer.name} cannot be judged as one; begin a group with it"
                )
            exact = exact and _keeps(self.kinds, each["kind"])

    def composed(self, case: LayerCase, at: int = -1, make: Maker | None = None) -> Any:
        """The composition; with another formula of one of its layers where `make` gives one, None
        where that does not apply.
        """
        known: Known | None = None
        before: Any = None
        for number, member in enumerate(self._cases(case)):
            member = _after(member, known)
            own: Any = make(member) if make and number == at else member
            if own is None:
                return None
            if known is None or known.exact:
                known = _known(own)
            elif not isinstance(own, LayerCase):
                assert make
                known = _at_both_ends(member, known, make)
            else:
                folded = _folded(before, own)
                known = _way_of(own.layer.kind, own.config)(own, known)
                known = known.farther(folded) if folded else known
            before = own
        assert known
        return Composed(before.witness if isinstance(before, LayerCase) else before, known)

    def _cases(self, case: LayerCase) -> list[LayerCase]:
        self.check(case.layer)
        found = []
        for each in case.config["layers"]:
            if each["kind"] not in self.kinds:
                raise CannotRun(
                    f"layer {each['name']}: the oracle has no formula for {each['kind']}"
                )
            own = of_member(case.params, each["name"])
            kind, layer = self.kinds[each["kind"]], SimpleNamespace(**each)
            found.append(LayerCase(kind, layer, own, case.x, case.keras, case.more))
        return found

    def variants(self, case: LayerCase) -> dict[str, Maker]:
        """Those of every layer, by its name."""
        found: dict[str, Maker] = {}
        for at, member in enumerate(self._cases(case)):
            for name, make in member.kind.variants(member).items():
                found[f"{member.layer.name}: {name}"] = partial(self.composed, at=at, make=make)
            found[f"{member.layer.name} left out"] = partial(self.without, at)
        return found

    def onward(self, case: LayerCase, after: Iterable[tuple[Any, Params]]) -> dict[str, Maker]:
        """{name: maker} of a layer that does what follows it, too: one layer more each time.

        after : the layers that follow and their parameters.
        """
        found: dict[str, Maker] = {}
        group = [(case.layer, case.params)]
        for each in after:
            group.append(each)
            names = " and ".join(layer.name for layer, _ in group[1:])
            found[f"{names} done here already"] = partial(self._as_one, [*group])
        return found

    def _as_one(self, group: list[tuple[Any, Params]], case: LayerCase) -> LayerCase:
        rows = [
            {"name": layer.name, "kind": layer.kind, "config": layer.config} for layer, _ in group
        ]
        named = {layer.name: own for layer, own in group}
        layer = SimpleNamespace(name=case.layer.name, kind=FUSED, config={"layers": rows})
        params = of_group(named, [*named])
        return LayerCase(self.kind(), layer, params, case.x, case.keras, case.more)

    def without(self, at: int, case: LayerCase) -> LayerCase:
        """The group without one of its layers."""
        rows = [row for number, row in enumerate(case.config["layers"]) if number != at]
        return case.but(config={"layers": rows})

    def probes(self, case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        """Random values of many sizes: each clip shows the composition, and no parameter alone."""
        if case.more:
            raise CannotRun("several inputs of fused layers are not probed; clips alone judge them")
        yield random_probe(case, noise(case, rng))
        sizes = SIZES.reshape(-1, *[1] * (case.x.ndim - 1))
        x = rng.standard_normal(like(case, len(SIZES)), np.float32) * sizes.astype(np.float32)
        for part in batches(len(x)):
            yield of_witness("values of many sizes", case, x[part])

    def cost(self, layer: Any, params: Mapping[str, Array]) -> int:
        """The sum of its layers', each of the group's shape."""
        return sum(
            self.kinds[each["kind"]].cost(
                SimpleNamespace(**each, shape=layer.shape), of_member(params, each["name"])
            )
            for each in layer.config["layers"]
        )

    def kind(self) -> LayerKind:
        """Its LayerKind."""
        return LayerKind(
            FUSED,
            {"layers": ANY},
            reference=self.composed,
            variants=self.variants,
            cost=self.cost,
            probes=self.probes,
        )
