"""Every named hypothesis by layer kind."""

from parity.errors import CannotRun
from parity.hypotheses import batches, convolution, dense, elementwise, fits, general, normalization, recurrent, shapes, spectrogram
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
LAST = (fits.BOTH, spectrogram.BOTH, batches.OTHER)  # named after all others: they explain what those do, and more

# Hypotheses with something to find out first, in groups: where one of a group explains, the next group is not asked.
_BY_KIND = {
    "Convolution2D": ((fits.some_filters,), (fits.one_tap,), (fits.adjusted,)),
    "BatchNormalization": ((spectrogram.fitted,), (fits.other_eps, fits.adjusted, batches.made_up)),
    "ELU": ((fits.negative_side,),),
    "Dropout": ((fits.dropout_on,),),
    "ZeroPadding2D": ((spectrogram.fitted,),),
}


def groups(kind, reshaped):
    """Groups of fit(subject, judge, actual), each yielding (name, variant, estimate); reshaped: of another shape, or not finite."""
    by_shape = shapes.BY_KIND.get(kind, ())
    return (by_shape,) if reshaped else (by_shape, (fits.permuted,), *_BY_KIND.get(kind, ((fits.adjusted,),)))


def registered(subject):
    """{name: maker} for this layer, general ones last."""
    own = normalization.table(subject) if subject.layer.kind == "BatchNormalization" else TABLES.get(subject.layer.kind, {})
    return {**own, **(spectrogram.TABLE if spectrogram.reads_one(subject) else {}), **general.TABLE}


def names(kind):
    """The names of the hypotheses that do not depend on a layer's settings, for a list of what is known."""
    own = normalization.FIXED if kind == "BatchNormalization" else TABLES.get(kind, {})
    given = spectrogram.TABLE if kind in spectrogram.READERS else {}
    return [*own, *COMBINED.get(kind, {}), *given, *general.TABLE]


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
