"""Parameters straight from a Keras weight file: the oracle's own reading, independent of the
port's.
"""

from pathlib import Path

import h5py
import numpy as np

from parity.errors import CannotRun


def read_params(path):
    """{layer name: {suffix: array}} of a Keras 1.x HDF5 weight file, suffixes as Keras has them
    (W, b, gamma, W_z, ...).

    Arrays keep their dtype, float32. Raises CannotRun for a file that is missing, empty, cut
    short, not HDF5, or that holds anything but finite float32 numbers.
    """
    path = Path(path)
    try:
        size = path.stat().st_size
    except OSError as error:
        raise CannotRun(
            f"{path}: the weights cannot be read ({error.strerror}); check the path"
        ) from error
    if size == 0:
        raise CannotRun(f"{path}: the weight file is empty; fetch it again")
    try:
        with h5py.File(path, "r") as file:
            return {layer: _layer(path, file, layer) for layer in _names(path, file, "layer_names")}
    except (OSError, RuntimeError) as error:  # h5py raises both for what it cannot decode
        raise CannotRun(f"{path}: not a whole HDF5 file ({error}); fetch it again") from error


def _names(path, group, attribute):
    if attribute not in group.attrs:
        raise CannotRun(
            f"{path}: {group.name} has no {attribute}, so it is no Keras weight file; "
            "give one saved by save_weights"
        )
    return [
        name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]
    ]


def _layer(path, file, layer):
    if not isinstance(file.get(layer), h5py.Group):
        raise CannotRun(f"{path}: layer {layer} is named but missing; fetch the file again")
    group = file[layer]
    return {
        _suffix(layer, name): _array(path, group, name)
        for name in _names(path, group, "weight_names")
    }


def _suffix(layer, name):
    name = name.rsplit("/", 1)[-1]
    return name[len(layer) + 1 :] if name.startswith(layer + "_") else name


def _array(path, group, name):
    if not isinstance(group.get(name), h5py.Dataset):
        raise CannotRun(f"{path}: {group.name}/{name} is named but missing; fetch the file again")
    array = group[name][()]
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
    return array
