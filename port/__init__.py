"""The music tagger in Chainer: CRNN, CRNN50, CNN0 and CNN with the formulas of the Keras releases they were trained with.

Usable without the harness; needs Chainer 7.8.1, numpy and h5py (and librosa where audio is read).
"""

import warnings

# chainer/_environment_check.py imports numpy.distutils, which announces its own end on every start.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import chainer  # noqa: F401
