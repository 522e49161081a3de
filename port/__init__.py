"""The music tagger in Chainer: CRNN, CRNN50, CNN0 and CNN with the formulas of the Keras releases
they were trained with.

`load_tagger("CRNN").tag("song.mp3")` gives a table of tags. Usable without the harness; needs
Chainer 7.8.1, numpy and h5py, soundfile and soxr where audio is read, pandas for tables and click
for the command line.
"""

import warnings
from typing import TYPE_CHECKING

from port.files import FilePath

# chainer/_environment_check.py imports numpy.distutils, which announces its own end on every start.
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import chainer  # noqa: F401

if TYPE_CHECKING:
    from port.models import Tagger


def load_tagger(
    model: str = "CRNN",
    weights: FilePath | None = None,
    keras: str | None = None,
    *,
    correction: str | None = None,
    calibration: FilePath | None = None,
) -> "Tagger":
    """A port.models.Tagger with trained weights: a chainer.Chain whose `tag` method takes audio
    files.

    model : CRNN, CRNN50, CNN0 or CNN. weights : a Keras HDF5, a converted npz or a .model file of
    the published port; by default the published file below PARITY_DATA or in the cache. keras :
    the release whose formulas to use.
    correction, calibration : remedies that the original does not have (port.models.load); off by
    default, told in every output.
    Raises ValueError, with one sentence, for an unknown model and for weights that are not found
    or do not fit.
    """
    from port.locate import weights_of
    from port.models import load

    return load(
        model, weights or weights_of(model), keras, correction=correction, calibration=calibration
    )
