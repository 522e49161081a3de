"""Keras weight files as Keras 1.x lays them out, with seeded values, asymmetric everywhere."""

import h5py
import numpy as np

from parity.port.network import Network


def draw(name, shape, rng):
    """Values of the size and sign that a parameter of that name has."""
    if name.endswith(("gamma", "running_std")):
        return rng.uniform(0.5, 1.5, shape).astype(np.float32)
    return rng.normal(0, 0.1, shape).astype(np.float32)


def write_keras_file(path, model, arrays):
    """Write arrays ("layer/dataset" -> array) the way Keras 1.x lays out its weight files."""
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in Network(model).layer_names]
        for name in Network(model).layer_names:
            held = [dataset for dataset in arrays if dataset.startswith(name + "/")]
            file.create_group(name).attrs["weight_names"] = [
                dataset.split("/")[1].encode() for dataset in held
            ]
        for name, array in arrays.items():
            file[name] = array
    return path
