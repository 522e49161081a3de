"""What a layer kind is: one `LayerKind`, in one file, with one line in `parity.kinds.KINDS`.

To add a kind, write a module that ends in a `LayerKind` and enter that in the package's `KINDS`.
Only `keras_class`, `settings` and one of `move` (a layer that moves or chooses values and rounds
nothing) and `reference` (any other) are needed; the rest says more about the layer:

- `move(config, x)` gives the output in x's own dtype; nothing else has to be written then.
- `reference(case)` gives a `Witness`: blocks of float64 values, each with how far float32 may
  stray from it. Small layers compute theirs at once and return a `Whole`.
- `variants(case)` gives a table {name: maker} of what ports get wrong. A maker takes a `LayerCase`
  and returns another one (`case.but(config=..., params=..., x=...)`), a Witness, or None where it
  does not apply.
- An activation is a row of `parity.kinds.activation.POINTWISE`: value, slope, own rounding, and how
  far it moves when its input does. `POINTWISE[name].of(sums)` applies one to a `Whole` witness of
  sums, as `parity.kinds.dense` does; an entry there, and its name among the settings of the layers
  that may have it, is all that a further activation needs.
- Pooling kinds share `parity.kinds.pooling.windows(config, x)`, one array for each place in a
  window, and `GEOMETRY`, the variants that change where windows lie.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import SimpleNamespace
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.numerics.rounding import Array
from parity.numerics.witness import Moves, Viewed, Witness
from parity.port_api import Port
from parity.results import Estimate, Form

Config = Mapping[str, Any]
Params = Mapping[str, Array]  # Keras suffix -> array
Change = Callable[[Array], Array]
Fit = Callable[[Any], Iterable[Any]]  # see parity.kinds.fitting
Refusal = tuple[str, Callable[[Any, Any], bool]]  # see parity.diagnose.failing

ANY = object()  # a setting whose every value is computed
BASE = dict.fromkeys(("name", "trainable", "batch_input_shape", "input_dtype"), ANY)
TRAINING_ONLY = dict.fromkeys(
    (
        *("init", "inner_init", "momentum", "activity_regularizer", "W_constraint"),
        *("b_constraint", "W_regularizer", "U_regularizer", "b_regularizer"),
        *("gamma_regularizer", "beta_regularizer"),
    ),
    ANY,
)
IMAGE = {"dim_ordering": ("th",)}
# what the axes of an output are in a network of spectrograms, by how many it has
BY_RANK = {
    4: ("clip", "channel", "mel band", "time frame"),
    3: ("clip", "time step", "unit"),
    2: ("clip", "unit"),
}
ELEMENT_COST = 24  # multiply-adds in the time an element-wise layer takes for one element


@dataclass
class LayerCase:
    """One layer on one input: all that a formula may look at.

    layer has .name, .kind and .config; params: Keras suffix -> array; x: the layer's input, or the
    first of several; keras: the version that the original ran on; more: the other inputs, as
    `inbound` has them. A mask that the original's layer reads is its last input, (B, T) bool.
    """

    kind: LayerKind
    layer: Any
    params: Params
    x: Array
    keras: str
    more: tuple[Array, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict, repr=False)  # of the input, found once

    @property
    def config(self) -> dict[str, Any]:
        """The layer's settings, as Keras described them."""
        return self.layer.config

    @cached_property
    def witness(self) -> Witness:
        """The oracle on this input, with its bound. Raises CannotRun for what it does not know."""
        self.kind.check_settings(self.layer)
        with _said_of(self):
            return self.kind.reference(self)

    def value(self) -> Array:
        """The oracle's float64 output, whole."""
        witness = self.witness
        out = np.empty(witness.view)
        with _said_of(self):
            for where in witness.blocks():
                out[where] = witness.value(where)
        return out.reshape(witness.shape)

    def but(
        self,
        config: Config | None = None,
        params: Params | None = None,
        x: Array | None = None,
        keras: str | None = None,
        more: tuple[Array, ...] | None = None,
    ) -> LayerCase:
        """The same layer with some settings, parameters, other inputs or Keras version."""
        settings = {**self.config, **(config or {})}
        ask = None if config or params or keras else getattr(self.layer, "ask", None)
        return replace(
            self,
            layer=SimpleNamespace(
                name=self.layer.name, kind=self.layer.kind, config=settings, ask=ask
            ),
            params={**self.params, **(params or {})},
            x=self.x if x is None else x,
            keras=keras or self.keras,
            more=self.more if more is None else more,
            facts=self.facts if x is None and more is None and not config else {},
        )

    def channels(self, chosen: slice) -> LayerCase:
        """The layer on some channels (axis 1) alone, for kinds that treat each by itself."""
        params = {key: value[chosen] for key, value in self.params.items()}
        x = np.ascontiguousarray(self.x[:, chosen])
        return replace(self, params=params, x=x, facts={})

    def fact(self, name: str, find: Callable[[], Any]) -> Any:
        """What `find` returns, found once for this input and these settings."""
        if name not in self.facts:
            self.facts[name] = find()
        return self.facts[name]

    def parameter(self, suffix: str) -> Array:
        """One parameter in float64; CannotRun names the layer and what the weight file lacks."""
        try:
            return np.asarray(self.params[suffix], np.float64)
        except KeyError:
            raise CannotRun(
                f"layer {self.layer.name} ({self.layer.kind}): the weights hold no "
                f"{self.layer.name}_{suffix}; check the weight file"
            ) from None

    def bias(self, units: int) -> Array:
        """The layer's bias in float64, or zeros where Keras was told to have none."""
        return self.parameter("b") if self.config.get("bias", True) else np.zeros(units)


