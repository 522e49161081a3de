"""Which layer makes a mutant's drift at the end: each layer's exact share of it, and whether the
mutant rises above rounding there.

The shares and the letters are those of parity.attribution.shares. A mutant's chain is the sound
port's up to the first layer that it changes, so that much is worked out once for a model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Annotated

import numpy as np

from parity.attribution.explain import LOGITS, SCORES, Space
from parity.attribution.propagate import Carrier
from parity.attribution.shares import Part, added, moved, shares
from parity.compare.tally import mismatch
from parity.compare.walk import CHAINED, Step
from parity.errors import CannotRun
from parity.port_api import Port, ask
from parity.results import Size, Text
from parity.schema import Says

NotNegative = Annotated[float | None, Says(minimum=0)]
INPUT = "the input"  # the path that starts before the first layer


class Broken(Exception):
    """A chain that does not reach the original's end; the message says where and why."""


@dataclass
class Division:
    """How a port's drift at the end divides among its layers.

    changed: its first layer whose output in the chain is not the sound port's; parts: {layer:
    C_k}, (B, N) float64; layers: {layer: {share, energy}}; drift: |D|; final: largest difference
    of the scores from the original's; both of the sound port too.
    """

    changed: str | None
    space: Space
    parts: dict[str, np.ndarray]
    layers: Mapping[str, Part]
    drift: float | None
    sound_drift: float
    final: float
    sound_final: float


@dataclass
class Attribution:
    """Who is blamed for a mutant's drift at the end; all None but the message without an end.

    share, energy: of the planted layer; above_rounding: what the mutant changes in the part of the
    first changed layer k over what rounding adds in all others, |C'_k - C_k|/sqrt(sum |C_j|^2), j
    other than k, C of the sound port: below 1 the end does not show the mutant.
    """

    space: Space | None = None
    share: float | None = None
    energy: NotNegative = None
    blamed_layer: Text | None = None
    blamed_share: float | None = None
    above_rounding: Size = None
    drift: NotNegative = None
    sound_drift: NotNegative = None
    final: NotNegative = None
    sound_final: NotNegative = None
    message: str | None = None


@dataclass
class Chain:
    """A port's chain, as it is walked: where it leaves the sound port's, each later layer's
    deviation from the original, and the end; or why it breaks.
    """

    port: Port
    last: str
    changed: str | None = None
    starts: dict[str, np.ndarray] = field(default_factory=dict)
    end: dict[str, np.ndarray | None] = field(default_factory=dict)  # by space
    broken: str | None = None

    def follow(self, step: Step) -> None:
        """Take in one layer."""
        name, said = step.layer.name, step.chained
        self.broken = self.broken or _unusable(step, name == self.last)
        if self.broken or said.actual is None:
            self.starts.clear()
            return
        if not self.changed and CHAINED not in step.unchanged:
            self.changed = name
        if name == self.last:
            logits = ask("the port's logits", self.port.logits, *said.inputs, optional=True).actual
            self.end = {SCORES: said.actual, LOGITS: logits}
        elif self.changed and not moved(step.layer, said.inputs[0], said.actual):
            self.starts[name] = _deviation(said.actual, step.expected)


def _deviation(actual, expected):
    """From the original. An output of another shape deviates from nothing, and stands for itself
    until it fits again.
    """
    return actual - expected if actual.shape == expected.shape else actual.astype(np.float64)


def _unusable(step, is_last):
    actual = step.chained.actual
    if actual is None:
        return step.chained.fault
    why = mismatch(actual, step.expected) if is_last else ""
    if not why and not np.isfinite(actual.sum(dtype=np.float64)):
        why = "NaN or infinite values"
    return f"{step.layer.name}: {why}" if why else None


