"""What an HDF5 file is, where it does not hold weights as Keras 1 saves them on Theano.

All that read weight files say it in these words. No parameter is read here, so the witnesses stay
apart.
"""

from typing import NamedTuple

import h5py

from parity.errors import visible
from parity.files import FilePath
from parity.untrusted import Damaged


class Said(NamedTuple):
    """The Keras release and the backend that a file says wrote it, each None where it says none."""

    keras: str | None
    backend: str | None


def said(file: h5py.File) -> Said:
    """The attributes keras_version and backend of an open file."""

    def text(name: str) -> str | None:
        found = file.attrs.get(name, "")
        words = found.decode(errors="replace") if isinstance(found, bytes) else str(found)
        return visible(words.strip()) or None

    backend = text("backend")
    return Said(text("keras_version"), backend and backend.lower())


def what_else(file: h5py.File, root: h5py.Group | None = None) -> str | None:
    """What an open file is and what to do with it; None where it can hold weights of Keras 1 on
    Theano. root : the group that is to hold them; by default the file itself.

    Examples
    --------
    >>> with h5py.File("whole.h5") as file:  # doctest: +SKIP
    ...     what_else(file)
    'holds a whole model (model.save), not its weights alone; load it with ...'
    """
    keras, backend = said(file)
    names: list[str] = []
    file.visit(names.append)
    by = f" of Keras {keras}" if keras else ""
    if root is None:
        root = file
    if root == file and ("model_weights" in file or "model_config" in file.attrs):
        return (
            f"holds a whole model (model.save{by}), not its weights alone; load it with "
            "keras.models.load_model and save it with model.save_weights"
        )
    if "nb_layers" in root.attrs:
        return (
            "holds weights as Keras saved them before 1.0 (nb_layers, param_0), which name no "
            "parameter; load them with model.load_weights of Keras 1 and save them again with "
            "model.save_weights"
        )
    if "layer_names" not in root.attrs:
        return (
            "is HDF5 but names no layers (no layer_names), so no model.save_weights wrote it; "
            "give a file that one did"
        )
    if any("kernel:" in name or "moving_variance" in name for name in names):
        return (
            f"holds weights under the names of Keras 2{f' ({keras})' if keras else ''} (kernel:0, "
            "moving_variance:0), which lays them out in another way; save them with Keras 1"
        )
    if backend not in (None, "theano") or any(name.endswith(":0") for name in names):
        return (
            f"was written on {backend or 'tensorflow (its names end with :0)'}, whose kernels are "
            "not flipped as Theano's are; convert them (keras.utils.np_utils.convert_kernel) in "
            "the same model on Theano with th ordering, and save that with model.save_weights"
        )
    return None


def unreadable(path: FilePath, error: Exception) -> str:
    """The sentence for an error of h5py in opening or reading `path`."""
    if isinstance(error, BlockingIOError) or "unable to lock" in str(error):
        return f"{path} is locked by another process, which is writing it; wait until that is done"
    if isinstance(error, Damaged):
        return f"{path} {error}"
    if not h5py.is_hdf5(path):
        return f"{path} is no HDF5 file; give a Keras .h5"
    return f"{path} is cut short or damaged HDF5; fetch or copy it again"
