"""What ports get wrong in any layer, and in any that has weights and a bias."""

from collections.abc import Callable

import numpy as np

from parity.kinds.api import Change, LayerCase, LayerKind, Maker, Variant
from parity.kinds.rectifiers import Elu
from parity.numerics.precision import FORMATS, STORED
from parity.numerics.rounding import Array
from parity.numerics.witness import Moves

SKIPPED = "layer skipped (its input passed on)"


def _skipped(s: LayerCase) -> Variant:
    return None if s.kind.passes_on else Moves(s.x)


def _activated(s: LayerCase) -> Variant:
    return Elu(s.x, 1.0) if s.kind.beside_activation and s.x.ndim == 4 else None


def _in_time(change: Callable[[Array, int], Array]) -> Maker:
    """The last axis of an image (B, C, F, T), the second of a sequence (B, T, units)."""

    def make(s: LayerCase) -> Variant:
        axis = {4: 3, 3: 1}.get(s.x.ndim)
        return None if axis is None else s.but(x=np.ascontiguousarray(change(s.x, axis)))

    return make


def _late(x: Array, axis: int) -> Array:
    """One frame later: silence comes in at the start."""
    first = np.zeros_like(x.take([0], axis=axis))
    return np.concatenate([first, np.delete(x, -1, axis=axis)], axis=axis)


def _early(x: Array, axis: int) -> Array:
    return np.flip(_late(np.flip(x, axis), axis), axis)


def _bands_reversed(s: LayerCase) -> Variant:
    if s.x.ndim != 4 or s.x.shape[2] == 1:
        return None
    return s.but(x=np.ascontiguousarray(np.flip(s.x, 2)))


def _clips_rolled(s: LayerCase) -> Variant:
    return s.but(x=np.roll(s.x, 1, axis=0)) if len(s.x) > 1 else None


def _stored(rounded: Change) -> Maker:
    return lambda s: (
        s.but(params={key: rounded(value) for key, value in s.params.items()}) if s.params else None
    )


def _has_time(kind: LayerKind) -> bool:
    return bool({3, 4} & set(kind.input_ranks))


def bias_times(factor: float) -> Maker:
    """The bias taken so many times."""
    return lambda s: (
        s.but(params={"b": factor * s.params["b"]}) if s.config.get("bias", True) else None
    )


def operands_rounded() -> dict[str, Maker]:
    """{name: maker}: weights W and input rounded to each narrower format."""

    def make(rounded: Change) -> Maker:
        return lambda s: s.but(params={"W": rounded(s.params["W"])}, x=rounded(s.x))

    return {f"operands rounded to {name}": make(rounded) for name, rounded in FORMATS.items()}


# name -> (maker, whether a kind can be asked)
_ASKED: dict[str, tuple[Maker, Callable[[LayerKind], bool]]] = {
    SKIPPED: (_skipped, lambda kind: not kind.passes_on),
    "wrong layer order: an ELU in its place": (_activated, lambda kind: kind.beside_activation),
    "one time frame late": (_in_time(_late), _has_time),
    "one time frame early": (_in_time(_early), _has_time),
    "time reversed": (_in_time(np.flip), _has_time),
    "mel bands reversed": (_bands_reversed, lambda kind: 4 in kind.input_ranks),
    "clips in another order": (_clips_rolled, lambda kind: True),
    **{
        f"parameters stored as {name}": (_stored(FORMATS[name]), lambda kind: bool(kind.parameters))
        for name in STORED
    },
}
VARIANTS = {name: make for name, (make, _) in _ASKED.items()}


def names(kind: LayerKind) -> list[str]:
    """Those that can be about a layer of that kind."""
    return [name for name, (_, applies) in _ASKED.items() if applies(kind)]
