"""Where weights and clips are: what is given, then the folder in PARITY_DATA, then the cache of the published files.

The same places as the parity run's, without its checks by sha256; the port is usable without the harness.
"""

import os
from pathlib import Path

from port.models import architecture_of

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
    """Path of the published weights of `model`; ValueError for an unknown model, NotFound where they are nowhere."""
    architecture_of(model)
    found = find(f"weights/{WEIGHTS[model]}")
    if found is None:
        raise NotFound(
            f"no weights of {model} are here; run make fixtures, set {DATA_VARIABLE} to a folder with weights/{WEIGHTS[model]}, "
            "give --weights FILE, or try the program on stand-ins with --seeded"
        )
    return found


def stand_in_of(model: str) -> Path:
    """Path of the seeded stand-in of `model`, made in the cache; NotFound where that cannot be written or the project is not here."""
    architecture_of(model)
    try:
        from fixtures import seeded  # late: used alone, the port has no stand-ins
    except ImportError as error:
        raise NotFound("the stand-ins are made by the project's fixtures folder, which is not here; give --weights FILE") from error
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
