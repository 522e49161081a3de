"""The networks in Chainer, with the formulas of the Keras releases they were trained with.

Needs Chainer 7.8.1, numpy and h5py.
"""

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np

# Chainer looks at its environment (macOS's BLAS, optional packages) by way of numpy.distutils and
# pkg_resources: a third of the time that it takes to start, and a warning on every start.
_unchecked = ModuleType("chainer._environment_check")
_unchecked.__dict__["check"] = lambda: None
sys.modules.setdefault(_unchecked.__name__, _unchecked)

import chainer  # noqa: E402

Array = np.ndarray | chainer.Variable
Config = Mapping[str, Any]  # a layer's settings, as Keras says them
Arrays = Mapping[str, np.ndarray]  # Keras's suffix -> array
Maker = Callable[[Config, Arrays, str], chainer.Link]  # and the Keras release