Variant = LayerCase | Witness | None  # a layer with another formula; None: does not apply
Maker = Callable[[LayerCase], Variant]
Makers = Mapping[str, Maker]


@dataclass(frozen=True)
class Formula:
    """A float64 value and how far float32 may stray from it: an oracle, or a hypothesis."""

    name: str
    make: Maker

    def witness(self, case: LayerCase) -> Witness | None:
        """Its values and bound for this layer; None where it does not apply or does not fit."""
        try:
            made = self.make(case)
            found, own = made.witness if isinstance(made, LayerCase) else made, case.witness
            if found and found.shape == own.shape and found.axis != own.axis:
                return Viewed(found, own.axis)
            return found
        except CannotRun:
            return None


def none(case: LayerCase) -> Any:
    """No variants."""
    return {}


def through_float64(case: LayerCase, d: Array) -> Array:
    """The oracle on both inputs: for layers of few values."""
    near = case.but(x=np.add(case.x, d, dtype=np.float64)).value()
    return (near - case.value()).astype(np.float32)


def by_rank(config: Config, rank: int) -> tuple[str, ...]:
    """The names of an output's axes; none where they are not known."""
    return BY_RANK.get(rank, ())


def elementwise(layer: Any, params: Params) -> int:
    """About how many multiply-adds carrying a deviation through an element-wise layer takes."""
    return int(np.prod(layer.shape)) * ELEMENT_COST


def of_move(case: LayerCase) -> Witness:
    """The reference of a kind that moves values."""
    return Moves(case.kind.move(case.config, case.x))


def move_deviation(case: LayerCase, d: Array) -> Array:
    """The deviation, moved as the values are."""
    return np.ascontiguousarray(case.kind.move(case.config, d))


