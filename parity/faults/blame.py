"""Who is blamed for a broken port's drift at the end: each layer's exact share of it, and whether
it rises above rounding there.

The shares are parity.attribution.shares's, and so are the letters. A fault leaves the chain before
its
layer as it was: what the sound port and the original come to is worked out once for a model, and
of a broken port only the layers from its first changed output on are followed.
"""

import itertools
from typing import NamedTuple

import numpy as np

from parity.attribution.explain import LOGITS, SCORES
from parity.attribution.propagate import Carrier
from parity.attribution.shares import added, moved, shares
from parity.compare.measure import mismatch
from parity.compare.walk import CHAINED, walk
from parity.errors import CannotRun
from parity.kinds import oracle
from parity.port_api import answer, ask
from parity.recording.trace import array_sha256

BEFORE = "the input"  # the path that starts before the first layer
SEVERAL, NO_END, BELOW = APART = (
    "several layers",
    "no end",
    "below rounding",
)  # why a fault has no single layer to be blamed


class Broken(Exception):
    """A chain that cannot be followed to the original's end; the message says where and why."""


class Followed(NamedTuple):
    """A port's chain, continued by the oracle from every layer on; deviations from the original's
    recorded end, (B, N) float64.

    changed: the first layer whose output is not the known one, or None; ends: {space: {layer:
    S_k(g_k)}} from there on, layers that only move values left out; drift: {space: D}; final:
    largest difference of the scores.
    """

    changed: str | None
    ends: dict
    drift: dict
    final: float


class SoundChain:
    """The sound port's chain and the original's, continued from every layer on. there: a
    trial.Original.

    parts: {space: {layer: C_k}} of the sound port; final: its largest difference of the scores.
    """

    def __init__(self, there):
        self.there, (*self.inner, self.last) = there, there.layers
        self.carriers = {name: self._carrier(name, there.outputs[name]) for name in there.layers}
        self.last_carriers = {SCORES: self.carriers[self.last]}
        if there.logits is not None:
            self.last_carriers[LOGITS] = self._carrier(self.last, there.logits, activation="linear")
        self.originals, self.ends = (
            self._continue_originals(),
            {space: {} for space in self.last_carriers},
        )
        self.digests = {}  # of the sound port's outputs in its chain
        sound = self.follow(there.port())
        self.parts, self.final = (
            {space: self.divide(sound, space) for space in sound.drift},
            sound.final,
        )
        self.ends = sound.ends

    def follow(self, port):
        """A port, Followed; the first one is taken for the sound one. Raises Broken."""
        changed, is_sound = None, not self.digests
        paths = {BEFORE: None} if is_sound else {}
        for step in walk(self.there, port, (CHAINED,)):
            name, given = step.layer.name, step.chained.x
            actual = self._usable(name, step.chained)
            if name == self.last:
                break
            if (
                actual.shape != self.there.outputs[name].shape
                and given.shape == self.there.input_of(name).shape
            ):
                self._reach_the_end(port, name, actual)
            if is_sound:
                self.digests[name] = array_sha256(actual)
            if changed or is_sound or array_sha256(actual) != self.digests[name]:
                changed, paths = changed or name, self._through(name, paths)
                if not moved(self.there.layers[name], given, actual):
                    paths[name] = _start(actual, self.there.outputs[name])
        return self._at_the_end(port, step.chained, changed, paths)

    def _reach_the_end(self, port, name, x):
        """Run what is behind a layer, only to see that it can be: most outputs of another shape
        fit nothing, and are dear to follow.
        """
        for later in list(self.there.layers)[list(self.there.layers).index(name) + 1 :]:
            x = self._usable(later, answer(port, later, x))

    def divide(self, followed, space):
        """{layer: C_k}, (B, N): what each layer alone adds at the end."""
        unchanged = itertools.takewhile(
            lambda name: name != followed.changed, (BEFORE, *self.inner)
        )
        ends = {
            name: self.ends[space][name] for name in unchanged if name in self.ends[space]
        } | followed.ends[space]
        port, original, gaps = ends[BEFORE], self.originals[space][BEFORE], {}
        for name in self.inner:
            port, original = ends.get(name, port), self.originals[space].get(name, original)
            gaps[name] = port - original
        return added({**gaps, self.last: followed.drift[space]})

    def _carrier(self, name, expected, **config):
        there, layer = self.there, self.there.layers[name]
        layer = layer._replace(config={**layer.config, **config})
        return Carrier(
            layer, there.params.get(name, {}), there.keras, there.input_of(name), expected
        ).errors()

    def _continue_originals(self):
        paths = {BEFORE: None}
        for name in self.inner:
            paths = self._through(name, paths)
            if self.carriers[name].error is not None:
                paths[name] = None
        return self._ended(paths)

    def _through(self, name, paths):
        return {at: _carried(self.carriers[name], deviation) for at, deviation in paths.items()}

    def _ended(self, paths):
        """{space: {path: its end}}."""
        found = {}
        for space, carrier in self.last_carriers.items():
            ends = {
                at: _carried(carrier, None if deviation is None else deviation.copy())
                for at, deviation in paths.items()
            }
            found[space] = {
                at: np.zeros(carrier.expected.shape) if end is None else end.astype(np.float64)
                for at, end in ends.items()
            }
        return found

    def _at_the_end(self, port, scores, changed, paths):
        digest, drift = array_sha256(scores.actual), {}
        if digest != self.digests.setdefault(self.last, digest):
            changed = changed or self.last
        logits = ask("the port's logits", port.logits, *scores.inputs, optional=True)
        sides = {SCORES: scores.actual, LOGITS: logits.actual}
        for space, carrier in self.last_carriers.items():
            if sides[space] is not None and not mismatch(sides[space], carrier.expected):
                drift[space] = np.subtract(sides[space], carrier.expected, dtype=np.float64)
        return Followed(changed, self._ended(paths), drift, float(np.abs(drift[SCORES]).max()))

    def _usable(self, name, answer):
        """The output, or Broken."""
        actual, fault = answer.actual, answer.fault
        if (
            not fault
            and name == self.last
            and (wrong := mismatch(actual, self.there.outputs[name]))
        ):
            fault = f"{name}: {wrong}"
        if not fault and not np.isfinite(actual.sum(dtype=np.float64)):
            fault = f"{name}: NaN or infinite values"
        if fault:
            raise Broken(fault)
        return actual


