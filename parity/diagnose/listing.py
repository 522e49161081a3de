"""The names of all hypotheses: what can be asked of a layer of each kind, whatever its settings."""

from types import SimpleNamespace

from parity.diagnose import general, normalization, spectrogram, tables
from parity.diagnose.subject import Subject

KINDS = ("BatchNormalization", *tables.TABLES)
DIALECTS = (
    ("1.0.6", 1e-6),
    ("1.0.7", 1e-6),
    ("1.1.0", 1e-5),
    ("1.2.2", 1e-3),
)  # Keras of every formula, and its eps
MODES = (0, 2)


def names(kind):
    """The names of the tables, in the order they are asked; of a BatchNormalization those at a
    layer of any Keras and mode.
    """
    own = (
        _normalizations()
        if kind == "BatchNormalization"
        else {**tables.TABLES[kind], **tables.combined(_layer(kind))}
    )
    given = spectrogram.TABLE if kind in spectrogram.READERS else {}
    return list(dict.fromkeys([*own, *given, *general.names(kind)]))


def found_out(kind):
    """What else is tried: the first sentence of every fit to the output of such a layer."""
    fits = [
        fit
        for reshaped in (False, True)
        for group in tables.groups(kind, reshaped)
        for fit in group
    ]
    return list(
        dict.fromkeys(
            " ".join(fit.__doc__.split()).partition(":")[0].partition(".")[0] for fit in fits
        )
    )


def _normalizations():
    found = {}
    for keras, eps in DIALECTS:
        for mode in MODES:
            subject = _layer("BatchNormalization", keras, mode=mode, epsilon=eps)
            found |= {**normalization.table(subject), **normalization.combined(subject)}
    return found


def _layer(kind, keras="1.1.0", **config):
    return Subject(SimpleNamespace(name="any", kind=kind, config=config), {}, None, keras)
