"""What has to be proved: each model's stack, files and declared layers, and the list of all cells
(model, layer, mode).

The declared layers are written here, by hand, from the original definitions (sources:
reference/models.py), so that a layer which vanished from the original or from the port is missed
and not forgotten.
"""

import difflib
from pathlib import Path
from typing import NamedTuple

from parity.errors import CannotRun

MODES = ("isolated", "chained")
CLIPS = ("melgrams/bensound-thejazzpiano.npy", "melgrams/bensound-actionable.npy")
INPUT_SHAPE = (1, 96, 1366)  # C, F, T


def _blocks(count):
    """Names of `count` convolution blocks, in network order."""
    kinds = ("conv{}", "bn{}", "elu_{}", "pool{}", "dropout{}")
    return [name.format(block) for block in range(1, count + 1) for name in kinds]


_CNN_LAYERS = ("bn_0_freq", *_blocks(5), "flatten_1", "output")
_CRNN_HEAD = ("zeropadding2d_1", "bn_0_freq", *_blocks(4), "permute_1", "reshape_1", "gru1", "gru2")


class Model(NamedTuple):
    """One original: the stack that explains its weights, its published file, its layers in network
    order, its tag list.
    """

    name: str
    stack: str
    weights: str
    layers: tuple
    tags: int


MODELS = {
    model.name: model
    for model in (
        Model(
            "CRNN",
            "keras110",
            "weights/crnn_net_gru_adam_ours_epoch_40.h5",
            (*_CRNN_HEAD, "final_drop", "preds"),
            10,
        ),
        Model(
            "CRNN50",
            "keras106",
            "weights/music_tagger_crnn_weights_theano.h5",
            (*_CRNN_HEAD, "dropout_1", "output"),
            50,
        ),
        Model("CNN0", "keras106", "weights/cnn_weights_theano.h5", _CNN_LAYERS, 50),
        Model("CNN", "keras106", "weights/music_tagger_cnn_weights_theano.h5", _CNN_LAYERS, 50),
    )
}
DEFAULT_MODELS = ("CRNN", "CNN0", "CNN")


class Case(NamedTuple):
    """A model with the weights and clips it is run on. `data` is "real" (published or given files)
    or "seeded".
    """

    model: Model
    weights: Path
    clips: tuple
    data: str


def cells(models=DEFAULT_MODELS):
    """Every declared (model, layer, mode), in network order."""
    return [
        (name, layer, mode) for name in models for layer in MODELS[name].layers for mode in MODES
    ]


def _known(kind, name, names):
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0)
        raise CannotRun(
            f"no {kind} called {name!r}; did you mean {near[0]}? Known: {', '.join(names)}"
        )
    return name


def select(models, layers):
    """Check the names a user asked for; an empty choice means all. Returns (model names, layer
    names or None).
    """
    chosen = (
        tuple(dict.fromkeys(_known("model", name, list(MODELS)) for name in models))
        or DEFAULT_MODELS
    )
    known = list(dict.fromkeys(layer for name in chosen for layer in MODELS[name].layers))
    return chosen, tuple(dict.fromkeys(_known("layer", layer, known) for layer in layers)) or None


def case_for(name, weights=None, clips=()):
    """The case of one model: given files first, then the data folder and cache, then seeded
    stand-ins.

    Raises CannotRun where a given file is missing or a found one is not what its digest says.
    """
    from parity.fixtures import seeded, store

    model = MODELS[name]
    given = _existing(weights) if weights else None
    found = given or store.find(model.weights)
    heard = [_existing(clip) for clip in clips] or [store.find(clip) for clip in CLIPS]
    if not all(heard):
        heard = seeded.clips(len(CLIPS))
        return Case(model, found or seeded.weights(name), tuple(heard), "seeded")
    return Case(model, found or seeded.weights(name), tuple(heard), "real" if found else "seeded")


def _existing(path):
    path = Path(path)
    if not path.is_file():
        raise CannotRun(
            f"{path}: no such file; give a Keras weight file (.h5), a mel spectrogram "
            "(.npy) or an audio file"
        )
    return path
