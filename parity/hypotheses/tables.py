"""Every named hypothesis by layer kind."""

from parity.errors import CannotRun
from parity.hypotheses import convolution, dense, elementwise, general, normalization, recurrent
from parity.hypotheses.subject import Subject

# kind -> {name: maker(subject) -> Subject, Witness or None where it does not apply}
TABLES = {
    "Convolution2D": convolution.TABLE,
    "ELU": elementwise.ELU,
    "MaxPooling2D": elementwise.POOLING,
    "ZeroPadding2D": elementwise.PADDING,
    "Permute": elementwise.PERMUTE,
    "Reshape": elementwise.FLATTEN,
    "Flatten": elementwise.FLATTEN,
    "Dropout": elementwise.DROPOUT,
    "GRU": recurrent.SINGLE,
    "Dense": dense.TABLE,
}
COMBINED = {"GRU": recurrent.COMBINED}  # asked only of a layer that fails


def registered(subject):
    """{name: maker} for this layer, general ones last."""
    own = normalization.table(subject) if subject.layer.kind == "BatchNormalization" else TABLES.get(subject.layer.kind, {})
    return {**own, **general.TABLE}


def names(kind):
    """The names of the hypotheses that do not depend on a layer's settings, for a list of what is known."""
    own = normalization.FIXED if kind == "BatchNormalization" else TABLES.get(kind, {})
    return [*own, *COMBINED.get(kind, {}), *general.TABLE]


def base(subject):
    """The layer's formula as the witness that hypotheses are held against."""
    return normalization.base(subject) if subject.layer.kind == "BatchNormalization" else subject.witness


def made(subject, maker):
    """The hypothesis' witness, or None where it does not apply to this layer."""
    try:
        variant = maker(subject)
        return base(variant) if isinstance(variant, Subject) else variant
    except (ValueError, IndexError, CannotRun):  # shapes that this formula cannot take
        return None
