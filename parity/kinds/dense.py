"""A dense layer and its activation."""

from collections.abc import Iterator

import numpy as np

from parity.kinds.activation import IDEMPOTENT, POINTWISE, instead
from parity.kinds.api import ANY, TRAINING_ONLY, LayerCase, LayerKind, Maker, Refusal, Variant
from parity.kinds.general import bias_times, operands_rounded
from parity.numerics.rounding import FLUSHED, SPREAD, U, tail_factor
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
        1,
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
    "inputs in reversed order": lambda s: s.but(x=s.x[:, ::-1]),
    "inputs one off": lambda s: s.but(x=np.roll(s.x, 1, axis=1)),
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
)
