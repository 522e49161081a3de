"""ELU (Keras 1 advanced_activations.py): its variants, and which exponential an output shows."""

from collections.abc import Iterator
from functools import partial

import numpy as np

from parity.kinds.activation import sigmoid
from parity.kinds.api import ANY, LayerCase, LayerKind, Maker
from parity.kinds.fitting import Proposal, Seen, estimate
from parity.kinds.pooling import pooled_instead
from parity.kinds.probing import Probe, magnitudes, of_table
from parity.kinds.rectifiers import LEAKY, Elu, Leaky, elu
from parity.numerics.rounding import Array
from parity.numerics.witness import Mapped, Witness
from parity.results import Form

SMALL = 2.0**-10  # below it d + d^2/2 is expm1(d) to d^2/6 = 1.6e-7 of itself
SELU = 1.0507009873554805, 1.6732632423543772  # scale, alpha: Klambauer et al. 2017
EXPM1_SINCE, LATER_FORM = (1, 1, 1), "expm1(x)"  # K.elu became T.nnet.elu (Keras 1.1.1)
LN2 = 0.6931471805599453
LATTICE_ENOUGH = 2**20  # values that show which exponential was taken


def _propagate(case: LayerCase, d: Array) -> Array:
    """p + alpha e^min(a,0) expm1(d - p), where p = max(a+d, 0) - max(a, 0) = max(d, -a) + min(a,
    0).
    """
    alpha = np.float32(case.config["alpha"])
    judge = Witness(d.shape, min(1, d.ndim - 1))
    a, out = np.ascontiguousarray(case.x).reshape(judge.view), d.reshape(judge.view)
    for where in judge.blocks():
        part, negative = out[where], np.minimum(a[where], 0)
        positive = np.maximum(part, -a[where]) + negative
        part -= positive  # min(a+d, 0) - min(a, 0)
        exp_change(negative, part)
        part *= alpha
        part += positive
    return d


def exp_change(x: Array, d: Array) -> None:
    """d becomes e^(x+d) - e^x = e^x expm1(d), for x and x + d up to 0; x may be overwritten."""
    largest = d.max()
    if largest > 1:  # expm1 may overflow, and where d is large nothing cancels
        before, far = np.exp(x), np.exp(np.minimum(x + d, 0))
        np.copyto(d, np.where(d > 1, far - before, before * np.expm1(np.minimum(d, 1))))
        return
    if max(largest, -d.min()) < SMALL:
        d *= 1 + d / 2
    else:
        np.expm1(d, out=d)
    d *= np.exp(x, out=x)


VARIANTS: dict[str, Maker] = {
    "ReLU": lambda s: s.but(config={"alpha": 0.0}),
    **LEAKY,
    "SELU": lambda s: Mapped(s.x, lambda x: SELU[0] * elu(x, SELU[1])),
    "tanh": lambda s: Mapped(s.x, np.tanh),
    "sigmoid": lambda s: Mapped(s.x, sigmoid),
    "ELU of the negated input": lambda s: s.but(x=-s.x),
    "ELU applied twice": lambda s: Mapped(s.x, lambda x: elu(elu(x, 1.0), 1.0)),
}


def negative_side(seen: Seen) -> Iterator[Proposal]:
    """ELU with another alpha, leaky ReLU with another slope: a constant times a known function of
    x <= 0.
    """
    x = seen.case.x.ravel()
    negative = np.flatnonzero(x < 0)[:: max(1, x.size // 2**18)]
    if not len(negative):
        return
    y, x = (a.ravel()[negative].astype(np.float64) for a in (seen.actual, x))
    alpha, error = _factor(np.expm1(x), y)
    name = f"alpha {alpha:.6g} instead of {seen.case.config['alpha']:g}"
    yield Proposal(name, seen.case.but(config={"alpha": alpha}), estimate("alpha", alpha, error))
    slope, error = _factor(x, y)
    name = f"leaky ReLU with slope {slope:.6g}"
    yield Proposal(name, Leaky(seen.case.x, slope), estimate("slope", slope, error))


def _factor(x: Array, y: Array) -> tuple[float, float]:
    factor = np.dot(x, y) / np.dot(x, x)
    return float(factor), float(np.sqrt(np.sum(np.square((y - factor * x) * x))) / np.dot(x, x))


def form(case: LayerCase, actual: Array) -> Form | None:
    """Which form of the exponential an output shows, by its lattice.

    None where nothing shows it, and where ELU's formula does not explain the output: then neither
    form of it ran.
    """
    if actual.shape != case.x.shape:
        return None
    few = np.s_[:, :: max(1, case.x.size // LATTICE_ENOUGH)] if case.x.ndim > 1 else np.s_[:]
    x, y, alpha = case.x[few], actual[few], float(case.config["alpha"])
    share = lattice_share(x, y, alpha) if _explained(Elu(x, alpha), y) else None
    if not share:
        return None
    formula = "exp(x) - 1" if share == 1 else "expm1(x)" if share < 0.7 else None
    return Form(share, formula)


def lattice_share(x: Array, y: Array, alpha: float = 1.0) -> float | None:
    """Share of the outputs for -ln 2 < x < 0 on the 2^-24 grid: 1 where exp(x) - 1 was computed,
    far less for expm1.

    exp(x) lies in (1/2, 1), whose float32 numbers are 2^-24 apart; subtracting 1 is exact. None
    where no x lies there.
    """
    inside = (x > -LN2) & (x < 0)
    if alpha != 1.0 or not inside.any():
        return None
    scaled = y[inside].astype(np.float64) * 2.0**24
    return float(np.mean(scaled == np.rint(scaled)))


def _explained(judge: Witness, values: Array) -> bool:
    flat = np.ascontiguousarray(values).reshape(judge.view)
    return all(judge.block(where).holds(flat[where]) for where in judge.blocks())


def probes(case: LayerCase, rng: np.random.Generator) -> Iterator[Probe]:
    """Every magnitude, a fine grid below 0, and what tells exp(x) - 1 from expm1(x)."""
    values = magnitudes((0.0, -0.5, -4.0), rng)
    yield from of_table(case, values, "all magnitudes", partial(_other_form, case))


def _other_form(case: LayerCase, x: Array, answer: Array) -> str | None:
    """The form of the exponential that an answer shows, where it is not the release's own."""
    own = LATER_FORM if tuple(map(int, case.keras.split("."))) >= EXPM1_SINCE else "exp(x) - 1"
    found = form(case.but(x=x), answer)
    if found is None or found.formula in (own, None):
        return None
    return f"{found.formula} for {own}".replace("(x)", "")


ELU = LayerKind(
    "ELU",
    {"alpha": ANY},
    reference=lambda case: Elu(case.x, case.config["alpha"]),
    variants=lambda case: VARIANTS,
    fits=((negative_side,),),
    by_shape=(pooled_instead,),
    propagate=_propagate,
    inspect=form,
    channelwise=True,
    any_image=True,
    probes=probes,
)
