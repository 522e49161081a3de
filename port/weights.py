"""Weights in and out: Keras HDF5 -> parameters, and npz files of our own without pickle.

Every name, shape, dtype and value is checked before anything is used; what does not fit is one
WeightsError.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
from chainer.serializers import DictionarySerializer, NpzDeserializer

from parity.port.files import CannotWrite, FilePath, write_atomically
from parity.port.links.batch_normalization import BatchNormalization
from parity.port.links.gru import GRU
from parity.port.links.layers import Convolution2D, SigmoidDense
from parity.port.models import MODELS, Tagger, architecture_of
from parity.port.published import candidates, in_keras_layout, looks_published

NPZ_FORMAT = 1
PROVENANCE = "provenance"  # the npz member that says where the others come from
MAGIC = {b"\x89HDF\r\n\x1a\n": "HDF5", b"PK\x03\x04": "npz"}


class WeightsError(ValueError):
    """A weight file that cannot be used: one sentence with what, where and what to do."""


def _same(array):
    return array


def _flipped(array):
    # Theano convolves and Chainer correlates: the same kernel, read from its other end.
    return array[:, :, ::-1, ::-1]


def _gate(parameter, index):
    # The rows of gate z, r or h in the GRU's stacked parameters, as a view.
    return lambda link: np.split(getattr(link, parameter).array, 3)[index]


# Link -> Keras suffix, in the order of Keras's weight_names -> (the parameter as a view, its turn
# to Keras's layout and back). Every turn is its own inverse, so one table reads, writes and knows
# the shapes.
LAYOUTS = {
    Convolution2D: {
        "W": (lambda link: link.W.array, _flipped),
        "b": (lambda link: link.b.array, _same),
    },
    SigmoidDense: {
        "W": (lambda link: link.W.array, np.transpose),
        "b": (lambda link: link.b.array, _same),
    },
    BatchNormalization: {
        "gamma": (lambda link: link.gamma.array, _same),
        "beta": (lambda link: link.beta.array, _same),
        "running_mean": (lambda link: link.running_mean, _same),
        "running_std": (lambda link: link.running_std, _same),
    },
    GRU: {
        f"{part}_{gate}": (_gate(part, index), turn)
        for index, gate in enumerate("zrh")
        for part, turn in (("W", np.transpose), ("U", np.transpose), ("b", _same))
    },
}


def keras_arrays(tagger: Tagger) -> dict[str, np.ndarray]:
    """Ordered dict "conv1/conv1_W" -> the tagger's parameter as a writeable view in Keras's
    layout.
    """
    return {
        f"{name}/{name}_{suffix}": turn(view(link))
        for name, link in tagger.steps().items()
        for suffix, (view, turn) in LAYOUTS.get(type(link), {}).items()
    }


def digest_of(tagger: Tagger) -> str:
    """sha256, hex, of all parameters and running statistics with their names, whatever kind of
    file they came from.
    """
    digest = hashlib.sha256()
    for name, array in keras_arrays(tagger).items():
        digest.update(
            f"{name} {array.dtype} {array.shape}".encode() + np.ascontiguousarray(array).tobytes()
        )
    return digest.hexdigest()


def read_into(model: str, path: FilePath, keras: str | None = None) -> Tagger:
    """A Tagger of `model` filled from `path`; see parity.port.models.load."""
    architecture_of(model)
    path = Path(path)
    if _magic(path) == "HDF5":
        return load_hdf5(path, model, keras)
    return load_npz(path, model, keras)


def load_hdf5(path: FilePath, model: str, keras: str | None = None) -> Tagger:
    """A Tagger from a Keras 1.x weight file: float32 datasets /<layer>/<layer>_<suffix>."""
    return _filled(path, Tagger(model, keras), read_hdf5(path))


def _filled(path, tagger, found):
    targets = keras_arrays(tagger)
    _check(path, tagger.model, found, targets, keras_arrays)
    for name, target in targets.items():
        target[...] = found[name]
    return tagger


def read_hdf5(path: FilePath) -> dict[str, np.ndarray]:
    """Ordered dict "layer/dataset" -> array, of everything in a Keras HDF5 weight file.

    Raises WeightsError where the file is missing, empty, cut short, or not Keras's.
    """
    if _magic(path) != "HDF5":
        raise WeightsError(f"{path} is an npz, not a Keras HDF5; give the .h5 file of the weights")
    arrays = {}

    def keep(name, item):
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


def save_npz(path: FilePath, tagger: Tagger, **origin) -> None:
    """Write all parameters and running statistics to `path`, uncompressed, atomically and without
    pickle.

    The member `provenance` is a string array holding JSON: format, model, keras, and whatever
    `origin` says.
    """
    said = {"format": NPZ_FORMAT, "model": tagger.model, "keras": tagger.keras, **origin}
    members = _chainer_arrays(tagger) | {PROVENANCE: np.array(json.dumps(said, sort_keys=True))}
    buffer = io.BytesIO()
    np.savez(buffer, **members)
    try:
        write_atomically(path, buffer.getvalue())
    except CannotWrite as error:
        raise WeightsError(str(error)) from error


def load_npz(path: FilePath, model: str | None = None, keras: str | None = None) -> Tagger:
    """A Tagger from an npz of save_npz; `model` and `keras` default to what its provenance says.

    Also from a .model file of the published Chainer port, which names its model only by its shapes.
    """
    arrays = read_npz(path)
    if looks_published(arrays):
        return _filled(
            path,
            Tagger(model := _published_model(path, arrays, model), keras),
            in_keras_layout(arrays, model),
        )
    said = _provenance(path, arrays)
    model = model or said["model"]
    if model != said["model"]:
        raise _of_another_model(path, model, [said["model"]])
    tagger = Tagger(model, keras or said["keras"])
    _check(path, model, arrays, _chainer_arrays(tagger), _chainer_arrays)
    NpzDeserializer(arrays).load(tagger)
    return tagger


def read_npz(path: FilePath) -> dict[str, np.ndarray]:
    """Dict member -> array, of an npz that needs no pickle; WeightsError otherwise."""
    if _magic(path) != "npz":
        raise WeightsError(f"{path} is HDF5, not an npz; convert it first or read it as Keras's")
    try:
        with np.load(path, allow_pickle=False) as members:
            return {name: np.asarray(members[name]) for name in members.files}
    except ValueError as error:
        if "pickle" not in str(error):
            raise WeightsError(f"{path} is a damaged npz; convert the weights again") from error
        raise WeightsError(
            f"{path} holds pickled objects, which are never loaded; convert the weights again"
        ) from error
    except (
        OSError,
        EOFError,
        KeyError,
        NotImplementedError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise WeightsError(
            f"{path} is cut short or a damaged npz; convert the weights again"
        ) from error


def read_unnamed(path: FilePath, model: str | None = None) -> Tagger:
    """A Tagger from a Keras HDF5, our npz or a published .model, its model recognised where it is
    not given.
    """
    if model is None and _magic(path) == "HDF5":
        arrays = read_hdf5(path)
        model = recognised(arrays)
        if model is None:
            raise WeightsError(
                f"{path} holds none of the models {', '.join(MODELS)}: "
                f"{_nearest_miss(arrays)}; give an intact file of one"
            )
    return read_into(model, path) if model else load_npz(path)


def read_any(path: FilePath) -> dict[str, np.ndarray]:
    """Dict name -> array of everything in a Keras HDF5 or an npz; WeightsError for another file,
    or a damaged one.
    """
    return read_hdf5(path) if _magic(path) == "HDF5" else read_npz(path)


def resembles(
    arrays: dict[str, np.ndarray], as_arrays: Callable[[Tagger], dict] = keras_arrays
) -> list[str]:
    """Names of the models whose names and shapes `arrays` has (CNN and CNN0 share theirs); [] if
    none.
    """
    shapes = {name: array.shape for name, array in arrays.items() if name != PROVENANCE}
    return [
        model
        for model in MODELS
        if {n: a.shape for n, a in as_arrays(Tagger(model)).items()} == shapes
    ]


def _nearest_miss(arrays):
    """The model that shares the most names and shapes with `arrays`, and what keeps them from
    being it.
    """

    def shared(expected):
        return sum(
            name in arrays and arrays[name].shape == target.shape
            for name, target in expected.items()
        )

    expected = {model: keras_arrays(Tagger(model)) for model in MODELS}
    model = max(expected, key=lambda model: shared(expected[model]))
    return f"for {model}, the nearest, {next(_faults(arrays, expected[model]))}"


def _published_model(path, arrays, model):
    held = candidates(arrays)
    if not held:
        raise WeightsError(
            f"{path} has names of the published Chainer port but not all of them; fetch "
            "or copy it again"
        )
    if model is None:
        return recognised(in_keras_layout(arrays, held[0]))
    if model not in held:
        raise _of_another_model(path, model, held)
    return model


def recognised(
    arrays: dict[str, np.ndarray], as_arrays: Callable[[Tagger], dict] = keras_arrays
) -> str | None:
    """The one model whose parameters `arrays` holds, or None. CNN0's and CNN's differ in their
    unused statistics only:

    mode 2 never updates those of CNN0, so they are still the 0 and 1 they began with.
    """
    held = resembles(arrays, as_arrays)
    if len(held) < 2:
        return held[0] if held else None
    mean = next(
        array
        for name, array in arrays.items()
        if name.startswith("bn1/") and name.endswith("running_mean")
    )
    return "CNN" if mean.any() else "CNN0"


def _chainer_arrays(tagger):
    serializer = DictionarySerializer()
    serializer.save(tagger)
    return serializer.target


def _magic(path):
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
    kinds = [kind for magic, kind in MAGIC.items() if head.startswith(magic)]
    if not kinds:
        raise WeightsError(f"{path} is neither HDF5 nor npz; give a Keras .h5 or a converted .npz")
    return kinds[0]


def _check(path, model, found, expected, as_arrays):
    found = {name: array for name, array in found.items() if name != PROVENANCE}
    fault = next(_faults(found, expected), None)
    if fault is None:
        return
    twins = resembles(found, as_arrays)
    if twins and model not in twins:
        raise _of_another_model(path, model, twins)
    raise WeightsError(f"{path}: {fault}; give an intact file of {model}'s weights")


def _of_another_model(path, model, twins):
    held = " or ".join(twins)
    return WeightsError(
        f"{path} holds the weights of {held}, not {model}; ask for {held} or give {model}'s file"
    )


def _faults(found, expected):
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


def _provenance(path, arrays):
    try:
        said = json.loads(str(arrays[PROVENANCE][()]))
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
