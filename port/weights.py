"""Weight files: Keras HDF5, npz of this port without pickle, `.model` of the port of 2018.

Every name, shape, dtype and value is checked before anything is used; what does not fit is one
WeightsError.
"""

import hashlib
import io
import json
import os
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import chainer
import h5py
import numpy as np

from parity.port.architectures import MODELS, architecture_of
from parity.port.network import Network

FilePath = str | os.PathLike[str]
Arrays = dict[str, np.ndarray]

NPZ_FORMAT = 1
PROVENANCE = "provenance"  # the npz member that says where the others come from
MAGIC = {b"\x89HDF\r\n\x1a\n": "HDF5", b"PK\x03\x04": "npz"}
DAMAGES = (OSError, EOFError, KeyError, NotImplementedError, zipfile.BadZipFile, zlib.error)


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
        The Keras release whose formulas to use; by default what the npz says, else the release of
        the model's published weights.

    Returns
    -------
    Network
        With float32 parameters and running statistics.

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
        arrays = read_hdf5(path)
        model = model or _recognised_or_refused(path, arrays)
        return _filled(path, Network(model, keras), arrays, keras_arrays)
    arrays = read_npz(path)
    if "norm0/avg_var" in arrays:
        model = _published_model(path, arrays, model)
        return _filled(path, Network(model, keras), in_keras_layout(arrays, model), keras_arrays)
    said = _provenance(path, arrays.pop(PROVENANCE, np.array("")))
    if model not in (None, said["model"]):
        raise _of_another_model(path, model, [said["model"]])
    return _filled(path, Network(said["model"], keras or said["keras"]), arrays, chainer_arrays)


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
    return dict(serializer.target)


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

    The member `provenance` is a string array of JSON: format, model, keras, and `origin`.
    """
    said = {"format": NPZ_FORMAT, "model": network.model, "keras": network.keras, **origin}
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
    if magic_of(path) != "HDF5":
        raise WeightsError(f"{path} is an npz, not a Keras HDF5; give the .h5 file of the weights")
    arrays = {}

    def keep(name: str, item: object) -> None:
        if isinstance(item, h5py.Dataset):
            arrays[name] = np.asarray(item[()])

    try:
        with h5py.File(path, "r") as file:
            is_keras = "layer_names" in file.attrs
            file.visititems(keep)
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        raise WeightsError(
            f"{path} is cut short or damaged HDF5; fetch or copy it again"
        ) from error
    if not is_keras:
        raise WeightsError(
            f"{path} has no layer_names, so Keras did not write it; give a file of "
            "model.save_weights"
        )
    return arrays


def read_npz(path: FilePath) -> Arrays:
    """Member -> array of an npz that needs no pickle. Raises WeightsError."""
    if magic_of(path) != "npz":
        raise WeightsError(f"{path} is HDF5, not an npz; convert it first or read it as Keras's")
    try:
        with np.load(path, allow_pickle=False) as members:
            return {name: np.asarray(members[name]) for name in members.files}
    except (ValueError, *DAMAGES) as error:
        fault = "is cut short or a damaged npz"
        if "pickle" in str(error):
            fault = "holds pickled objects, which are never loaded"
        raise WeightsError(f"{path} {fault}; convert the weights again") from error


def magic_of(path: FilePath) -> str:
    """The kind of a weight file by its first bytes: HDF5 or npz. Raises WeightsError."""
    try:
        with open(path, "rb") as stream:
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
        raise WeightsError(f"{path} is empty; fetch or copy it again")
    for magic, kind in MAGIC.items():
        if head.startswith(magic):
            return kind
    raise WeightsError(f"{path} is neither HDF5 nor npz; give a Keras .h5 or a converted .npz")


def _filled(
    path: FilePath, network: Network, found: Arrays, as_arrays: Callable[[Network], Arrays]
) -> Network:
    targets = as_arrays(network)
    if fault := next(_faults(found, targets), None):
        twins = resembles(found, as_arrays)
        if twins and network.model not in twins:
            raise _of_another_model(path, network.model, twins)
        raise WeightsError(f"{path}: {fault}; give an intact file of {network.model}'s weights")
    for name, target in targets.items():
        target[...] = found[name]
    return network


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
        elif not np.isfinite(array).all():
            worst = tuple(int(i) for i in np.argwhere(~np.isfinite(array))[0])
            yield f"{name} has {array[worst]} at {worst}"


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
        return "CNN" if arrays["bn1/bn1_running_mean"].any() else "CNN0"
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
        f"{path} holds none of the models {', '.join(MODELS)}: for {near}, the nearest, "
        f"{next(_faults(arrays, expected[near]))}; give an intact file of one"
    )


def _of_another_model(path: FilePath, model: str | None, twins: list[str]) -> WeightsError:
    held = " or ".join(twins)
    return WeightsError(
        f"{path} holds the weights of {held}, not {model}; ask for {held} or give {model}'s file"
    )


def _provenance(path: FilePath, member: np.ndarray) -> dict[str, Any]:
    try:
        said: dict[str, Any] = json.loads(str(member[()]))
        fits = (
            said["format"] == NPZ_FORMAT
            and said["model"] in MODELS
            and isinstance(said["keras"], str)
        )
    except (KeyError, TypeError, ValueError):
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
        for name, kind, _ in MODELS[model].layers
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
        return np.sqrt(array) if is_squared else array.T

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
