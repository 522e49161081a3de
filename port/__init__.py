"""The networks in Chainer, with the formulas of the Keras releases they were trained with; and as
ONNX graphs.

Needs Chainer 7.8.1, numpy and h5py, but for architectures, which need nothing.
"""

import sys
from types import ModuleType

# Chainer looks at its environment (macOS's BLAS, optional packages) by way of numpy.distutils and
# pkg_resources: a third of the time that it takes to start, and a warning on every start.
_unchecked = ModuleType("chainer._environment_check")
_unchecked.__dict__["check"] = lambda: None
sys.modules.setdefault(_unchecked.__name__, _unchecked)
