"""Explains a model's final drift while it is compared: which layer made it, and how much of it
rounding can account for.

Both questions carry deviations from the original's recorded chain through the same oracle layers
(parity.attribution.propagate), so they are answered in one pass, layer by layer, beside the
comparison.
"""

import numpy as np

from parity.attribution.propagate import Carrier
from parity.attribution.shares import Paths, Plain, attribute
from parity.compare.measure import mismatch
from parity.compare.walk import network_order
from parity.kinds import activation, costs
from parity.kinds.activation import POINTWISE
from parity.numerics.closeness import closeness
from parity.numerics.montecarlo import Samples, deviation, sample_counts
from parity.numerics.rounding import tail_factor
from parity.port_api import Answer, ask
from parity.results import Ends

LOGITS, SCORES = "logits", "scores"
NO_LOGITS = "the port does not give its logits, so the drift is attributed in the scores"


class Explanation:
    """What is being found out about one model. Call `follow` with every step of a walk, in order,
    then `findings`.

    reference: the open trace; params: layer name -> {suffix: array}; keras: version; port: a
    port_api.Port. Where it gives its logits the drift is attributed there ("logits", as the
    original's are recorded), else in the scores. logit(score) is no substitute: near 0 and 1 it
    multiplies the score's own rounding by 1/(y(1-y)).
    """

    def __init__(self, reference, params, keras, port):
        names = network_order(reference)
        self.reference, self.params, self.keras, self.port, self.last = (
            reference,
            params,
            keras,
            port,
            names[-1],
        )
        layers = [reference.layers[name] for name in names]
        self.paths, self.samples, self.plain = (
            Paths(),
            Samples(sample_counts(costs(layers, params))),
            Plain(layers, params),
        )
        self.space, self.broken, self.note = SCORES, None, None

    def carrier(self, step):
        """The Carrier of a step's layer: feed its `observe` with the blocks of that layer's
        witness, or call its `run`.
        """
        return Carrier(
            step.layer, self.params.get(step.layer.name, {}), self.keras, step.x, step.expected
        )

    def follow(self, step, carrier, scale=1.0):
        """Take in one layer. carrier: from `carrier`, observed; scale: the layer's q where it
        rounds more than expected.
        """
        with np.errstate(all="ignore"):  # a chain with NaN or infinities is reported as broken
            if step.layer.name == self.last:
                self._finish(step, carrier, scale)
                return
            self._advance(carrier, step.chained)
            self.samples.carry(carrier)
            self.samples.disturb(carrier, self.paths.deviations["oracle"], scale)

    def findings(self):
        """What was found; call it after the last layer.

        space: "logits" or "scores"; message: why nothing, or nothing at the logits, could be
        attributed, or None;
        attribution: as attribution.attribute gives it, or None; logits: {oracle, expected, actual
        (None where the port gives none), sd, sd_error}, each (B, N) float64; ends: as `at_the_end`
        gives it, None without the port's logits.
        """
        if not self.broken:
            self.plain.check(self.paths, self.ends[1].astype(np.float64))
        attribution = None if self.broken else attribute(self.paths, *self.ends)
        sigmoid = self.reference.layers[self.last].config.get("activation") == "sigmoid"
        ends = None if self.logits["actual"] is None else at_the_end(self.logits, sigmoid)
        return {
            "space": self.space,
            "message": self.broken or self.note,
            "attribution": attribution,
            "logits": self.logits,
            "ends": ends,
        }

    def _advance(self, carrier, side):
        self.broken = self.broken or _unusable(carrier, side)
        if self.broken:
            self.paths.abandon()
        self.paths.carry(carrier)
        if not self.broken:
            self.paths.join(carrier, side.x, side.actual)
            self.plain.follow(carrier, side.actual, self.paths)

    def _finish(self, step, carrier, scale):
        """The last layer: the samples end at the logits, the paths too where both sides give
        theirs.
        """
        at_logits = self._at_logits(step, carrier)
        oracle_end = _moved_on(at_logits, self.paths.deviations["oracle"])
        self.samples.carry(at_logits)
        own = (
            0.0
            if at_logits.sigma is None
            else np.square(scale * at_logits.sigma.astype(np.float64))
        )
        sd, sd_error = deviation(self.samples.variances(oracle_end), own)
        side, actual = step.chained, self._port_logits(step, at_logits)
        if actual is not None:
            self.space, carrier, side = LOGITS, at_logits, side._replace(actual=actual)
        self._advance(carrier, side)
        self.ends = side.actual, carrier.expected
        expected = at_logits.expected.astype(np.float64)
        self.logits = {
            "oracle": expected + oracle_end,
            "expected": expected,
            "sd": sd,
            "sd_error": sd_error,
            "actual": None if actual is None else actual.astype(np.float64),
        }

    def _at_logits(self, step, carrier):
        """The last layer's carrier before its sigmoid; the given one where it has none."""
        if step.layer.config.get("activation", "linear") == "linear":
            return carrier
        layer = step.layer._replace(config={**step.layer.config, "activation": "linear"})
        return self.carrier(
            step._replace(layer=layer, expected=self.reference.read_pre_activation(layer.name))
        ).run()

    def _port_logits(self, step, at_logits):
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


