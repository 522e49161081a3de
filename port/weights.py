"""Weight files: Keras HDF5, npz of this port without pickle, `.model` of the port of 2018.

Every name, shape, dtype and value is checked before anything is used; what does not fit is one
WeightsError.
"""

import hashlib
import io
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import chainer
import numpy as np

from parity import untrusted
from parity.keras_files import Said, said, unreadable, what_else
from parity.port.architectures import MODELS, architecture_of
from parity.port.keras_versions import is_known
from parity.port.network import Network
from parity.port.statistics import RELEASE_OF, kept

FilePath = str | os.PathLike[str]
Arrays = dict[str, np.ndarray]

NPZ_FORMAT = 1
PROVENANCE = "provenance"  # the npz member that says where the others come from
MAGIC = {b"\x89HDF\r\n\x1a\n": "HDF5", b"PK\x03\x04": "npz"}
SAID = {"std": "deviations", "variance": "variances"}


class WeightsError(ValueError):
    """A weight file that cannot be used: one sentence with what, where and what to do."""


def load(model: str | None, weights: FilePath, keras: str | None = None) -> Network:
    """Read a weight file into a network.

    Parameters
    ----------
    model : str or None
        A name of `parity.port.architectures.MODELS`; None to recognise it from the file.
    weights : path
        Keras HDF5, an npz of `npz_bytes`, or a .model file of the port published in 2018.
    keras : str, optional
        The Keras release whose formulas to use; by default what the file says of itself, else the
        release of the model's published weights.

    Returns
    -------
    Network
        With float32 parameters and running statistics. `keras_from` says where its release comes
        from: "asked", "file" or "assumed"; `remarks` what contradicts it, a sentence each.

    Raises
    ------
    ValueError
        For an unknown model or release.
    WeightsError
        For a file that is missing, damaged, of another model or of none.
    """
    if model is not None:
        architecture_of(model)
    path = Path(weights)
    if magic_of(path) == "HDF5":
        arrays, told = _read_hdf5(path)
        model = model or _recognised_or_refused(path, arrays)
        return _filled(path, model, (keras, told.keras), arrays, keras_arrays)
    arrays = read_npz(path)
    if "norm0/avg_var" in arrays:
        model = _published_model(path, arrays, model)
        return _filled(path, model, (keras, None), in_keras_layout(arrays, model), keras_arrays)
    origin = _provenance(path, arrays.pop(PROVENANCE, np.array("")))
    if model not in (None, origin["model"]):
        raise _of_another_model(path, model, [origin["model"]])
    network = _filled(path, origin["model"], (keras, origin["keras"]), arrays, chainer_arrays)
    if network.keras_from == "file":
        network.keras_from = origin.get("keras_from", "file")
    return network


def keras_arrays(network: Network) -> Arrays:
    """Keras's dataset "conv1/conv1_W" -> the parameter as a writeable view in Keras's layout."""
    return {
        f"{name}/{name}_{suffix}": view
        for name, link in network.steps().items()
        if hasattr(link, "keras_arrays")
        for suffix, view in link.keras_arrays().items()
    }


def chainer_arrays(network: Network) -> Arrays:
    """Chainer's name "conv1/W" -> the parameter itself, as the npz files hold it."""
    serializer = chainer.serializers.DictionarySerializer()
    serializer.save(network)
    return dict(sorted(serializer.target.items()))


