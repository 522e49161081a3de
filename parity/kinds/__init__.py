"""One layer kind, one file: formula, bound, variants, and how a deviation is carried on.

`KINDS` is the whole registry. A new kind is a file beside this one and one line here.
"""

from __future__ import annotations

from parity.errors import CannotRun

# kinds that have not moved into files of their own yet; imported here, used below
from parity.kinds import bounds as _bounds
from parity.kinds import oracle as _oracle
from parity.kinds.api import Formula, LayerCase, LayerKind

__all__ = ["KINDS", "Formula", "LayerCase", "LayerKind", "layer_case"]


def _reference(case):
    return _bounds.WITNESSES[case.kind.keras_class](case.layer, case.params, case.x, case.keras)


def _kind(keras_class):
    settings = _oracle.SETTINGS[keras_class]
    if keras_class in _oracle.MOVES:
        return LayerKind(keras_class, settings, move=_oracle.MOVES[keras_class])
    return LayerKind(keras_class, settings, reference=_reference)


KINDS = {keras_class: _kind(keras_class) for keras_class in _oracle.SETTINGS}


def layer_case(layer, params, x, keras) -> LayerCase:
    """A layer on an input. Raises CannotRun for a class that no kind here is about."""
    if layer.kind not in KINDS:
        raise CannotRun(
            f"layer {layer.name}: the oracle has no formula for {layer.kind}; known are "
            f"{', '.join(KINDS)}"
        )
    return LayerCase(KINDS[layer.kind], layer, params, x, keras)
