"""Where weights and clips are: what is given, then the folder in PARITY_DATA, then the cache of
the published files.

The same places as the parity run's, without its checks by sha256; the port is usable without the
harness.
"""

import os
from pathlib import Path

from parity.port.files import sha256_of
from parity.port.models import architecture_of
from tagger.provenance import provenance_of

DATA_VARIABLE = "PARITY_DATA"
CACHE_VARIABLE = "PARITY_FIXTURES"
WEIGHTS = {
    "CRNN": "crnn_net_gru_adam_ours_epoch_40.h5",
    "CRNN50": "music_tagger_crnn_weights_theano.h5",
    "CNN0": "cnn_weights_theano.h5",
    "CNN": "music_tagger_cnn_weights_theano.h5",
}


class NotFound(ValueError):
    """A file that is in none of the known places: one sentence with the ways to get it."""


def weights_of(model: str) -> Path:
    """Path of the published weights of `model`; ValueError for an unknown model, NotFound where
    they are nowhere.

    An npz of the same name that was converted from them (python -m tagger convert) comes first,
    also where the HDF5 is gone.
    """
    architecture_of(model)
    keras = Path("weights", WEIGHTS[model])
    found = next(filter(None, (_npz_or_hdf5(folder / keras) for folder in _folders())), None)
    if found is None:
        raise NotFound(
            f"no weights of {model} are here; run make fixtures, set {DATA_VARIABLE} to a "
            f"folder with weights/{WEIGHTS[model]}, "
            "give --weights FILE, or try the program on stand-ins with --seeded"
        )
    return found


def _npz_or_hdf5(hdf5):
    npz = hdf5.with_suffix(".npz")
    if npz.is_file() and (
        not hdf5.is_file() or provenance_of(npz).get("source_sha256") == sha256_of(hdf5)
    ):
        return npz
    return hdf5 if hdf5.is_file() else None


def stand_in_of(model: str) -> Path:
    """Path of the seeded stand-in of `model`, made in the cache; NotFound where that cannot be
    written or the project is not here.
    """
    architecture_of(model)
    try:
        from parity.fixtures import seeded  # late: used alone, the port has no stand-ins
    except ImportError as error:
        raise NotFound(
            "the stand-ins are made by the project's fixtures folder, which is not here; "
            "give --weights FILE"
        ) from error
    try:
        return seeded.weights(model)
    except seeded.CannotRun as error:
        raise NotFound(str(error)) from error


def find(relative_path: str) -> Path | None:
    """The file below PARITY_DATA or the cache, or None."""
    return next((path for folder in _folders() if (path := folder / relative_path).is_file()), None)


def _folders():
    if named := os.environ.get(DATA_VARIABLE):
        yield Path(named).expanduser()
    if chosen := os.environ.get(CACHE_VARIABLE):
        yield Path(chosen).expanduser()
        return
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    yield Path(base) / "music-tagger-parity" / "fixtures"
