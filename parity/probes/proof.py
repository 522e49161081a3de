"""Probes a whole port: every layer, then what users call against the layers in a row."""

import secrets
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.kinds.probing import REAL, real
from parity.model import Case
from parity.port_api import Ended, Port, ask, lacking, output, same_bits
from parity.probes.asking import RIGHT, probe_layer
from parity.probes.naming import settle
from parity.probes.networks import asked, layers_of
from parity.recording.trace import Layer, Trace
from parity.results import (
    ALLOWED,
    DRIFTS,
    HELD,
    INCOMPLETE,
    NOT_PROBED,
    TRANSFORM,
    Probed,
    Probes,
    RunVerdict,
)

WHOLE_BATCHES = (1, 2)  # clips of random values that the port is called with as a whole


@dataclass
class Proof:
    """What probes found of one port. call: what is wrong with what users call, or None; seed: of
    the random probes.
    """

    model: str
    seed: int
    layers: dict[str, Probed] = field(default_factory=dict)
    call: str | None = None
    read: dict[str, dict[str, np.ndarray]] = field(default_factory=dict, repr=False)
    printed: str = ""  # by the port

    def summary(self) -> Probes:
        """What the layers add up to."""
        right = [each for each in self.layers.values() if each.verdict in RIGHT]
        exact = [read for each in self.layers.values() for read in each.read if not read.to_u]
        return Probes(
            self.seed,
            len(self.layers),
            len(right),
            sum(each.count for each in exact),
            sum(each.equal for each in exact),
            self.call,
        )

    @property
    def proved(self) -> dict[str, str]:
        """{layer: verdict} of those that compute the original's function wherever asked."""
        return {name: each.verdict for name, each in self.layers.items() if each.verdict in RIGHT}

    @property
    def verdict(self) -> RunVerdict:
        """INCOMPLETE where a layer was not asked: it is not proved."""
        words = {each.verdict for each in self.layers.values()}
        if self.call or words - {*RIGHT, NOT_PROBED}:
            return DRIFTS
        return HELD if words and words <= RIGHT else INCOMPLETE


def fresh_seed() -> int:
    """One that nobody can know beforehand."""
    return secrets.randbits(32)


def probe(
    case: Case,
    port: Port,
    seed: int,
    layers: Mapping[str, Layer] | None = None,
    only: Iterable[str] | None = None,
    recorded: Trace | None = None,
) -> Proof:
    """Ask every layer of `port` that the original has.

    Parameters
    ----------
    case : Case
        The model and its weights; its clips are not read.
    seed : int
        Random probes depend on it and on the weights' digest.
    layers : mapping or None
        What Keras says of the layers, shapes without clips; by default as the project keeps it.
    only : iterable of str or None
        Names of layers; None for all.
    recorded : Trace or None
        An open trace whose arrays random probes are to be like: mean, spread and zeros by channel.
    """
    layers = layers_of(case) if layers is None else layers
    found, names = Proof(case.model.name, seed), None if only is None else set(only)
    for name, layer in layers.items():
        if not layer.inbound or (names is not None and name not in names):
            continue
        found.layers[name] = _layer(case, port, layers, name, found, recorded)
    for name in port.layers:
        if name not in layers:
            found.layers[name] = Probed(NOT_PROBED, f"the original has no layer {name}")
    if names is None and all(name in port.layers for name in found.layers):
        found.call = whole_call(port, layers, seed)
    return found


def _layer(
    case: Case,
    port: Port,
    layers: Mapping[str, Layer],
    name: str,
    found: Proof,
    recorded: Trace | None,
) -> Probed:
    if name not in port.layers:
        return Probed(NOT_PROBED, lacking(port, name))
    try:
        blank = asked(case, layers, name)
    except (CannotRun, ValueError) as error:
        return Probed(NOT_PROBED, str(error))
    if recorded:
        axis = blank.config.get("axis", 2 if blank.x.ndim == 3 else 1)
        blank.facts[REAL] = real(recorded.read(layers[name].inbound[0]), axis)
    # by the layer's name, so that --layer asks the same
    seeds = found.seed, int(case.weights.sha256[:16], 16), zlib.crc32(name.encode())
    rng = np.random.default_rng(seeds)
    layer = probe_layer(port, blank, rng)
    found.read[name] = layer.read
    record = settle(blank, layer)
    if record.verdict == TRANSFORM and name in case.transforms:
        record.verdict = ALLOWED
    return record


def whole_call(port: Port, layers: Mapping[str, Layer], seed: int) -> str | None:
    """Why what users call is not the composition of the layers, on random values; None where it
    is, or where the port has no such call.
    """
    inputs = [layer for layer in layers.values() if not layer.inbound]
    if len(inputs) != 1 or any(len(layer.inbound) > 1 for layer in layers.values()):
        return None
    rng = np.random.default_rng([seed, 1])
    for clips in WHOLE_BATCHES:
        x = rng.standard_normal((clips, *inputs[0].shape), np.float32)
        said = ask("the port, called as a whole,", port, x.copy(), optional=True)
        if said.fault is None and said.actual is None:
            return None
        if said.actual is None:
            return said.fault
        try:
            y: Any = x
            for name in port.layers:
                y = output(port, name, y)
        except Ended:
            raise
        except CannotRun as error:
            return str(error)
        if not same_bits(y, said.actual):
            off = float(np.abs(y - said.actual).max()) if y.shape == said.actual.shape else np.inf
            return (
                "what users call is not the composition of the layers: "
                f"off by up to {off:.2g} on {clips} clips of random values"
            )
    return None