def _start(actual, expected):
    """The deviation from what was recorded; an output of another shape has none, and stands for
    itself until it fits again.
    """
    return (
        np.subtract(actual, expected)
        if actual.shape == expected.shape
        else actual.astype(np.float64)
    )


def _carried(carrier, deviation):
    """As Carrier.carry, for what `_start` gives. Raises Broken."""
    if deviation is None or deviation.shape == carrier.given.shape:
        return carrier.carry(deviation)
    try:
        out = oracle.value(carrier.layer, carrier.params, deviation, carrier.keras)
    except CannotRun as error:
        raise Broken(str(error)) from error
    return (
        (out - carrier.expected).astype(np.float32) if out.shape == carrier.expected.shape else out
    )


def divided(chain, port):
    """How a port's drift at the end divides among its layers; chain: a SoundChain.

    Returns {changed: its first layer whose output in the chain is not the sound port's, space,
    parts: {layer: C_k}, layers: {layer: {share, energy}}, drift and sound_drift: |D| of this port
    and of the sound one, final and sound_final: their scores' largest difference from the
    original's}. Raises Broken where the chain does not reach the original's end.
    """
    with np.errstate(all="ignore"):  # wrong formulas overflow, which is reported
        followed = chain.follow(port)
        space = LOGITS if LOGITS in followed.drift else SCORES
        parts = chain.divide(followed, space)
        if not all(np.isfinite(part).all() for part in parts.values()):
            raise Broken(
                f"{followed.changed}: the deviation it makes is too large to be followed to the end"
            )
        found = shares(parts, followed.drift[space])
    return {
        "changed": followed.changed,
        "space": space,
        "parts": parts,
        "layers": found["layers"],
        "drift": found["drift"],
        "sound_drift": float(np.linalg.norm(sum(chain.parts[space].values()))),
        "final": followed.final,
        "sound_final": chain.final,
    }


FIELDS = (
    "space",
    "share",
    "energy",
    "blamed_layer",
    "blamed_share",
    "above_rounding",
    "drift",
    "sound_drift",
    "final",
    "sound_final",
    "message",
)


def blame(chain, layer, port):
    """Whose the drift at the end is, of a port broken at `layer`: FIELDS; as of `divided`, and

    share, energy: of that layer; blamed_layer: that of the largest share, blamed_share;
    above_rounding: what the fault changes in the part of the first changed layer k over what
    rounding in all other layers adds, |C'_k - C_k|/sqrt(sum |C_j|^2), j other than
    k, C of the sound port: below 1 the end does not show the fault. Where the chain does not reach
    the end all is None but the message.
    """
    try:
        found = divided(chain, port)
    except Broken as why:
        return {**dict.fromkeys(FIELDS), "message": str(why)}
    changed, parts, each = (found.pop(key) for key in ("changed", "parts", "layers"))
    blamed = max(each, key=lambda name: each[name]["share"]) if found["drift"] else None
    return {
        **found,
        **each[layer],
        "blamed_layer": blamed,
        "blamed_share": blamed and each[blamed]["share"],
        "above_rounding": _above_rounding(parts, chain.parts[found["space"]], changed),
        "message": None,
    }


def _above_rounding(parts, sound, changed):
    if changed is None:
        return 0.0
    rounding = np.sqrt(
        sum(np.square(part).sum() for name, part in sound.items() if name != changed)
    )
    effect = np.linalg.norm(parts[changed] - sound[changed])
    return float(effect / rounding) if rounding else float("inf")
