"""Explains a model's final drift while it is compared: which layer made it, and how much of it
rounding can account for.

Both questions carry deviations from the original's recorded chain through the same oracle layers
(parity.attribution.propagate), so they are answered in one pass, layer by layer, beside the
comparison.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np

from parity.attribution.propagate import Carrier
from parity.attribution.sampled import Sampled, at_logits, moved_on, sampled
from parity.attribution.shares import NO_SHARES, Part, Paths, Plain, attribute
from parity.compare.tally import mismatch
from parity.compare.walk import Step, network_order
from parity.kinds.activation import POINTWISE, sigmoid, sigmoid_rounding
from parity.numerics.closeness import closeness
from parity.numerics.rounding import tail_factor
from parity.port_api import Answer, Port, ask
from parity.recording.trace import Trace
from parity.results import Attribution, Ends

Space = Literal["logits", "scores"]
LOGITS: Space = "logits"
SCORES: Space = "scores"
NO_LOGITS = "the port does not give its logits, so the drift is attributed in the scores"


@dataclass
class Logits:
    """The sums before the last activation, each (B, N) float64; actual: None where the port gives
    none; sd: of each logit by rounding, sd_error: its relative standard error.
    """

    oracle: np.ndarray
    expected: np.ndarray
    actual: np.ndarray | None
    sd: np.ndarray
    sd_error: np.ndarray


class Findings(NamedTuple):
    """What explains a model's drift; layers: empty where it could not be attributed; rounding:
    {layer: the rms that rounding up to there may part two float32 runs by}.
    """

    attribution: Attribution
    layers: Mapping[str, Part]
    logits: Logits
    rounding: Mapping[str, float]


class Explanation:
    """What is being found out about one model. Call `follow` with every step of a walk, in order,
    then `findings`.

    reference: the open trace; params: layer name -> {suffix: array}; keras: version; rounding: what
    `sampled` finds for the layers' scales. Where the port gives its logits the drift is attributed
    there ("logits", as the original's are recorded), else in the scores. logit(score) is no
    substitute: near 0 and 1 it multiplies the score's own rounding by 1/(y(1-y)).
    """

    def __init__(
        self,
        reference: Trace,
        params: Mapping[str, Mapping[str, np.ndarray]],
        keras: str,
        port: Port,
        rounding: Callable[[Mapping[str, float]], Sampled] | None = None,
    ) -> None:
        self.sampled = rounding or partial(sampled, reference, params, keras)
        self.reference, self.params, self.keras, self.port = reference, params, keras, port
        layers = [reference.layers[name] for name in network_order(reference)]
        self.last, self.paths, self.plain = layers[-1], Paths(), Plain(layers, params)
        self.space: Space = SCORES
        self.broken: str | None = None
        self.note: str | None = None
        self.scales: dict[str, float] = {}
        self.rounding: Mapping[str, float] = {}

    def carrier(self, step: Step) -> Carrier:
        """The Carrier of a step's layer: feed its `observe` with the blocks of that layer's
        witness, or call its `run`.
        """
        own = self.params.get(step.layer.name, {})
        return Carrier(step.layer, own, self.keras, step.x, step.expected)

    def follow(self, step: Step, carrier: Carrier, scale: float = 1.0) -> None:
        """Take in one layer. carrier: from `carrier`, observed; scale: the layer's q where it
        rounds more than expected.
        """
        if scale != 1:
            self.scales[step.layer.name] = scale
        with np.errstate(all="ignore"):  # a chain with NaN or infinities is reported as broken
            if step.layer.name == self.last.name:
                self._finish(step, carrier)
            else:
                self._advance(carrier, step.chained)

    def findings(self) -> Findings:
        """What was found; call it after the last layer."""
        logits, found = self.logits, NO_SHARES
        if not self.broken:
            self.plain.check(self.paths, self.ends[1].astype(np.float64))
            found = attribute(self.paths, *self.ends)
        ends = None
        if logits.actual is not None:
            ends = at_the_end(logits, self.last.config.get("activation") == "sigmoid")
        message = self.broken or self.note
        whole = Attribution(self.space, message, found.drift, found.closure, ends)
        return Findings(whole, found.layers, logits, self.rounding)

    def _advance(self, carrier: Carrier, side: Answer) -> None:
        self.broken = self.broken or _unusable(carrier, side)
        if self.broken:
            self.paths.abandon()
        self.paths.carry(carrier)
        if not self.broken:
            actual: Any = side.actual
            self.paths.join(carrier, side.x, actual)
            self.plain.follow(carrier, actual, self.paths)

    def _finish(self, step: Step, carrier: Carrier) -> None:
        """The last layer: the paths end at the logits, where both sides give theirs."""
        own = self.params.get(step.layer.name, {})
        logits = at_logits(self.reference, carrier, own, self.keras)
        oracle_end = moved_on(logits, self.paths.deviations["oracle"])
        self.rounding, sd, sd_error = self.sampled(self.scales)
        side, actual = step.chained, self._port_logits(step, logits)
        if actual is not None:
            self.space, carrier, side = LOGITS, logits, side._replace(actual=actual)
            actual = actual.astype(np.float64)
        self._advance(carrier, side)
        self.ends: Any = (side.actual, carrier.expected)
        expected = logits.expected.astype(np.float64)
        self.logits = Logits(expected + oracle_end, expected, actual, sd, sd_error)

    def _port_logits(self, step: Step, at_logits: Carrier) -> np.ndarray | None:
        """The port's own sums before the activation, or None, and then `note` says why."""
        side = step.chained
        if at_logits.layer is step.layer:  # no activation: the scores are the logits
            said = side
        elif self.broken or side.actual is None:
            said = Answer((), None)
        else:
            said = ask("the port's logits", self.port.logits, *side.inputs, optional=True)
        if said.actual is None:
            self.note = said.fault or NO_LOGITS
            return None
        self.note = mismatch(said.actual, at_logits.expected) or None
        if not self.note and said is not side:
            name = step.layer.config["activation"]
            self.note = _not_of_its_scores(name, said.actual, side.actual)
        return None if self.note else said.actual


def _not_of_its_scores(activation: str, logits: np.ndarray, scores: Any) -> str | None:
    """Why a port's logits cannot stand for its scores, or None; NaN stands for nothing."""
    sums = logits.astype(np.float64)
    exact = POINTWISE[activation].value(sums)
    away = "of another shape than"
    if scores.shape == sums.shape:
        gap = np.abs(exact - scores)
        if (gap <= POINTWISE[activation].own(sums, exact)).all():
            return None
        away = f"up to {gap.max():.2g} away from"
    return (
        f"the port's scores are {away} the {activation} of what it gives as its logits, so the "
        "drift is attributed in the scores"
    )


def _unusable(carrier: Carrier, side: Answer) -> str | None:
    """Why the port's chain cannot be followed through a layer, or None."""
    actual, expected = side.actual, carrier.expected
    if actual is None:
        return side.fault
    fault = mismatch(actual, expected)
    if not fault and not np.isfinite(actual.sum(dtype="f8") + expected.sum(dtype="f8")):
        fault = "NaN or infinite values"
    return f"{carrier.layer.name}: {fault}" if fault else None


def at_the_end(logits: Logits, of_sigmoid: bool = False) -> Ends:
    """Whether rounding can account for the logits' drift; of_sigmoid: whether the scores are their
    sigmoid.

    ratio is the largest |actual - expected|/(2 lam sd). z is about 0.5 for clean code: sigma counts
    one accumulator, libraries use several. Where it does not hold though every layer does, a layer
    was not recorded or an input was not the same.
    """
    sd, allowed = logits.sd, 2 * tail_factor(logits.sd.size) * logits.sd
    port, reference = logits.actual - logits.oracle, logits.expected - logits.oracle
    drift = np.abs(logits.actual - logits.expected)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.max(np.where(drift == 0, 0.0, drift / allowed)))
        z_port, z_reference = (
            float(np.sqrt(np.mean(np.square(error / sd)))) for error in (port, reference)
        )
    if of_sigmoid:
        scores = sigmoid(logits.oracle)
        own = sigmoid_rounding(logits.oracle, scores)
        allowed = scores * (1 - scores) * np.expm1(allowed) + 2 * own
    closer = closeness(np.square(port).sum(axis=0), np.square(reference).sum(axis=0))
    return Ends(ratio, bool(ratio <= 1), float(allowed.max()), z_port, z_reference, closer)
