"""Layers around another: one applied at every step, and a recurrent one read in both directions.

Keras names the weights of the inner layer after that one, dense_1_W or forward_lstm_1_W_i.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import LayerCase, LayerKind, Maker, Variant
from parity.kinds.probing import Probe, at_every_step, like, noise, of_witness, random_probe
from parity.kinds.recurrent.formula import CELLS, Followed, cell_of, parameters
from parity.kinds.recurrent.probes import MOST, asked, of_sequences, one_at_a_time, units_of
from parity.numerics.rounding import Array, Shape, U, Where
from parity.numerics.witness import Block, Witness

Kinds = Mapping[str, LayerKind]
WHOLE = ("W", "U", "b")  # of recurrent layers whose gates are kept in one matrix


class Reshaped(Witness):
    """Another witness, its first axis made two."""

    def __init__(self, inner: Witness, shape: Shape) -> None:
        super().__init__(shape, inner.axis + 1)
        self.inner, self.limits, self.moves = inner, inner.limits, inner.moves
        self.sigma_share, self.certain_share = inner.sigma_share, inner.certain_share
        self.axis_name, self.one_sided = inner.axis_name, inner.one_sided

    def blocks(self) -> Iterator[Where]:
        return self.inner.blocks()

    def block(self, where: Where) -> Block:
        return self.inner.block(where)

    def value(self, where: Where) -> Array:
        return self.inner.value(where)

    def certain(self, block: Block) -> tuple[Array | None, Array | None]:
        return self.inner.certain(block)


def inner_case(
    kinds: Kinds, case: LayerCase, prefix: str = "", config: Mapping[str, Any] | None = None
) -> LayerCase:
    """The layer inside, with its own parameters, on the outer one's inputs. prefix: what its
    parameters' names begin with; config: settings to change.
    """
    name, settings = case.config["layer"]["class_name"], case.config["layer"]["config"]
    kind, own = known_inside(kinds, case.layer, case.config["layer"]), settings.get("name", name)
    suffixes = (*kind.parameters, *(WHOLE if name in CELLS else ()))
    params = {
        suffix: array
        for key, array in case.params.items()
        for suffix in suffixes
        if key.startswith(prefix) and f"_{key}".endswith(f"_{suffix}")
    }
    layer = SimpleNamespace(name=own, kind=name, config={**settings, **(config or {})})
    nested = params if kind.parameters != WRAPPED else case.params
    return LayerCase(kind, layer, nested, case.x, case.keras, case.more)


def known_inside(kinds: Kinds, layer: Any, inner: Mapping[str, Any]) -> LayerKind:
    """The kind of the layer inside another. Raises CannotRun where it is not computed."""
    name, settings = inner["class_name"], inner["config"]
    if name not in kinds:
        raise CannotRun(
            f"layer {layer.name} ({layer.kind}): the oracle has no formula for {name}; "
            f"known are {', '.join(kinds)}"
        )
    own = settings.get("name", layer.name)
    kinds[name].check_settings(SimpleNamespace(name=own, kind=name, config=settings))
    return kinds[name]


def caveat_inside(kinds: Kinds, config: Mapping[str, Any]) -> str | None:
    """What a verdict does not say of the layer inside another."""
    inner = config["layer"]
    return kinds[inner["class_name"]].caveat(inner["config"])


WRAPPED = ("layer",)  # the parameters of a kind that are those of the layer inside


def _flat(x: Array) -> Array:
    return x.reshape(-1, *x.shape[2:])


@dataclass(frozen=True)
class TimeDistributed:
    """The kind of a layer applied at every step."""

    kinds: Kinds

    def inner(self, case: LayerCase) -> LayerCase:
        """The layer inside, on all steps at once."""
        return replace(inner_case(self.kinds, case), x=_flat(case.x), more=())

    def reference(self, case: LayerCase) -> Witness:
        """The layer's own witness, on all steps at once."""
        return self.around(case, self.inner(case).witness)

    def around(self, case: LayerCase, inner: Witness) -> Witness:
        """Of the outer layer's shape."""
        return Reshaped(inner, (*case.x.shape[:2], *inner.shape[1:]))

    def variants(self, case: LayerCase) -> dict[str, Maker]:
        """The inner layer's, and steps that are mistaken."""
        own: dict[str, Maker] = {
            "clips and steps mixed up": self.mixed_up,
            "first step's input at every step": lambda s: s.but(
                x=np.repeat(s.x[:, :1], s.x.shape[1], axis=1)
            ),
        }
        if "layer" not in case.config:
            return own
        inner = self.inner(case)
        return {
            name: partial(self.of, make) for name, make in inner.kind.variants(inner).items()
        } | own

    def mixed_up(self, s: LayerCase) -> Variant:
        """The steps of all clips one after another, and read as clips after clips."""
        turned = np.ascontiguousarray(s.x.swapaxes(0, 1))
        return s.but(x=turned.reshape(s.x.shape)) if 1 not in s.x.shape[:2] else None

    def of(self, make: Maker, case: LayerCase) -> Variant:
        """A variant of the layer inside."""
        made = make(self.inner(case))
        made = made.witness if isinstance(made, LayerCase) else made
        if (
            made is None
            or len(made.shape) < 1
            or made.shape[0] != case.x.shape[0] * case.x.shape[1]
        ):
            return None
        return self.around(case, made)

    def probes(self, case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        """Those of the layer inside, alike at every step, and random steps."""
        inner = self.inner(case)
        inner = replace(inner, x=inner.x[:1])
        if inner.kind.probes is None:
            raise CannotRun(f"no probes are known for {inner.layer.kind}, which is inside")
        shape, length = inner.witness.shape[1:], case.x.shape[1]
        yield random_probe(case, noise(case, rng), "random steps")
        for probe in inner.kind.probes(inner, rng):
            if probe.of == "run":
                yield at_every_step(probe, shape, length)

    def kind(self) -> LayerKind:
        """Its entry of the registry."""
        return LayerKind(
            "TimeDistributed",
            {"layer": partial(known_inside, self.kinds)},
            reference=self.reference,
            parameters=WRAPPED,
            caveat=partial(caveat_inside, self.kinds),
            variants=self.variants,
            input_ranks=(3,),
            probes=self.probes,
        )


MERGED: dict[str, Callable[[Array, Array], Array]] = {
    "concat": lambda a, b: np.concatenate([a, b], axis=-1),
    "sum": lambda a, b: a + b,
    "ave": lambda a, b: (a + b) / 2,
    "mul": lambda a, b: a * b,
}


class Both(Followed):
    """Two directions merged. turned: whether the second one's steps are put back in order;
    swapped: whether it then comes first.
    """

    def __init__(self, halves: Any, mode: str, turned: bool, swapped: bool) -> None:
        self.mode, self.turned = mode, turned and len(halves[0].shape) == 3
        self.swapped = swapped
        self.halves: Any = halves
        super().__init__(MERGED[mode](*self._parts("values")), halves[0].axis_name)

    def _parts(self, of: str) -> tuple[Array, Array]:
        first, second = (getattr(half, of)() for half in self.halves)
        second = second[:, ::-1] if self.turned else second
        return (second, first) if self.swapped else (first, second)

    def variances(self) -> Array:
        """Those of both, and what merging them rounds."""
        (a, b), (of_a, of_b) = self._parts("values"), self._parts("variances")
        if self.mode == "concat":
            return np.concatenate([of_a, of_b], axis=-1)
        weights = (b * b, a * a) if self.mode == "mul" else (1, 1)
        merged = weights[0] * of_a + weights[1] * of_b
        total = a * b if self.mode == "mul" else a + b
        found: Array = (merged + np.square(U * total)) / (4 if self.mode == "ave" else 1)
        return found


MODES = {"sum": "added", "ave": "averaged", "mul": "multiplied"}


@dataclass(frozen=True)
class Bidirectional:
    """The kind of a recurrent layer that reads a sequence in both directions."""

    kinds: Kinds

    def halves(self, case: LayerCase, **config: Any) -> tuple[LayerCase, LayerCase]:
        """The layer forwards and backwards."""
        inner = case.config["layer"]
        self.check_inside(case.layer, inner)
        backwards = bool(inner["config"].get("go_backwards"))
        first, second = (
            inner_case(self.kinds, case, prefix, {"go_backwards": backwards != turned, **config})
            for prefix, turned in (("forward_", False), ("backward_", True))
        )
        return first, second

    def check_inside(self, layer: Any, inner: Mapping[str, Any]) -> None:
        """Raise CannotRun for what is not computed in both directions."""
        if inner["class_name"] not in CELLS:
            raise CannotRun(
                f"layer {layer.name} ({layer.kind}): the oracle does not compute it of "
                f"{inner['class_name']}; it knows {', '.join(CELLS)}"
            )
        known_inside(self.kinds, layer, inner)

    def merged(
        self, case: LayerCase, halves: Any, turned: bool = True, swapped: bool = False
    ) -> Witness:
        """Two layers' witnesses, merged as Keras was told."""
        both = [each.witness if isinstance(each, LayerCase) else each for each in halves]
        return Both(both, case.config["merge_mode"], turned, swapped)

    def reference(self, case: LayerCase) -> Witness:
        """Both directions, merged."""
        return self.merged(case, self.halves(case))

    def variants(self, case: LayerCase) -> dict[str, Maker]:
        """The inner layer's in both directions, and directions that are mistaken."""
        own: dict[str, Maker] = {
            "backward half left in its own order": self.left_turned,
            "halves in the place of each other": lambda s: self.merged(
                s, self.halves(s), swapped=True
            ),
            "forward half's weights in both": self.same_weights,
            "both halves forwards": self.one_way,
            "backward half's first state for its last": self.first_state,
            **{f"halves {told}": partial(self.as_mode, mode) for mode, told in MODES.items()},
        }
        if "layer" not in case.config:
            return own
        inner = self.halves(case)[0]
        return {
            name: partial(self.of, make) for name, make in inner.kind.variants(inner).items()
        } | own

    def of(self, make: Maker, case: LayerCase) -> Variant:
        """A variant of the layer inside, in both directions."""
        made = [make(half) for half in self.halves(case)]
        return None if None in made else self.merged(case, made)

    def probes(self, case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
        """One input after another at one step, and what recurrent layers are asked as a whole."""
        first, second = self.halves(case)
        size = cell_of(first).states * units_of(first)
        weights = [
            parameters(half)[f"W_{gate}"]
            for half in (first, second)
            for gate in cell_of(half).gates
        ]
        units = one_at_a_time(weights).astype(np.float32)
        x = np.zeros(like(case, len(units)), np.float32)
        x[np.arange(len(x)), rng.integers(0, x.shape[1], len(x))] = units
        x += (rng.random(x.shape[:2]) < 1 / 4)[..., None] * noise(case, rng, len(x))
        each = max(1, int(MOST / (x.shape[1] * size**3)))
        for at in range(0, min(len(x), 8 * each), each):
            yield asked(of_witness, case, x[at : at + each], "one input at a time")
        yield from of_sequences(case, rng, size)

    def left_turned(self, s: LayerCase) -> Variant:
        """As the backward half computed it."""
        return self.merged(s, self.halves(s), turned=False)

    def same_weights(self, s: LayerCase) -> Variant:
        """A port with one set of weights."""
        first, second = self.halves(s)
        return self.merged(s, (first, second.but(params=first.params)))

    def one_way(self, s: LayerCase) -> Variant:
        """The backward half's weights, forwards."""
        first, second = self.halves(s)
        own = bool(first.config.get("go_backwards"))
        return self.merged(s, (first, second.but(config={"go_backwards": own})), turned=False)

    def first_state(self, s: LayerCase) -> Variant:
        """Of one that returns no sequence: what a sequence's last place holds of the backward half,
        its state after one step.
        """
        if s.config["layer"]["config"].get("return_sequences"):
            return None
        first, second = self.halves(s)
        backwards = bool(second.config.get("go_backwards"))
        at = slice(-1, None) if backwards else slice(0, 1)
        short = tuple(each[:, at] for each in second.more)
        return self.merged(s, (first, second.but(x=second.x[:, at], more=short)))

    def as_mode(self, mode: str, s: LayerCase) -> Variant:
        """Merged otherwise."""
        return s.but(config={"merge_mode": mode}) if s.config["merge_mode"] != mode else None

    def kind(self) -> LayerKind:
        """Its entry of the registry."""
        return LayerKind(
            "Bidirectional",
            {"layer": self.check_inside, "merge_mode": tuple(MERGED)},
            reference=self.reference,
            parameters=WRAPPED,
            caveat=partial(caveat_inside, self.kinds),
            variants=self.variants,
            input_ranks=(3,),
            probes=self.probes,
        )
