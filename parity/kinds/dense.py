"""A dense layer and its activation."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np

from parity.errors import CannotRun
from parity.kinds.activation import IDEMPOTENT, POINTWISE, form_of_sigmoid, instead
from parity.kinds.api import ANY, TRAINING_ONLY, LayerCase, LayerKind, Maker, Refusal, Variant
from parity.kinds.general import bias_times, operands_rounded
from parity.kinds.probing import (
    Probe,
    Reading,
    at_every_step,
    batches,
    noise,
    of_witness,
    random_probe,
)
from parity.numerics.rounding import FLUSHED, SPREAD, Array, U, tail_factor
from parity.numerics.witness import Whole


def sums(case: LayerCase) -> Whole:
    """x W + b, before the activation, with the bound of a convolution's sums."""
    weights, wide = case.parameter("W"), case.x.astype(np.float64)
    bias = case.bias(weights.shape[1])
    out = wide @ weights + bias
    n, lam = len(weights) + 1, tail_factor(out.size)
    terms2 = np.square(wide) @ np.square(weights) + np.square(bias)
    certain = n * (U * (np.abs(wide) @ np.abs(weights) + np.abs(bias)) + FLUSHED)
    deviation = U * np.sqrt((n / 3 + 1) * np.square(out) + (n / 6 + 1) * terms2)
    return Whole(
        out.ndim - 1,
        out,
        np.square(lam * deviation + n * FLUSHED),
        np.square(SPREAD * deviation) + FLUSHED**2,
        np.square(certain),
        2 * np.square(SPREAD) * terms2 + FLUSHED**2,
    )


def _activation(case: LayerCase) -> str:
    return case.config.get("activation", "linear")


def _reference(case: LayerCase) -> Whole:
    return POINTWISE[_activation(case)].of(sums(case))


def _activated_twice(case: LayerCase) -> Whole:
    return POINTWISE[_activation(case)].of(_reference(case))


def _transposed(s: LayerCase) -> Variant:
    """Where it is not square, W.T's values fill W's shape row by row: else it would not fit."""
    return s.but(params={"W": s.params["W"].T.reshape(s.params["W"].shape)})


def _read_by_units(s: LayerCase) -> Variant:
    """The file's bytes taken for a matrix (units, inputs), as Chainer and PyTorch have it."""
    rows, columns = s.params["W"].shape
    return s.but(params={"W": s.params["W"].reshape(columns, rows).T}) if rows != columns else None


SUMS: dict[str, Maker] = {
    "matrix transposed": _transposed,
    "matrix read as units by inputs": _read_by_units,
    "bias left out": bias_times(0),
    "bias added twice": bias_times(2),
}
INPUTS: dict[str, Maker] = {
    "inputs in reversed order": lambda s: s.but(x=s.x[..., ::-1]),
    "inputs one off": lambda s: s.but(x=np.roll(s.x, 1, axis=-1)),
    **operands_rounded(),
}


def _variants(case: LayerCase) -> dict[str, Maker]:
    own = _activation(case)
    table = instead(own, lambda s, activation: activation.of(sums(s)))
    if own not in IDEMPOTENT:
        table[f"{own.replace('_', ' ')} applied twice"] = _activated_twice
    return {**SUMS, **table, **INPUTS}


def _refusals(case: LayerCase) -> Iterator[Refusal]:
    inputs, units = case.params["W"].shape
    if inputs != units:
        yield "matrix transposed", lambda clashes, shapes: frozenset((inputs, units)) in clashes


