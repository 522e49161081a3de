"""What has to be proved: the originals, their weight files, and one of them with the weights and
clips it is run on.

The declared layers are written here, by hand, from the original definitions (sources:
reference/models.py), so that a layer which vanished from the original or from the port is missed
and not forgotten.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from parity import untrusted
from parity.architecture import layer_of, placed
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.fixtures.tags import GENRES, TAGS
from parity.keras_files import Said, said, unreadable, what_else
from parity.naming import Names, nearest

if TYPE_CHECKING:
    import h5py

__all__ = ["MODELS", "Case", "Model", "Weights", "case_for", "cases", "select"]

CLIPS = ("melgrams/bensound-thejazzpiano.npy", "melgrams/bensound-actionable.npy")
INPUT_SHAPE = (1, 96, 1366)  # C, F, T


def _blocks(count: int) -> list[str]:
    """Names of `count` convolution blocks, in network order."""
    kinds = ("conv{}", "bn{}", "elu_{}", "pool{}", "dropout{}")
    return [name.format(block) for block in range(1, count + 1) for name in kinds]


_CNN = ("bn_0_freq", *_blocks(5), "flatten_1", "output")
_CRNN = ("zeropadding2d_1", "bn_0_freq", *_blocks(4), "permute_1", "reshape_1", "gru1", "gru2")


class Outside(NamedTuple):
    """An original that somebody gave. definition : what the recorder builds: the path of
    model.to_json()'s text or of a file of model.save, or "file.py:function"; custom : a Python file
    with its own classes; architecture : the path of what Keras says of it; asked_by : the options
    that choose it.
    """

    definition: str
    custom: str | None
    architecture: Path
    asked_by: str


class Model(NamedTuple):
    """An original.

    Attributes
    ----------
    name : str
    stack : str
        The Keras release that explains its weights, a name of `recording.stacks.STACKS`.
    weights : str
        Its published file, below the data folder.
    layers : tuple of str
        As Keras names them, in network order.
    tags : tuple of str
        What its outputs stand for.
    outside : Outside or None
        Where it is defined, for an original that is none of this project's.
    """

    name: str
    stack: str
    weights: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]
    outside: Outside | None = None

    @property
    def asked(self) -> str:
        """What a port is asked for: the model's name, or the path of its architecture."""
        return str(self.outside.architecture) if self.outside else self.name


KERAS_VERSIONS = ("1.0.5", "1.0.6", "1.0.7", "1.0.8", "1.1.0", "1.2.2")  # that originals run on


def stack_of(keras: str) -> str:
    """The name of a Keras release's environment, of `recording.stacks.STACKS`."""
    return "keras" + keras.replace(".", "")


# fmt: off
MODELS = {
    row[0]: Model(row[0], row[1], f"weights/{row[2]}.h5", *row[3:])
    for row in (
        ("CRNN", "keras110", "crnn_net_gru_adam_ours_epoch_40",
         (*_CRNN, "final_drop", "preds"), GENRES),
        ("CRNN50", "keras106", "music_tagger_crnn_weights_theano",
         (*_CRNN, "dropout_1", "output"), TAGS),
        ("CNN0", "keras106", "cnn_weights_theano", _CNN, TAGS),
        ("CNN", "keras106", "music_tagger_cnn_weights_theano", _CNN, TAGS),
    )
}
# fmt: on
DEFAULT_MODELS = ("CRNN", "CNN0", "CNN")


