"""What ports get wrong in batch normalisation: another scale, mean or beta."""

import itertools
import re
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from parity.kinds.api import LayerCase, Maker, Variant
from parity.kinds.normalization.formula import (
    SAMPLE_MODE,
    SPREADS,
    Affine,
    Normalized,
    batch,
    channel_axis,
    dialect,
    epsilon,
    of_samples,
    uses_batch,
    view,
)
from parity.numerics.rounding import Array, Where
from parity.numerics.witness import Block, Witness

EPSILONS = (1e-6, 1e-5, 2e-5, 1e-3)  # Keras 1.0.4 - 1.0.7, 1.0.8 - 1.1.2, Chainer, Keras 1.2
CHAINERS = ("1/sqrt(s + eps)", 2e-5)
STD, ROOT, SUM, SQUARED, TWICE, SQUARED_TWICE = SPREADS

# The original's formula -> another: what taking the one for the other amounts to.
MEANINGS = {
    STD: {
        ROOT: "standard deviation taken for a variance (Keras 1.0.7)",
        SUM: "standard deviation taken for a variance (Keras 1.0.8 and later)",
        SQUARED: "eps under the root: the published Chainer port's sqrt(std^2 + eps)",
        SQUARED_TWICE: "eps twice",
    },
    ROOT: {
        STD: "variance taken for a standard deviation (Keras 1.0.6)",
        SUM: "eps under the root (Keras 1.0.8 and later)",
        TWICE: "eps twice",
        SQUARED: "variance squared: stored standard deviations expected",
    },
    SUM: {
        STD: "variance taken for a standard deviation (Keras 1.0.6)",
        ROOT: "eps beside the root (Keras 1.0.7)",
        TWICE: "eps twice",
        SQUARED: "variance squared: stored standard deviations expected",
    },
    TWICE: {
        STD: "variance taken for a standard deviation",
        ROOT: "eps beside the root (Keras 1.0.7)",
        SUM: "eps once (Keras 1.0.8 and later)",
        SQUARED: "variance squared: stored standard deviations expected",
    },
}


def own_spread(case: LayerCase) -> str:
    """The name of the layer's own formula of 1/spread."""
    return dialect(case.keras)[uses_batch(case)]


def spread_name(case: LayerCase, name: str, eps: float) -> str:
    """What using that formula with that eps is called at this layer."""
    own = own_spread(case)
    if name == own:
        return f"eps {eps:g} instead of {epsilon(case):g}"
    return f"{MEANINGS[own].get(name, f'spread {name}')}, eps {eps:g}"


def eps_in(name: str) -> float | None:
    """The eps a hypothesis' name states, or None."""
    found = re.search(r"eps ([0-9.e+-]+)", name)
    return float(found.group(1)) if found else None


def one_by_one(case: LayerCase) -> tuple[Array, Array]:
    """Mean and biased variance per channel as float32 adds them up value by value: NumPy's sums
    over channel-last memory.

    Errors of such long sums are all one way, which no bound of a blocked order covers.
    """

    def find() -> Any:
        x = view(case)
        rows = np.ascontiguousarray(np.moveaxis(x, 1, -1)).reshape(-1, x.shape[1])
        return rows.mean(axis=0).astype(np.float64), rows.var(axis=0).astype(np.float64)

    return case.fact("one by one", find)


def _unbiased(case: LayerCase) -> tuple[Array, Array]:
    """The batch's statistics, with N - 1 for N."""
    (mean, variance), x = batch(case)[:2], view(case)
    count = x.shape[0] * x.shape[2]
    return mean, variance * count / max(1, count - 1)


# Where mean and s come from, (C,) each, and whether the port has measured them in float32 of an
# unknown order.
STORED, BATCH, IN_A_ROW, UNBIASED = "stored", "batch", "one by one", "unbiased"
SOURCES = {
    STORED: (lambda s: (s.parameter("running_mean"), s.parameter("running_std")), False),
    BATCH: (lambda s: batch(s)[:2], True),
    IN_A_ROW: (one_by_one, False),
    UNBIASED: (_unbiased, True),
}


def _source(case: LayerCase, source: str | None = None) -> tuple[Callable[[LayerCase], Any], bool]:
    return SOURCES[source or (BATCH if uses_batch(case) else STORED)]


def statistics(case: LayerCase) -> tuple[Array, Array]:
    """(mean, s) that the layer uses, float64 (C,)."""
    return _source(case)[0](case)


def affine(
    case: LayerCase,
    reciprocal: Callable[[Array], Array] | None = None,
    mean: float = 1.0,
    beta: float = 1.0,
    gamma: bool = True,
    source: str | None = None,
) -> Normalized | None:
    """The layer with parts replaced: 1/spread as a function of s; factors of mean and beta;
    another of SOURCES.
    """
    own = SPREADS[own_spread(case)]
    made = reciprocal or (lambda s: own(s, epsilon(case)))
    read, measured = _source(case, source)
    with np.errstate(all="ignore"):
        centre, s = read(case)
        scale = made(s) * (case.parameter("gamma") if gamma else 1.0)
    if not np.isfinite(scale).all():
        return None
    return Normalized(case, Affine(scale, mean * centre, beta * case.parameter("beta"), measured))


