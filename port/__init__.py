"""The music tagger in Chainer: CRNN, CRNN50, CNN0 and CNN with the formulas of the Keras releases they were trained with.

`load_tagger("CRNN").tag("song.mp3")` gives a table of tags. Usable without the harness; needs Chainer 7.8.1, numpy and
h5py, soundfile and soxr where audio is read, pandas for tables and click for the command line.
"""

import warnings

# chainer/_environment_check.py imports numpy.distutils, which announces its own end on every start.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import chainer  # noqa: F401


def load_tagger(model="CRNN", weights=None, keras=None):
    """A port.models.Tagger with trained weights: a chainer.Chain whose `tag` method takes audio files.

    model : CRNN, CRNN50, CNN0 or CNN. weights : a Keras HDF5, a converted npz or a .model file of the published port;
    by default the published file below PARITY_DATA or in the cache. keras : the release whose formulas to use.
    Raises ValueError, with one sentence, for an unknown model and for weights that are not found or do not fit.
    """
    from port.locate import weights_of
    from port.models import load

    return load(model, weights or weights_of(model), keras)
