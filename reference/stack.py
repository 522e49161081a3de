"""The stack that an original really runs on.

Import `reference.legacy` and apply it first.
"""

import os
import platform

import h5py
import keras
import numpy as np
import scipy
import theano
from keras import backend as K
from theano.gof.cmodule import gcc_version

_NUMERIC_FLAGS = (
    "device",
    "floatX",
    "optimizer",
    "linker",
    "blas.ldflags",
)  # no folders: they differ by machine


def observed_stack():
    """What really runs, {name: value}: versions, Keras settings and the Theano flags that can
    change a number.
    """
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "h5py": h5py.__version__,
        "keras": keras.__version__,
        "theano": theano.__version__,
        "gcc": gcc_version(),
        "backend": K._BACKEND,
        "image_dim_ordering": K.image_dim_ordering(),
        "floatx": K.floatx(),
        "epsilon": K.epsilon(),
        "floatX": theano.config.floatX,
        "optimizer": str(theano.config.optimizer),
        "theano_flags": ",".join(f"{flag}={_flag(flag)}" for flag in _NUMERIC_FLAGS),
        "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
    }


def _flag(name):
    value = theano.config
    for part in name.split("."):
        value = getattr(value, part)
    return value
