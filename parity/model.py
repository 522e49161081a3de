"""What has to be proved: the originals, their weight files, and one of them with the weights and
clips it is run on.

Those of this project are a project file like anybody's, fixtures/networks/parity.toml.
"""

import re
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from parity import architecture, room, untrusted
from parity.architecture import layer_of, placed
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.keras_files import Said, said, unreadable, what_else
from parity.naming import Names, nearest

if TYPE_CHECKING:
    import h5py

__all__ = ["MODELS", "Case", "Model", "Weights", "case_for", "cases", "select"]

INPUT_SHAPE = (1, 96, 1366)  # C, F, T
SHIPPED = room("fixtures") / "networks" / "parity.toml"


class Definition(NamedTuple):
    """Where an original is defined. path : what the recorder builds: the path of model.to_json()'s
    text or of a file of model.save, or "file.py:function"; custom : a Python file with its own
    classes; architecture : the path of what Keras says of it; asked_by : the options that choose
    it, none for one of this project.
    """

    path: str
    custom: str | None
    architecture: Path
    asked_by: str = ""


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
    definition : Definition or None
        None for what stands in for an original.
    of_clips : bool
        Whether it is run on clips, which may be audio, and not on arrays, one for each input.
    port : str or None
        What is proved unless another is asked for, as `ports.load` takes it; None: one is built.
    """

    name: str
    stack: str
    weights: str
    layers: tuple[str, ...]
    tags: tuple[str, ...]
    definition: Definition | None = None
    of_clips: bool = True
    port: str | None = None

    @property
    def asked_by(self) -> str:
        """The options that choose it, where somebody gave it."""
        return self.definition.asked_by if self.definition else ""

    @property
    def asked(self) -> str:
        """What a port is asked for: the model's name, or the path of its architecture."""
        return str(self.defined.architecture) if self.asked_by else self.name

    @property
    def defined(self) -> Definition:
        """Its definition, where it has one."""
        assert self.definition, f"{self.name} stands in for an original"
        return self.definition


KERAS_VERSIONS = ("1.0.5", "1.0.6", "1.0.7", "1.0.8", "1.1.0", "1.2.2")  # that originals run on


def stack_of(keras: str) -> str:
    """The name of a Keras release's environment, of `recording.stacks.STACKS`."""
    return "keras" + keras.replace(".", "")


def tags_of(entry: dict[str, Any], folder: Path) -> tuple[str, ...]:
    """The names of a model's outputs, which a project file lists, or has in a file of lines."""
    said = entry.get("tags", ())
    if isinstance(said, str):
        try:
            return tuple((folder / said).read_text(encoding="utf-8").splitlines())
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise CannotRun(f"{folder / said}: no tags can be read ({why}); a line each") from error
    return tuple(said)


def _shipped(name: str, entry: dict[str, Any]) -> Model:
    path = SHIPPED.parent / entry["original"]
    nodes = architecture.parse(architecture.read(path), path).nodes
    layers = tuple(node.name for node in nodes if node.kind != architecture.INPUT)
    definition = Definition(str(path), None, path)
    tags = tags_of(entry, SHIPPED.parent)
    stack, weights, port = stack_of(entry["keras"]), entry["weights"], entry["port"]
    return Model(name, stack, weights, layers, tags, definition, port=port)


ENTRIES: dict[str, Any] = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["models"]
MODELS = {name: _shipped(name, entry) for name, entry in ENTRIES.items()}
DEFAULT_MODELS = tuple(name for name in MODELS if not ENTRIES[name].get("only-when-named"))


@dataclass(frozen=True)
class Weights:
    """A Keras 1.x HDF5 weight file, read at most once in a process.

    It stands for its path wherever one is asked for. This is the oracle's own reading, independent
    of the recorder's and of the port's. layers : of a model with nested ones, whose names its file
    does not hold; each is given its own arrays, and so is every node that calls it. around : as
    `architecture.wrapped` has it.

    Examples
    --------
    >>> Weights(Path("CNN0.h5")).params["conv1"]["W"].shape  # doctest: +SKIP
    (32, 1, 3, 3)
    """

    path: Path
    layers: tuple[str, ...] = ()
    around: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def __fspath__(self) -> str:
        return str(self.path)

    __str__ = __fspath__

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:  # the arrays stay in this process
        return Weights, (self.path, self.layers, self.around)

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
        around = dict(self.around)
        return _by_node(self.path, found, self.layers, around) if self.layers else found


class Case(NamedTuple):
    """A model with the weights and clips it is run on. `data` is "real" (published or given files)
    or "seeded"; `keras_from` says who named the release of its stack, "assumed": nobody;
    names: what a port calls its layers; transforms: those that it may compute by way of a
    transform.
    """

    model: Model
    weights: Weights
    clips: tuple[Path, ...]
    data: Literal["real", "seeded"]
    keras_from: Literal["asked", "file", "assumed"] = "assumed"
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
    own = ENTRIES[name]["clips"]
    published = [path for clip in own if (path := store.find(clip))]
    heard = [_existing(clip) for clip in clips]
    if not heard and len(published) == len(own):
        heard = published
    is_real = bool(found and heard)
    read = Weights(found or seeded.weights(name))
    heard = heard or seeded.clips(len(own))
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
    path: PathLike[str],
    found: dict[str, dict[str, np.ndarray]],
    nodes: tuple[str, ...],
    around: dict[str, tuple[str, ...]],
) -> dict[str, dict[str, np.ndarray]]:
    """The arrays of each node, from those of each group under their own names.

    Raises CannotRun where those have the numbers of another process.
    """
    by_layer: dict[str, dict[str, np.ndarray]] = {}
    for (group, dataset), (layer, suffix) in placed(found, nodes, around).items():
        by_layer.setdefault(layer, {})[suffix] = found[group][dataset]
    layers = [layer_of(node) for node in reversed(nodes)]  # the first of a kind is named
    lacking = {_unnumbered(each): each for each in layers if each not in by_layer}
    for group in by_layer:
        if group not in layers and (own := lacking.get(_unnumbered(group))):
            raise CannotRun(
                f"{path}: it has {group} where the model has {own}: Keras numbered them after "
                "other models of that process; give the model.to_json() of it, or take the weights "
                "over by model.load_weights, which goes by order, and save them anew"
            )
    return {node: by_layer[layer_of(node)] for node in nodes if layer_of(node) in by_layer}


def _unnumbered(name: str) -> str:
    return re.sub(r"_\d+$", "", name)


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