def with_spread(name: str, eps: float, source: str | None = None) -> Maker:
    """Another formula of 1/spread with that eps."""
    return lambda case: affine(case, lambda s: SPREADS[name](s, eps), source=source)


def _instead(source: str, mode: int) -> Maker:
    """At a layer of that mode: statistics from there, as the original's Keras would use them."""

    def make(case: LayerCase) -> Variant:
        if case.config["mode"] != mode:
            return None
        name = dialect(case.keras)[source != STORED]
        return with_spread(name, epsilon(case), source)(case)

    return make


class PerClip(Witness):
    """Each clip normalised by its own statistics: the witnesses of batches of one, in a row."""

    def __init__(self, clips: list[Witness]) -> None:
        super().__init__((len(clips), *clips[0].shape[1:]), 1)
        self.clips = clips

    def block(self, where: Where) -> Block:
        """The values there, their bound and sigma."""
        parts = [clip.block((slice(0, 1), *where[1:])) for clip in self.clips[where[0]]]
        joined = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("o", "bound2", "sigma2")
        )
        return Block(where, *joined)


def _each_clip(case: LayerCase) -> Variant:
    """The batch is run clip by clip."""
    if channel_axis(case) != 1 or (uses_batch(case) and len(case.x) == 1):
        return None
    make = with_spread(dialect(case.keras)[1], epsilon(case), BATCH)
    clips: list[Any] = [make(case.but(x=clip[None])) for clip in case.x]
    return PerClip(clips) if all(clips) else None


def _wrong_axis(axis: int) -> Maker:
    def make(case: LayerCase) -> Variant:
        shape = case.x.shape
        fits = axis < len(shape) and shape[axis] == len(case.params["gamma"])
        return case.but(config={"axis": axis}) if fits and axis != channel_axis(case) else None

    return make


def _one_channel_off(step: int) -> Maker:
    return lambda case: case.but(
        params={key: np.roll(value, step) for key, value in case.params.items()}
    )


# what the port does -> (where its statistics come from, at layers of which mode)
ELSEWHERE = {
    "batch statistics instead of the stored": (BATCH, 0),
    "stored statistics instead of the batch's": (STORED, 2),
    "statistics summed one by one in float32": (IN_A_ROW, 2),
}
FIXED = {
    "mean not subtracted": lambda s: affine(s, mean=0.0),
    "mean added": lambda s: affine(s, mean=-1.0),
    "gamma left out": lambda s: affine(s, gamma=False),
    "beta left out": lambda s: affine(s, beta=0.0),
    "not divided by the spread": lambda s: affine(s, np.ones_like),
    **{what: _instead(source, mode) for what, (source, mode) in ELSEWHERE.items()},
    "unbiased batch variance": _instead(UNBIASED, 2),
    "statistics of each clip alone": _each_clip,
    "parameters one channel off": _one_channel_off(1),
    "parameters one channel off, the other way": _one_channel_off(-1),
    "gamma and beta swapped": lambda s: s.but(
        params={"gamma": s.params["beta"], "beta": s.params["gamma"]}
    ),
    **{f"along axis {axis}": _wrong_axis(axis) for axis in (1, 2, 3)},
}


def _whole_batch(mode: int) -> Maker:
    """The same along the last axis, by statistics that the samples share."""
    return lambda case: case.but(config={"mode": mode, "axis": -1})


OF_SAMPLES: dict[str, Maker] = {
    "eps once: 1/sqrt(s + eps)": lambda case: of_samples(case, SUM),
    "eps beside the root: 1/(sqrt(s) + eps)": lambda case: of_samples(case, ROOT),
    "gamma left out": lambda case: of_samples(case, gamma=False),
    "beta left out": lambda case: of_samples(case, beta=0.0),
    "mean not subtracted": lambda case: of_samples(case, centred=0.0),
    "stored statistics instead of each sample's": _whole_batch(0),
    "batch statistics instead of each sample's": _whole_batch(2),
}


def variants(case: LayerCase) -> dict[str, Maker]:
    """{name: maker} for this layer: every dialect with every known eps, its own included."""
    if case.config["mode"] == SAMPLE_MODE:
        return OF_SAMPLES
    own, own_eps = own_spread(case), epsilon(case)
    spreads = {
        spread_name(case, name, eps): with_spread(name, eps)
        for name, eps in _formulas(own_eps)
        if (name, eps) != (own, own_eps)
    }
    return {**spreads, f"eps left out instead of {own_eps:g}": with_spread(own, 0.0), **FIXED}


def combined(case: LayerCase) -> dict[str, Maker]:
    """{name: maker}: other statistics under every formula of 1/spread and every known eps.

    Chainer's own phases are among them, and come first as the likeliest.
    """
    formulas = sorted(_formulas(epsilon(case)), key=lambda formula: formula != CHAINERS)
    return {
        f"{what}, {_formula_name(name, eps)}": with_spread(name, eps, source)
        for what, (source, at) in ELSEWHERE.items()
        if at == case.config["mode"]
        for name, eps in formulas
    }


def _formula_name(name: str, eps: float) -> str:
    whose = "Chainer's " if (name, eps) == CHAINERS else ""
    return f"{whose}{name}, eps {eps:g}"


def _formulas(own_eps: float) -> Iterable[tuple[str, float]]:
    return itertools.product(SPREADS, sorted({*EPSILONS, own_eps}))
