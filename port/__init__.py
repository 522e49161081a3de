"""The networks in Chainer, with the formulas of the Keras releases they were trained with.

Needs Chainer 7.8.1, numpy and h5py.
"""

import warnings

import numpy as np

# chainer/_environment_check.py imports numpy.distutils, which announces its own end on every start.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import chainer

Array = np.ndarray | chainer.Variable