def _not_of_its_scores(activation, logits, scores):
    """Why a port's logits cannot stand for its scores, or None; NaN stands for nothing."""
    sums = logits.astype(np.float64)
    exact = POINTWISE[activation].value(sums)
    if scores.shape == sums.shape:
        gap = np.abs(exact - scores)
        if (gap <= POINTWISE[activation].own(sums, exact)).all():
            return None
        away = f"up to {gap.max():.2g} away from"
    else:
        away = "of another shape than"
    return (
        f"the port's scores are {away} the {activation} of what it gives as its logits, so the "
        "drift is attributed in the scores"
    )


def _unusable(carrier, side):
    """Why the port's chain cannot be followed through a layer, or None."""
    if side.actual is None:
        return side.fault
    fault = mismatch(side.actual, carrier.expected)
    if not fault and not np.isfinite(
        side.actual.sum(dtype=np.float64) + carrier.expected.sum(dtype=np.float64)
    ):
        fault = "NaN or infinite values"
    return f"{carrier.layer.name}: {fault}" if fault else None


def _moved_on(carrier, deviation_before):
    end = carrier.carry(None if deviation_before is None else deviation_before.copy())
    return np.zeros(carrier.expected.shape) if end is None else end.astype(np.float64)


def at_the_end(logits, sigmoid=False):
    """Whether rounding can account for the logits' drift; sigmoid: whether the scores are their
    sigmoid.

    ratio: largest |actual - expected|/(2 lam sd), holds: ratio <= 1; allowed: the largest
    difference of two float32 runs' scores that rounding explains; z_port, z_reference: rms of
    (logit - oracle)/sd, about 0.5 for clean code (sigma counts one accumulator, libraries use
    several); closeness: closeness.closeness over the logits. Where it does not hold though every
    layer does, a layer was not recorded or an input was not the same.
    """
    port, reference = (logits[side] - logits["oracle"] for side in ("actual", "expected"))
    drift, sd = np.abs(logits["actual"] - logits["expected"]), logits["sd"]
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = float(np.max(np.where(drift == 0, 0.0, drift / (2 * tail_factor(sd.size) * sd))))
        z_port, z_reference = (
            float(np.sqrt(np.mean(np.square(error / sd)))) for error in (port, reference)
        )
    allowed = 2 * tail_factor(sd.size) * sd
    if sigmoid:
        scores = activation.sigmoid(logits["oracle"])
        allowed = scores * (1 - scores) * np.expm1(allowed) + 2 * activation.sigmoid_rounding(
            logits["oracle"], scores
        )
    closer = closeness(np.square(port).sum(axis=0), np.square(reference).sum(axis=0))
    return Ends(ratio, bool(ratio <= 1), float(allowed.max()), z_port, z_reference, closer)
