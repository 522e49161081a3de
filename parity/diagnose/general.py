"""What ports get wrong in any layer."""

from types import SimpleNamespace

import numpy as np

from parity.diagnose.precision import FORMATS, STORED
from parity.kinds.bounds import Elu
from parity.numerics.rounding import Moves


def _identity(s):
    return None if s.layer.kind in ("Dropout", "InputLayer") else Moves(s.x)


BESIDE_ELU = ("BatchNormalization", "Convolution2D", "MaxPooling2D", "Dropout")


def _elu(s):
    return (
        Elu(SimpleNamespace(config={"alpha": 1.0}), s.x)
        if s.layer.kind in BESIDE_ELU and s.x.ndim == 4
        else None
    )


def _time_axis(x):
    """The last axis of an image (B, C, F, T), the second of a sequence (B, T, units); None where
    there is no time.
    """
    return {4: 3, 3: 1}.get(x.ndim)


def _in_time(change):
    def make(s):
        axis = _time_axis(s.x)
        return None if axis is None else s.but(x=np.ascontiguousarray(change(s.x, axis)))

    return make


def _late(x, axis):
    """One frame later: silence comes in at the start."""
    first = np.zeros_like(x.take([0], axis=axis))
    return np.concatenate([first, np.delete(x, -1, axis=axis)], axis=axis)


def _early(x, axis):
    return np.flip(_late(np.flip(x, axis), axis), axis)


def _axis_reversed(axis):
    return lambda s: (
        s.but(x=np.ascontiguousarray(np.flip(s.x, axis)))
        if s.x.ndim == 4 and s.x.shape[axis] > 1
        else None
    )


def _clips_rolled(s):
    return s.but(x=np.roll(s.x, 1, axis=0)) if len(s.x) > 1 else None


def _stored(rounded):
    return lambda s: (
        s.but(params={key: rounded(value) for key, value in s.params.items()}) if s.params else None
    )


TABLE = {
    "layer skipped (its input passed on)": _identity,
    "wrong layer order: an ELU in its place": _elu,
    "one time frame late": _in_time(_late),
    "one time frame early": _in_time(_early),
    "time reversed": _in_time(np.flip),
    "mel bands reversed": _axis_reversed(2),
    "clips in another order": _clips_rolled,
    **{f"parameters stored as {name}": _stored(FORMATS[name]) for name in STORED},
}

SEQUENCES = ("GRU",)
IMAGES = (*BESIDE_ELU, "ELU", "ZeroPadding2D", "Permute", "Reshape", "Flatten")
WITH_PARAMETERS = ("Convolution2D", "BatchNormalization", "GRU", "Dense")
# name -> kinds of layers it can be about; the others are about any
KINDS = {
    "layer skipped (its input passed on)": tuple(
        kind for kind in (*IMAGES, *SEQUENCES, "Dense") if kind != "Dropout"
    ),
    "wrong layer order: an ELU in its place": BESIDE_ELU,
    **dict.fromkeys(
        ("one time frame late", "one time frame early", "time reversed"), (*IMAGES, *SEQUENCES)
    ),
    "mel bands reversed": IMAGES,
    **dict.fromkeys((f"parameters stored as {name}" for name in STORED), WITH_PARAMETERS),
}


def names(kind):
    """Those that can be about a layer of that kind."""
    return [name for name in TABLE if kind in KINDS.get(name, (kind,))]
