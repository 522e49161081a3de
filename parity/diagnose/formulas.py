"""Every hypothesis about a layer: its kind's own, those of its input, and those of any layer."""

from collections.abc import Iterable
from typing import Any

from parity.kinds import GROUPS, Formula, general, spectrogram
from parity.kinds.api import Fit, LayerCase, LayerKind, Makers, Params
from parity.kinds.fitting import adjusted, permuted

Following = tuple[Any, Params]  # a layer and its parameters


def registered(case: LayerCase) -> dict[str, Formula]:
    """{name: Formula} for this layer, general ones last."""
    of_input = spectrogram.VARIANTS if spectrogram.reads_one(case) else {}
    return _formulas({**case.kind.variants(case), **of_input, **general.VARIANTS})


def combined(case: LayerCase, after: Iterable[Following] = ()) -> dict[str, Formula]:
    """{name: Formula} of what is asked where none of `registered` explains the layer.

    after : the layers that follow it and nothing else, which it may do as well.
    """
    return _formulas({**case.kind.combined(case), **GROUPS.onward(case, after)})


def anywhere() -> dict[str, Formula]:
    """{name: Formula} of what is asked of any layer."""
    return _formulas(general.VARIANTS)


def _formulas(makers: Makers) -> dict[str, Formula]:
    return {name: Formula(name, make) for name, make in makers.items()}


def groups(kind: LayerKind, reshaped: bool) -> tuple[tuple[Fit, ...], ...]:
    """Groups of fits to an output; where one explains it, the next is not asked.

    reshaped: whether it is of another shape, or not finite.
    """
    if reshaped:
        return (kind.by_shape,)
    own = ((adjusted,),) if kind.fits is None else kind.fits
    return kind.by_shape, (permuted,), *own
