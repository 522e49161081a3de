"""Tags music with the 2016 taggers: `load_tagger("CRNN").tag("song.mp3")` gives a table of tags.

Needs Chainer 7.8.1, numpy and h5py, av and soxr where audio is read, pandas for tables and
click for the command line.
"""

from typing import TYPE_CHECKING

from parity.files import FilePath

if TYPE_CHECKING:
    from tagger.model import Tagger

__all__ = ["load_tagger"]


def load_tagger(
    model: str = "CRNN",
    weights: FilePath | None = None,
    keras: str | None = None,
    *,
    correction: str | None = None,
    calibration: FilePath | None = None,
) -> "Tagger":
    """A tagger with trained weights.

    Parameters
    ----------
    model : {"CRNN", "CRNN50", "CNN0", "CNN"}
        10 genres (CRNN) or 50 tags.
    weights : path, optional
        A Keras HDF5, a converted npz or a .model file of the port published in 2018; by default
        the published file below PARITY_DATA or in the cache.
    keras : str, optional
        The Keras release whose formulas to use, by default that of the weights.
    correction, calibration : str, path, optional
        Remedies that the original does not have (`tagger.model.Tagger`). Every output names them.

    Returns
    -------
    tagger.model.Tagger

    Raises
    ------
    ValueError
        One sentence, for an unknown model and for weights that are not found or do not fit.

    Examples
    --------
    >>> load_tagger("CRNN").tag("song.mp3")  # doctest: +SKIP
    """
    from tagger.model import load
    from tagger.weight_files import weights_of

    return load(
        model, weights or weights_of(model), keras, correction=correction, calibration=calibration
    )