@dataclass(frozen=True)
class Weights:
    """A Keras 1.x HDF5 weight file, read at most once in a process.

    It stands for its path wherever one is asked for. This is the oracle's own reading, independent
    of the recorder's and of the port's. layers : of a model with nested ones, whose names its file
    does not hold; each is given its own arrays, and so is every node that calls it.

    Examples
    --------
    >>> Weights(Path("CNN0.h5")).params["conv1"]["W"].shape  # doctest: +SKIP
    (32, 1, 3, 3)
    """

    path: Path
    layers: tuple[str, ...] = ()

    def __fspath__(self) -> str:
        return str(self.path)

    __str__ = __fspath__

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:  # the arrays stay in this process
        return Weights, (self.path, self.layers)

    @cached_property
    def sha256(self) -> str:
        """Digest of the file's bytes, hex."""
        return sha256_of(self.path)

    @cached_property
    def said(self) -> Said:
        """Which Keras release and backend the file says wrote it; nothing where it is no HDF5."""
        try:
            with untrusted.hdf5(self.path) as file:
                return said(file)
        except OSError:
            return Said(None, None)  # reading the parameters says why

    @cached_property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """{layer: {suffix: float32 array}}, suffixes as Keras has them (W, b, gamma, W_z, ...).

        Raises CannotRun for a file that is missing, empty, cut short, not HDF5, or that holds
        anything but finite float32 numbers.
        """
        found = _read(Path(self.path), bool(self.layers))
        return _by_node(found, self.layers) if self.layers else found


class Case(NamedTuple):
    """A model with the weights and clips it is run on. `data` is "real" (published or given files)
    or "seeded"; `keras_from` says who named the release of its stack, "assumed": nobody;
    port: the one that its project names; names: what a port calls its layers; transforms: those
    that it may compute by way of a transform.
    """

    model: Model
    weights: Weights
    clips: tuple[Path, ...]
    data: Literal["real", "seeded"]
    keras_from: Literal["asked", "file", "assumed"] = "assumed"
    port: str | None = None
    names: Names = Names()
    transforms: frozenset[str] = frozenset()

    @property
    def params(self) -> dict[str, dict[str, np.ndarray]]:
        """Those of its weights, and of each group of fused layers under its name."""
        from parity.kinds.fused import of_group

        own = self.weights.params
        return own | {name: of_group(own, group) for name, group in self.names.groups.items()}

    @property
    def remarks(self) -> list[str]:
        """What contradicts the release that it is run on, a sentence each."""
        from parity.fixtures.store import CONFLICTS

        told, name = self.weights.said.keras, self.model.name
        found = [CONFLICTS[name]] if name in CONFLICTS and self.data == "real" else []
        if told and stack_of(told) != self.model.stack:
            found.append(f"{self.weights.path.name} says that Keras {told} wrote it")
        for group, port in self.names.fused:
            layers = ", ".join(self.names.groups[group])
            found.append(f"the port computes {layers} in one ({port}), so they are judged as one")
        return found


def select(
    models: Iterable[str], layers: Iterable[str] = ()
) -> tuple[tuple[str, ...], tuple[str, ...] | None]:
    """Check the names a user asked for; an empty choice means all.

    Returns (model names, layer names or None). Raises CannotRun with the nearest known name.
    """
    chosen = tuple(dict.fromkeys(nearest("model", name, MODELS) for name in models))
    chosen = chosen or DEFAULT_MODELS
    known = dict.fromkeys(layer for name in chosen for layer in MODELS[name].layers)
    return chosen, tuple(dict.fromkeys(nearest("layer", layer, known) for layer in layers)) or None


def cases(
    models: Iterable[str] = (),
    weights: str | PathLike[str] | None = None,
    clips: Iterable[str | PathLike[str]] = (),
    keras: str | None = None,
) -> list[Case]:
    """The cases of the models, weight file, clips and Keras release a user asked for.

    Raises CannotRun.
    """
    names, _ = select(models)
    if weights and len(names) != 1:
        raise CannotRun("--weights belongs to one model; say which with --model")
    return [case_for(name, weights, clips, keras) for name in names]


def case_for(
    name: str,
    weights: str | PathLike[str] | None = None,
    clips: Iterable[str | PathLike[str]] = (),
    keras: str | None = None,
) -> Case:
    """The case of one model: given files first, then the data folder and cache, then seeded
    stand-ins; on the Keras release asked for, else on the one that the file says, else on the
    model's own.

    Raises CannotRun where a given file is missing, a found one is not what its digest says, or the
    file's release has no environment.
    """
    from parity.fixtures import seeded, store

    found = _weights(weights) if weights else store.find(MODELS[name].weights)
    published = [path for clip in CLIPS if (path := store.find(clip))]
    heard = [_existing(clip) for clip in clips]
    if not heard and len(published) == len(CLIPS):
        heard = published
    is_real = bool(found and heard)
    read = Weights(found or seeded.weights(name))
    heard = heard or seeded.clips(len(CLIPS))
    model, told = MODELS[name], read.said.keras
    if told and not keras and told not in KERAS_VERSIONS:
        raise CannotRun(
            f"{read} says that Keras {told} wrote it, and no environment has that; say with "
            f"--keras on which of {', '.join(KERAS_VERSIONS)} to run it"
        )
    if release := keras or told:
        model = model._replace(stack=stack_of(release))
    source: Any = "asked" if keras else "file" if told else "assumed"
    return Case(model, read, tuple(heard), "real" if is_real else "seeded", source)