@dataclass(frozen=True)
class LayerKind:
    """All that is known of one Keras class; see the module's docstring for how to write one.

    Parameters
    ----------
    keras_class : name of the class in Keras 1.
    settings : setting -> the values that `reference` computes, or ANY, or (layer, value) -> None,
        which raises CannotRun for others. They stop the run, or the original is asked.
    move : (config, x) -> output, for a layer that rounds nothing.
    reference : the oracle, a Witness of a LayerCase. By default that of `move`.
    parameters : suffixes of the parameters in the weight file.
    variants : {name: maker} of what ports get wrong in this layer.
    combined : the same, of several faults at once; asked where no single one explains the output.
    fits : groups of fits, which read a hypothesis off the output (see `parity.kinds.fitting`);
        where one group explains it, the next is not asked. None: a gain or an offset of some
        channels, or of all.
    by_shape : fits to an output of another shape.
    refusals : (name, test) of hypotheses that do not fit the layer's shapes; see diagnose.failing.
    propagate : (case, d) -> O(x + d) - O(x), float32; d may be overwritten.
    cost : (layer, params) -> multiply-adds that propagating a deviation takes.
    affine : case -> (x, s, t), the output being s x + t element by element, or None. Given for
        kinds a network may begin with: variants of the network's input are asked of them.
    stated : (seen, names) -> {name: estimate}, of hypotheses that state a constant: what the output
        says it is.
    inspect : (case, output) -> which form of the formula the output shows, or None.
    part : where the microscope's record has what the next two find.
    glance : (case, expected, port) -> (evidence, message), what every run can afford to look at,
        in a type of parity.results; expected: the original's output. Either may be None.
    examine : (case, expected, actual, port) -> evidence, what `parity microscope` looks at.
    caveat : config -> what a verdict on such a layer does not say, or None.
    axes : (config, number of axes) -> what each axis of such an output is, for the reader.
    input_ranks : number of axes its input has in the networks proved so far.
    channelwise : whether it treats each channel (axis 1) by itself.
    passes_on : whether its output is its input.
    beside_activation : whether ports are known to put an activation in its place.
    any_image : whether it treats images of any size alike, so that a small one shows its formula.
    unmoved : case -> whether training never moved what it moves beside weights.
    probes : (case, rng) -> questions whose answers are known; see parity.kinds.probing.
    gates : case -> what the oracle's gates let through, 0 to 1, (B, ...); None where it has none.
    transform : (case, at_most) -> how far an answer may be off, against the output's shape, where
        the layer is computed by way of a transform; at_most: or more, found quickly. None where no
        layer of the kind is.
    """

    keras_class: str
    settings: Mapping[str, Any]
    move: Any = None
    reference: Callable[[LayerCase], Witness] = of_move
    parameters: tuple[str, ...] = ()
    variants: Callable[[LayerCase], Makers] = none
    combined: Callable[[LayerCase], Makers] = none
    fits: tuple[tuple[Fit, ...], ...] | None = None
    by_shape: tuple[Fit, ...] = ()
    refusals: Callable[[LayerCase], Iterable[Refusal]] = none
    propagate: Callable[[LayerCase, Array], Array] | None = None
    cost: Callable[[Any, Params], int] = elementwise
    affine: Any = None
    stated: Callable[[Any, list[str]], Mapping[str, Estimate]] | None = None
    inspect: Callable[[LayerCase, Array], Form | None] | None = None
    part: str = ""
    glance: Callable[[LayerCase, Array, Port], tuple[Any, str | None]] | None = None
    examine: Callable[[LayerCase, Array, Array, Port], Any] | None = None
    caveat: Callable[[Config], str | None] = lambda config: None
    axes: Callable[[Config, int], tuple[str, ...]] = by_rank
    input_ranks: tuple[int, ...] = (4,)
    channelwise: bool = False
    passes_on: bool = False
    beside_activation: bool = False
    any_image: bool = False
    unmoved: Callable[[LayerCase], bool] | None = None
    probes: Callable[[LayerCase, np.random.Generator], Iterator[Any]] | None = None
    gates: Callable[[LayerCase], Array] | None = None
    transform: Callable[[LayerCase, bool], Array] | None = None

    def check_settings(self, layer: Any) -> None:
        """Raise CannotRun, naming layer and setting, for one that `reference` does not compute."""
        known = {**BASE, **self.settings}
        for setting, value in layer.config.items():
            allowed = known.get(setting, ())
            if callable(allowed):
                allowed(layer, value)
            elif allowed is not ANY and value not in allowed:
                raise CannotRun(
                    f"layer {layer.name} ({layer.kind}): the oracle does not compute "
                    f"{setting}={value!r}; "
                    f"it knows {', '.join(map(repr, allowed)) or 'no such setting'}"
                )

    def knows(self, layer: Any) -> bool:
        """Whether `reference` computes all of a layer's settings."""
        try:
            self.check_settings(layer)
        except CannotRun:
            return False
        return True

    def carry(self, case: LayerCase, d: Array) -> Array:
        """O(x + d) - O(x), float32; d may be overwritten."""
        usual = move_deviation if self.move else through_float64
        return (self.propagate or usual)(case, d)


@contextmanager
def _said_of(case: LayerCase) -> Iterator[None]:
    """Turn what NumPy says of shapes that do not fit into CannotRun, naming the layer."""
    try:
        yield
    except (ValueError, IndexError) as error:
        raise CannotRun(
            f"layer {case.layer.name} ({case.layer.kind}): its parameters or settings do not fit "
            f"an input of shape {tuple(case.x.shape)} ({error})"
        ) from error
