"""Every named hypothesis by layer kind."""

from parity.diagnose import (
    batches,
    convolution,
    dense,
    elementwise,
    fits,
    general,
    normalization,
    recurrent,
    shapes,
    spectrogram,
)
from parity.diagnose.subject import Subject
from parity.errors import CannotRun

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
# Asked of a layer that fails and that none of the above explains: kind -> table(subject).
COMBINED = {
    "GRU": lambda subject: recurrent.COMBINED,
    "BatchNormalization": normalization.combined,
    "Convolution2D": lambda subject: convolution.COMBINED,
}
LAST = (
    fits.BOTH,
    spectrogram.BOTH,
    batches.ANOTHER_CLIP,
    batches.OTHER,
)  # named after all others: they explain what those do, and more

# Hypotheses with something to find out first, in groups: where one of a group explains, the next
# group is not asked.
_BY_KIND = {
    "Convolution2D": (
        (fits.kernels_permuted,),
        (fits.some_filters,),
        (fits.one_tap,),
        (fits.adjusted,),
    ),
    "BatchNormalization": ((spectrogram.fitted,), (fits.other_eps, fits.adjusted, batches.made_up)),
    "ELU": ((fits.negative_side,),),
    "Dropout": ((fits.dropout_on,),),
    "ZeroPadding2D": ((spectrogram.fitted,),),
}


def groups(kind, reshaped):
    """Groups of fit(subject, judge, actual), each yielding (name, variant, estimate); reshaped: of
    another shape, or not finite.
    """
    by_shape = shapes.BY_KIND.get(kind, ())
    return (
        (by_shape,)
        if reshaped
        else (by_shape, (fits.permuted,), *_BY_KIND.get(kind, ((fits.adjusted,),)))
    )


def registered(subject):
    """{name: maker} for this layer, general ones last."""
    own = (
        normalization.table(subject)
        if subject.layer.kind == "BatchNormalization"
        else TABLES.get(subject.layer.kind, {})
    )
    return {**own, **(spectrogram.TABLE if spectrogram.reads_one(subject) else {}), **general.TABLE}


def combined(subject):
    """{name: maker} of what is asked where none of `registered` explains the layer."""
    return COMBINED.get(subject.layer.kind, lambda subject: {})(subject)


def base(subject):
    """The layer's formula as the witness that hypotheses are held against."""
    return (
        normalization.base(subject)
        if subject.layer.kind == "BatchNormalization"
        else subject.witness
    )


def made(subject, maker):
    """The hypothesis' witness, or None where it does not apply to this layer: none was made, or
    the oracle refuses its shapes.
    """
    try:
        variant = maker(subject)
        return base(variant) if isinstance(variant, Subject) else variant
    except CannotRun:
        return None
