"""Tags music with the 2016 taggers: `load_tagger("CRNN").tag("song.mp3")` gives a table of tags.

Needs Chainer 7.8.1, numpy and h5py, soundfile and soxr where audio is read, pandas for tables and
click for the command line.
"""

from typing import TYPE_CHECKING

from parity.port.files import FilePath

if TYPE_CHECKING:
    from parity.port.models import Tagger


def load_tagger(
    model: str = "CRNN",
    weights: FilePath | None = None,
    keras: str | None = None,
    *,
    correction: str | None = None,
    calibration: FilePath | None = None,
) -> "Tagger":
    """A parity.port.models.Tagger with trained weights: its `tag` method takes audio files.

    model : CRNN, CRNN50, CNN0 or CNN. weights : a Keras HDF5, a converted npz or a .model file of
    the published port; by default the published file below PARITY_DATA or in the cache. keras :
    the release whose formulas to use.
    correction, calibration : remedies that the original does not have (parity.port.models.load);
    off by default, told in every output.
    Raises ValueError, with one sentence, for an unknown model and for weights that are not found
    or do not fit.
    """
    from parity.port.models import load
    from tagger.locate import weights_of

    return load(
        model, weights or weights_of(model), keras, correction=correction, calibration=calibration
    )