SIZE = 2.0**64  # lifts a weight of 2^-40 above the bias' rounding: answer / SIZE is the weight
LEVELS = 2.0 ** np.arange(-2, 15, 2)  # of inputs whose scores are off saturation, for some weights
CLOSE = 8.0  # u
BELOW_BIAS = "the bias hides them, even of an input of 2^64"
FLAT = "no input leaves their score off saturation"
NOISE = 256  # rows of random values: more than PER_SLICE for each unit


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Unit vectors and nothing through the sums, unit vectors of many sizes through the scores; the
    same at every step of a sequence.
    """
    if case.x.ndim > 3:
        raise CannotRun(f"it reads {case.x.ndim} axes, and is asked of 2 or 3")
    if case.x.ndim == 3:
        yield random_probe(case, noise(case, rng), "random steps")
        for probe in probes(case.but(x=case.x[:, 0]), rng):
            if probe.of == "run":
                yield at_every_step(probe, case.params["W"].shape[1:], case.x.shape[1])
        return
    weights = case.parameter("W")
    linear = _activation(case) == "linear"
    x = noise(case, rng, NOISE, centred=True)
    yield random_probe(case, x, slices=linear)
    of_sums = case.but(config={"activation": "linear"})
    for probe in _sums_probes(of_sums, x):
        yield probe if linear else replace(probe, of="logits")
    if not linear:
        yield from _scores_probes(case, weights)


def _sums_probes(case: LayerCase, values: Array) -> Iterator[Probe]:
    weights, bias = case.parameter("W"), case.bias(case.parameter("W").shape[1])
    size = np.where(np.arange(len(weights)) % 2, -SIZE, SIZE)[:, None]
    for part in batches(len(weights)):
        x = (np.eye(len(weights))[part] * size[part]).astype(np.float32)
        right = (weights[part] * size[part] + bias).astype(np.float32)
        read = _weights_read(part, right, size[part], weights)
        yield Probe("unit vectors of 2^64", x, right, right, slack=2.0, read=read)
    nothing = np.zeros((2, len(weights)), np.float32)
    right = np.broadcast_to(bias.astype(np.float32), (2, len(bias)))
    yield Probe(
        "nothing", nothing, right, right, read=lambda answer: iter([_bias_read(answer, bias)])
    )
    yield random_probe(case, values, slices=True)


def _bias_read(answer: Array, bias: Array) -> Reading:
    return Reading("b", ..., answer[0], bias)


def _weights_read(
    part: slice, right: Array, size: Array, weights: Array
) -> Callable[[Array], Iterator[Reading]]:
    def read(answer: Array) -> Iterator[Reading]:
        shown = right / size
        seen = shown == weights[part]
        yield Reading(
            "W", part, answer / size, shown, seen=seen, whole=weights.shape, hidden=BELOW_BIAS
        )

    return read


def _scores_probes(case: LayerCase, weights: Array) -> Iterator[Probe]:
    """Unit vectors of one size after another; each weight is read where its sum is nearest to 1,
    from how far the score is off, by the activation's slope there.
    """
    off = np.abs(np.log2(np.abs(weights)[None] * LEVELS[:, None, None] + FLUSHED))
    best, pointwise = off.argmin(axis=0), POINTWISE[_activation(case)]
    for level, size in enumerate(LEVELS):
        x = (np.eye(len(weights)) * size).astype(np.float32)
        probe = of_witness("unit vectors of 2^-2 to 2^14", case, x)
        if not pointwise.along_last:
            sums = weights * size + case.bias(weights.shape[1])
            expected = pointwise.value(sums)
            slope = np.abs(pointwise.slope(sums, expected)) * size
            off = probe.high.astype(np.float64) - probe.low
            read = _read_by_scores(expected, slope, off / 2, weights, best == level)
            by_tanh = _activation(case) == "sigmoid"
            says = partial(form_of_sigmoid, sums) if by_tanh else None
            probe = replace(probe, read=read, says=says)
        yield probe


def _read_by_scores(
    expected: Array, slope: Array, off: Array, weights: Array, here: Array
) -> Callable[[Array], Iterator[Reading]]:
    def read(answer: Array) -> Iterator[Reading]:
        with np.errstate(divide="ignore", invalid="ignore"):
            value = weights + (answer - expected) / slope
            allowed = off / slope
        seen = here & (allowed < np.abs(weights))
        yield Reading("W by its scores", ..., value, weights, allowed, seen, to=CLOSE, hidden=FLAT)

    return read


DENSE = LayerKind(
    "Dense",
    {
        **TRAINING_ONLY,
        **dict.fromkeys(("output_dim", "input_dim"), ANY),
        "bias": (True, False),
        "activation": tuple(POINTWISE),
    },
    reference=_reference,
    parameters=("W", "b"),
    variants=_variants,
    refusals=_refusals,
    input_ranks=(2,),
    probes=probes,
)
# the same in each 1.x release; from 1.2.0 on Keras's Dense takes sequences itself
TIME_DISTRIBUTED_DENSE = replace(
    DENSE,
    keras_class="TimeDistributedDense",
    settings={**DENSE.settings, "input_length": ANY},
    input_ranks=(3,),
)