def digest_of(network: Network) -> str:
    """sha256, hex, of all parameters and running statistics with their names."""
    digest = hashlib.sha256()
    for name, array in keras_arrays(network).items():
        digest.update(
            f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()


def npz_bytes(network: Network, **origin: object) -> bytes:
    """All parameters and running statistics as an uncompressed npz without pickle.

    The member `provenance` is a string array of JSON: format, model, keras, keras_from, `origin`.
    """
    release = {"keras": network.keras, "keras_from": network.keras_from}
    said = {"format": NPZ_FORMAT, "model": network.model, **release, **origin}
    return archive(chainer_arrays(network), said)


def archive(members: Arrays, said: Mapping[str, object]) -> bytes:
    """The bytes of an npz of `members` with `said` as its provenance; equal input, equal bytes."""
    stream = io.BytesIO()
    np.savez(stream, **members, **{PROVENANCE: np.array(json.dumps(said, sort_keys=True))})
    return stream.getvalue()


def read_any(path: FilePath) -> Arrays:
    """Name -> array of everything in a Keras HDF5 or an npz. Raises WeightsError."""
    return read_hdf5(path) if magic_of(path) == "HDF5" else read_npz(path)


def read_hdf5(path: FilePath) -> Arrays:
    """Dataset "layer/dataset" -> array of a Keras 1.x weight file. Raises WeightsError."""
    return _read_hdf5(path)[0]


def _read_hdf5(path: FilePath) -> tuple[Arrays, Said]:
    if magic_of(path) != "HDF5":
        raise WeightsError(f"{path} is an npz, not a Keras HDF5; give the .h5 file of the weights")
    arrays = {}

    def keep(name: str, item: Any) -> None:
        if hasattr(item, "dtype"):
            arrays[name] = np.asarray(item[()])

    try:
        with untrusted.hdf5(path) as file:
            words, told = what_else(file), said(file)
            if not words:
                file.visititems(keep)
    except OSError as error:
        raise WeightsError(unreadable(path, error)) from error
    if words:
        raise WeightsError(f"{path} {words}")
    return arrays, told


def read_npz(path: FilePath) -> Arrays:
    """Member -> array of an npz that needs no pickle. Raises WeightsError."""
    if magic_of(path) != "npz":
        raise WeightsError(f"{path} is HDF5, not an npz; convert it first or read it as Keras's")
    try:
        return untrusted.npz(path)
    except OSError as error:
        raise WeightsError(f"{path} {error}; convert the weights again") from error


def magic_of(path: FilePath) -> str:
    """The kind of a weight file by its first bytes: HDF5 or npz. Raises WeightsError."""
    try:
        with untrusted.opened(path) as stream:
            head = stream.read(8)
    except FileNotFoundError as error:
        raise WeightsError(
            f"{path} is not there; give the path of a Keras .h5 or a converted .npz"
        ) from error
    except OSError as error:
        raise WeightsError(
            f"{path} cannot be read ({error.strerror}); give a readable file"
        ) from error
    if not head:
        raise WeightsError(
            f"{path} is empty; fetch or copy it again, or wait where a program is writing it"
        )
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    raise WeightsError(f"{path} is neither HDF5 nor npz; give a Keras .h5 or a converted .npz")


def _filled(
    path: FilePath,
    model: str,
    releases: tuple[str | None, str | None],
    found: Arrays,
    as_arrays: Callable[[Network], Arrays],
) -> Network:
    """The network with the arrays that were found; releases: asked for, told by the file."""
    asked, told = releases
    if told and not asked and not is_known(told):
        raise WeightsError(
            f"{path} says that Keras {told} wrote it, whose formulas are not known here; say with "
            "--keras by which to read it"
        )
    network = Network(model, asked or told)
    targets = as_arrays(network)
    if fault := next(_faults(found, targets), None):
        twins = resembles(found, as_arrays)
        if twins and model not in twins:
            raise _of_another_model(path, model, twins)
        instead = f": {fault}; give {model}'s weights as model.save_weights writes them"
        raise WeightsError(f"{path}{_layout(found) or instead}")
    for name, target in targets.items():
        target[...] = found[name]
    _check_modes(path, network)
    return _of_release(path, network, asked, told)


def _of_release(path: FilePath, network: Network, asked: str | None, told: str | None) -> Network:
    """The network by the release that its file can be from, with what contradicts it said aloud.

    Where nobody names a release, the size of the statistics decides whether `running_std` is a
    deviation or a variance, if it can.
    """
    network.keras_from = "asked" if asked else "file" if told else "assumed"
    if asked and told not in (None, asked):
        network.remarks += (
            f"{path} says that Keras {told} wrote it, and is read by the formulas of {asked}, as "
            "was asked",
        )
    meaning = kept(network)
    if meaning not in (None, network.bn_0_freq.dialect.stored):
        words = f"{path}: by their size the numbers under running_std are {SAID[meaning]}"
        if network.keras_from == "assumed":
            other = Network(network.model, RELEASE_OF[meaning])
            for name, array in chainer_arrays(other).items():
                array[...] = chainer_arrays(network)[name]
            other.keras_from, other.remarks = network.keras_from, network.remarks
            words += f", so the formulas of Keras {other.keras} are assumed, not {network.keras}'s"
            network = other
        else:
            words += f", which Keras {network.keras} does not keep there; its answers mean little"
        network.remarks += (words,)
    return network


def _check_modes(path: FilePath, network: Network) -> None:
    """Refuse CNN's parameters in CNN0's place and the other way round, which fit by their names;
    remark on statistics that no training moved.
    """
    links: dict[str, Any] = network.steps()
    modes = {name: link.mode for name, link in links.items() if hasattr(link, "running_mean")}
    moved = [name for name in modes if has_moved(links[name].running_mean, links[name].running_std)]
    wrong = [name for name in moved if modes[name] == 2]
    still = [name for name, mode in modes.items() if mode == 0 and name not in moved]
    if wrong:
        raise WeightsError(
            f"{path}: training moved the statistics of {wrong[0]}, and that of {network.model} "
            "never does (mode 2), so these are CNN's weights; ask for CNN or give "
            f"{network.model}'s file"
        )
    if network.model == "CNN" and moved == ["bn_0_freq"]:
        raise WeightsError(
            f"{path}: the statistics of {', '.join(still)} are still the 0 and 1 they began with, "
            "as those of CNN0 are (mode 2), so these are not CNN's weights; ask for CNN0 or give "
            "CNN's file"
        )
    if still:
        network.remarks += (
            f"{path}: the statistics of {', '.join(still)} are still the 0 and 1 they began with, "
            "so training never moved them",
        )


def has_moved(mean: np.ndarray, std: np.ndarray) -> bool:
    """Whether training moved a normalisation's statistics from the 0 and 1 they begin with."""
    return bool(mean.any() or (std != 1).any())


def _faults(found: Arrays, expected: Arrays) -> Iterator[str]:
    # Lazily, so that only the first fault of a bad file costs anything.
    yield from (f"{name} is missing" for name in expected if name not in found)
    yield from (f"{name} is not part of the model" for name in found if name not in expected)
    for name, target in expected.items():
        array = found[name]
        if array.shape != target.shape:
            yield f"{name} has shape {array.shape}, expected {target.shape}"
        if array.dtype != target.dtype:
            yield f"{name} has dtype {array.dtype}, expected {target.dtype}"
            continue
        bad = ~np.isfinite(array)
        if name.endswith("running_std"):  # a deviation or a variance
            bad |= array < 0
        if bad.any():
            worst = tuple(int(i) for i in np.argwhere(bad)[0])
            yield f"{name} has {array[worst]} at {worst}"


def _layout(found: Arrays) -> str | None:
    """What Keras 1 wrote in another layout than the taggers', and what to do; None where it is none
    of the known ones.
    """
    groups = dict.fromkeys(name.split("/")[0] for name in found)
    ours = {name for row in MODELS.values() for name in row.layers}
    strange = [group for group in groups if group not in ours]
    kernels = [array.shape for array in found.values() if array.ndim == 4]
    if kernels and all(shape[:2] == (3, 3) and shape[2:] != (3, 3) for shape in kernels):
        return (
            f" has its kernels in TensorFlow's order of dimensions {kernels[0]}; build the model "
            "with dim_ordering th on Theano, set its weights there (kernels transposed and "
            "flipped) and save those with model.save_weights"
        )
    if any(re.search(r"/gru\d_[WUb]$", name) for name in found):
        return (
            " keeps the three gates of gru1 in one matrix (consume_less='gpu'); split W, U and b "
            "along their last axis into z, r and h in the same model with consume_less='cpu', "
            "and save that with model.save_weights"
        )
    if found and all(array.dtype == np.float64 for array in found.values()):
        return (
            " holds float64 numbers (Keras ran with floatx float64); load them with floatx float32 "
            "and save them again with model.save_weights"
        )
    for group in strange:
        if any(name.startswith(f"{group}/conv1") for name in found):
            return (
                f" has its layers inside {group}, a model within a model; save those of the inner "
                f"one: model.get_layer('{group}').save_weights"
            )
    if strange and all(re.search(r"_\d+$", group) for group in strange) and "conv1" not in groups:
        return (
            f" has its layers under names that Keras made up ({strange[0]}); give the layers the "
            "names of docs/originals.md, load it with model.load_weights, which goes by their "
            "order, and save it again with model.save_weights"
        )
    return None


def resembles(arrays: Arrays, as_arrays: Callable[[Network], Arrays] = keras_arrays) -> list[str]:
    """The models whose names and shapes `arrays` has (CNN and CNN0 share theirs)."""
    shapes = {name: array.shape for name, array in arrays.items()}
    return [
        model
        for model in MODELS
        if {name: array.shape for name, array in as_arrays(Network(model)).items()} == shapes
    ]


def _recognised(arrays: Arrays) -> str | None:
    """The one model whose parameters `arrays` holds, in Keras's layout, or None.

    CNN0's and CNN's differ in unused statistics only: mode 2 never updates those of CNN0, so they
    are still the 0 and 1 they began with.
    """
    held = resembles(arrays)
    if len(held) == 2:
        stored = (
            arrays[f"bn{n}/bn{n}_running_{what}"] for n in range(1, 6) for what in ("mean", "std")
        )
        return "CNN" if any(map(has_moved, stored, stored)) else "CNN0"
    return held[0] if held else None


def _recognised_or_refused(path: FilePath, arrays: Arrays) -> str:
    if model := _recognised(arrays):
        return model
    expected = {model: keras_arrays(Network(model)) for model in MODELS}

    def shared(model: str) -> int:
        return sum(
            name in arrays and arrays[name].shape == array.shape
            for name, array in expected[model].items()
        )

    near = max(expected, key=shared)
    raise WeightsError(
        f"{path}{words}"
        if (words := _layout(arrays))
        else f"{path} holds none of the models {', '.join(MODELS)}: for {near}, the nearest, "
        f"{next(_faults(arrays, expected[near]))}; give a file of one"
    )


def _of_another_model(path: FilePath, model: str | None, twins: list[str]) -> WeightsError:
    held = " or ".join(twins)
    return WeightsError(
        f"{path} holds the weights of {held}, not {model}; ask for {held} or give {model}'s file"
    )


def _provenance(path: FilePath, member: np.ndarray) -> dict[str, Any]:
    try:
        said: dict[str, Any] = untrusted.json_of(str(member[()]))
        fits = (
            said["format"] == NPZ_FORMAT
            and said["model"] in MODELS
            and isinstance(said["keras"], str)
        )
    except (OSError, KeyError, TypeError):
        fits = False
    if not fits:
        raise WeightsError(
            f"{path} does not say which model it is for in this version's way; convert "
            "the weights again"
        )
    if said.get("kind"):
        raise WeightsError(
            f"{path} holds a {said['kind']} of {said['model']}, not weights; give it to "
            "--calibration"
        )
    return said


# The npz files of github.com/shun60s/music-tagging-chainer, data/*.model: links of other names, and
# an `avg_var` that is a variance where Keras 1.0.6 keeps a standard deviation.
PUBLISHED = ("CRNN", "CNN0", "CNN")
VARIANCE_IS_STORED = {"CRNN"}  # the other models' files hold the square of what Keras keeps
PUBLISHED_BN = {
    "gamma": "gamma", "beta": "beta", "running_mean": "avg_mean", "running_std": "avg_var",
}  # fmt: skip
PUBLISHED_GRU = {  # the bias is that of the link of W
    f"{part}_{gate}": f"{link}_{gate}/{end}".replace("_h/", "/")
    for gate in "zrh"
    for part, link, end in (("W", "W", "W"), ("U", "U", "W"), ("b", "W", "b"))
}


def published_members(model: str) -> dict[str, str]:
    """Keras's dataset "conv1/conv1_W" -> the member of a published .model file that holds it."""
    return {
        f"{name}/{name}_{suffix}": member
        for name, kind in MODELS[model].layers.items()
        for suffix, member in _published_of_layer(name, kind).items()
    }


def _published_of_layer(name: str, kind: str) -> dict[str, str]:
    if kind == "BatchNormalization":
        link = f"norm{0 if name == 'bn_0_freq' else name[2:]}"
        return {suffix: f"{link}/{member}" for suffix, member in PUBLISHED_BN.items()}
    if kind == "GRU":
        return {suffix: f"{name}/{member}" for suffix, member in PUBLISHED_GRU.items()}
    links = {"Convolution2D": name, "Dense": "fc1"}
    return {suffix: f"{links[kind]}/{suffix}" for suffix in "Wb"} if kind in links else {}


def in_keras_layout(arrays: Arrays, model: str) -> Arrays:
    """The members of a published file under Keras's names, in Keras's layout and meaning."""

    def turned(member: str) -> np.ndarray:
        array = arrays[member]
        if array.ndim == 4:
            return array[:, :, ::-1, ::-1]
        is_squared = member.endswith("avg_var") and model not in VARIANCE_IS_STORED
        # The sign stays, to be refused.
        return np.copysign(np.sqrt(np.abs(array)), array) if is_squared else array.T

    return {name: turned(member) for name, member in published_members(model).items()}


def _published_model(path: FilePath, arrays: Arrays, model: str | None) -> str:
    # norm0/N .. count the batches of a training phase that the published port does not have.
    members = {name for name in arrays if not name.endswith("/N")}
    held = [known for known in PUBLISHED if members == set(published_members(known).values())]
    if not held:
        raise WeightsError(
            f"{path} has names of the published Chainer port but not all of them; fetch "
            "or copy it again"
        )
    if model is None:
        return _recognised_or_refused(path, in_keras_layout(arrays, held[0]))
    if model not in held:
        raise _of_another_model(path, model, held)
    return model