class SoundEnd:
    """The sound port's drift at the end, divided; it divides its mutants' drift.

    original: a trial.Original; chain: the sound port's, walked. parts: {space: {layer: C_k}}.
    """

    def __init__(self, original, chain: Chain):
        self.original, (*self.inner, self.last) = original, original.layers
        self.carriers = {name: self._carrier(name, original.read(name)) for name in original.layers}
        self.carriers_to = {SCORES: self.carriers[self.last]}
        if original.logits is not None:
            to_logits = self._carrier(self.last, original.logits, activation="linear")
            self.carriers_to[LOGITS] = to_logits
        rounding = [name for name in self.inner if self.carriers[name].error is not None]
        self.originals = self._ends(dict.fromkeys((INPUT, *rounding)), self.carriers_to)
        drift = self._drift(chain)
        self.ends = self._ends(chain.starts, drift)
        self.parts = {space: self._parts(self.ends[space], drift[space], space) for space in drift}
        self.final = float(np.abs(drift[SCORES]).max())

    def divide(self, chain: Chain) -> Division:
        """The drift of a mutant, from its chain. Raises Broken."""
        if chain.broken:
            raise Broken(chain.broken)
        with np.errstate(all="ignore"):  # wrong formulas overflow, which is reported
            drift = self._drift(chain)
            space = LOGITS if LOGITS in drift else SCORES
            known = set(takewhile(lambda name: name != chain.changed, self.inner))
            ends = {name: end for name, end in self.ends[space].items() if name in known}
            ends |= self._ends(chain.starts, [space])[space]
            parts = self._parts(ends, drift[space], space)
            if not all(np.isfinite(part).all() for part in parts.values()):
                raise Broken(
                    f"{chain.changed}: the deviation it makes is too large to be followed to the "
                    "end"
                )
            found = shares(parts, drift[space])
        return Division(
            chain.changed,
            space,
            parts,
            found.layers,
            found.drift,
            float(np.linalg.norm(sum(self.parts[space].values()))),
            float(np.abs(drift[SCORES]).max()),
            self.final,
        )

    def attribute(self, chain: Chain, layer: str) -> Attribution:
        """Who is blamed for the drift of a mutant broken at `layer`."""
        try:
            found = self.divide(chain)
        except Broken as why:
            return Attribution(message=str(why))
        by_share = {name: part.share for name, part in found.layers.items()}
        blamed = max(by_share, key=lambda name: by_share[name] or 0.0) if found.drift else None
        return Attribution(
            found.space,
            **found.layers[layer]._asdict(),
            blamed_layer=blamed,
            blamed_share=by_share[blamed] if blamed else None,
            above_rounding=self._above_rounding(found),
            drift=found.drift,
            sound_drift=found.sound_drift,
            final=found.final,
            sound_final=found.sound_final,
        )

    def _above_rounding(self, found):
        if found.changed is None:
            return 0.0
        sound = self.parts[found.space]
        others = [part for name, part in sound.items() if name != found.changed]
        rounding = np.sqrt(sum(np.square(part).sum() for part in others))
        effect = np.linalg.norm(found.parts[found.changed] - sound[found.changed])
        return float(effect / rounding) if rounding else float("inf")

    def _carrier(self, name, expected, **config):
        original, layer = self.original, self.original.layers[name]
        layer = layer._replace(config={**layer.config, **config})
        params = original.params.get(name, {})
        return Carrier(layer, params, original.keras, original.input_of(name), expected).errors()

    def _ends(self, starts, spaces):
        """{space: {layer: end}}: what the oracle makes of deviations, {layer after which: one},
        which are used up.
        """
        paths = {INPUT: starts[INPUT]} if INPUT in starts else {}
        for name in self.inner:
            paths = {at: _carried(self.carriers[name], d) for at, d in paths.items()}
            if name in starts:
                paths[name] = starts.pop(name)
        return {
            space: {at: self._ended(self.carriers_to[space], d) for at, d in paths.items()}
            for space in spaces
        }

    @staticmethod
    def _ended(carrier, deviation):
        end = _carried(carrier, None if deviation is None else deviation.copy())
        return np.zeros(carrier.expected.shape) if end is None else end.astype(np.float64)

    def _drift(self, chain):
        """{space: D} of the spaces that the port gives."""
        return {
            space: np.subtract(chain.end[space], carrier.expected, dtype=np.float64)
            for space, carrier in self.carriers_to.items()
            if chain.end[space] is not None and not mismatch(chain.end[space], carrier.expected)
        }

    def _parts(self, ends, drift, space):
        """{layer: C_k}, (B, N): what each layer alone adds at the end."""
        original, gaps = self.originals[space][INPUT], {}
        port = original
        for name in self.inner:
            port, original = ends.get(name, port), self.originals[space].get(name, original)
            gaps[name] = port - original
        return added({**gaps, self.last: drift})


def _carried(carrier, deviation):
    """As Carrier.carry, for what `_deviation` gives. Raises Broken."""
    if deviation is None or deviation.shape == carrier.given.shape:
        return carrier.carry(deviation)
    try:
        out = carrier.case.but(x=deviation).value()
    except CannotRun as error:
        raise Broken(str(error)) from error
    deviation = _deviation(out, carrier.expected)
    return deviation.astype(np.float32) if out.shape == carrier.expected.shape else deviation