def _weights(given: str | PathLike[str]) -> Path:
    """The path of a given weight file, which the recorder, the port and the oracle may open."""
    path = _existing(given)
    try:
        with untrusted.hdf5(path):
            return path
    except OSError as error:
        raise CannotRun(unreadable(path, error)) from error


def _existing(given: str | PathLike[str]) -> Path:
    path = Path(given)
    if not path.is_file():
        raise CannotRun(
            f"{path}: no such file; give a Keras weight file (.h5), a mel spectrogram "
            "(.npy) or an audio file"
        )
    return path


def _by_node(
    found: dict[str, dict[str, np.ndarray]], nodes: tuple[str, ...]
) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each node, from those of each group under their own names."""
    by_layer: dict[str, dict[str, np.ndarray]] = {}
    for (group, dataset), (layer, suffix) in placed(found, nodes).items():
        by_layer.setdefault(layer, {})[suffix] = found[group][dataset]
    return {node: by_layer[layer_of(node)] for node in nodes if layer_of(node) in by_layer}


def _read(path: Path, whole_names: bool = False) -> dict[str, dict[str, np.ndarray]]:
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CannotRun(
            f"{path}: the weights cannot be read ({error.strerror}); check the path"
        ) from error
    if size == 0:
        raise CannotRun(f"{path}: the weight file is empty; fetch it again")
    try:
        with untrusted.hdf5(path) as file:
            root = file.get("model_weights", file) if whole_names else file
            if words := what_else(file, root):
                raise CannotRun(f"{path} {words}")
            names = _names(path, root, "layer_names")
            return {layer: _layer(path, root, layer, whole_names) for layer in names}
    except OSError as error:
        raise CannotRun(unreadable(path, error)) from error


def _names(path: Path, group: "h5py.Group", attribute: str) -> list[str]:
    if attribute not in group.attrs:
        raise CannotRun(
            f"{path}: {group.name} has no {attribute}, so it is no Keras weight file; "
            "give one saved by save_weights"
        )
    return untrusted.texts(group, attribute)


def _layer(path: Path, file: "h5py.Group", layer: str, whole_names: bool) -> dict[str, np.ndarray]:
    if not hasattr(file.get(layer), "keys"):
        raise CannotRun(f"{path}: layer {layer} is named but missing; fetch the file again")
    group = file[layer]
    return {
        name if whole_names else _suffix(layer, name): _array(path, group, name)
        for name in _names(path, group, "weight_names")
    }


def _suffix(layer: str, name: str) -> str:
    name = name.rsplit("/", 1)[-1]
    return name[len(layer) + 1 :] if name.startswith(layer + "_") else name


def _array(path: Path, group: "h5py.Group", name: str) -> np.ndarray:
    if not hasattr(group.get(name), "dtype"):
        raise CannotRun(f"{path}: {group.name}/{name} is named but missing; fetch the file again")
    array: np.ndarray = group[name][()]
    if array.dtype != np.float32:
        raise CannotRun(
            f"{path}: {name} is {array.dtype}, not float32; save the weights in float32"
        )
    if not np.isfinite(array).all():
        raise CannotRun(
            f"{path}: {name} holds {np.count_nonzero(~np.isfinite(array))} values that "
            "are NaN or infinite; "
            "these weights cannot be judged"
        )
    if name.endswith("running_std") and (array < 0).any():
        raise CannotRun(
            f"{path}: {name} holds {np.count_nonzero(array < 0)} negative values, and deviations "
            "and variances have none; fetch the file again"
        )
    return array
