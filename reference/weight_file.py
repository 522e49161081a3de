"""Reads a Keras HDF5 weight file and refuses what does not fit the model, layer by layer, before
anything is loaded.
"""

import re

import h5py
import numpy as np

from reference.refused import Refused

_HINTS = {
    "bn_0_freq": (
        "later commits of the original changed this axis without new weights; take the file "
        "at the pinned commit"
    )
}
_OTHER_MODEL = "give the weights that belong to this model"
_SHARED = "where JSON leaves out a PReLU's shared_axes, give the model as FILE.py:FUNCTION"
_BY_ORDER = (
    "the file calls arrays param_0 and so on, and only Keras knows which is which: load it with "
    "model.load_weights, which goes by order, and save it anew with model.save_weights"
)
_RENUMBERED = (
    "Keras numbered them after other models of that process: give the model.to_json() of it, or "
    "take the weights over by model.load_weights and save them anew"
)


def read_weights(path, needed):
    """The arrays of `path`, layer by layer, as `needed` asks for them.

    path : what save_weights or save wrote.
    needed : ordered {layer: [(dataset name, shape), ...]}, layers without parameters left out.
    Returns {layer: [float32 array, ...]} in that order.
    Raises Refused for a file that is missing, empty or not HDF5, and for any layer or dataset that
    is missing, unexpected, of another shape or dtype, or not finite.
    """
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            held = {
                layer: _names(path, root[layer], "weight_names")
                for layer in _names(path, root, "layer_names")
            }
            groups = _groups(held, needed)
            strange = {layer for layer, names in held.items() if names} - set(groups.values())
            _check_layers(path, [name for name in needed if name not in groups], sorted(strange))
            return {
                layer: _layer(path, root[group], layer, held[group], needed[layer])
                for layer, group in groups.items()
            }
    except (
        OSError,
        RuntimeError,
        KeyError,
    ) as error:  # h5py raises all three for what is not there or cannot be decoded
        raise Refused(
            f"{path}: no readable Keras weight file ({_flat(error)}); check the path or "
            "fetch it again"
        ) from error


def _groups(held, needed):
    """{layer: its group}, in the order of `needed`: that of its name, or, where a nested Sequential
    got another number, since Keras does not keep its name, the one with its very weights.
    """
    others = {tuple(names): group for group, names in held.items() if names}
    found = {}
    for layer, wanted in needed.items():
        names, own = [name for name, _ in wanted], layer if layer in held else None
        group = own if held.get(layer) == names else others.get(tuple(names), own)
        if group is not None:
            found[layer] = group
    return found


def _flat(error):
    return " ".join(str(error).split())


def _names(path, group, attribute):
    if attribute not in group.attrs:
        raise Refused(
            f"{path}: {group.name} has no {attribute}, so it is no Keras weight file; "
            "give one saved by save_weights"
        )
    return [
        name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]
    ]


def _check_layers(path, missing, extra):
    if missing or extra:
        words = [f"has no layer {name}" for name in missing[:1]] + [
            f"has a layer {name} too many" for name in extra[:1]
        ]
        anew = sorted(map(_unnumbered, missing)) == sorted(map(_unnumbered, extra))
        raise Refused(f"{path}: {' and '.join(words)}; {_RENUMBERED if anew else _OTHER_MODEL}")


def _unnumbered(name):
    return re.sub(r"_\d+$", "", name)


def _layer(path, group, layer, names, wanted):
    wanted_names = [name for name, _ in wanted]
    missing = [name for name in wanted_names if name not in names or name not in group]
    if missing:
        hint = _BY_ORDER if "param_0" in names else _OTHER_MODEL
        raise Refused(f"{path}: {layer} has no dataset {missing[0]}; {hint}")
    extra = sorted(set(names) - set(wanted_names))
    if extra:
        raise Refused(f"{path}: {layer} has a dataset {extra[0]} too many; {_OTHER_MODEL}")
    return [_array(path, group[name], layer, name, shape) for name, shape in wanted]


def _array(path, dataset, layer, name, shape):
    if len(shape) == 4 and dataset.shape == (*shape[2:], *shape[1::-1]) != shape:
        raise Refused(
            f"{path}: {name} is {dataset.shape}, TensorFlow's order of dimensions; expected "
            f"{shape}: describe the model with dim_ordering tf, or load the file there, transpose "
            "and flip the kernels, and save it with dim_ordering th"
        )
    if dataset.shape != shape:
        raise Refused(
            f"{path}: {name} has shape {dataset.shape}, expected {shape}; "
            f"{_SHARED if name.endswith('_alphas') else _HINTS.get(layer, _OTHER_MODEL)}"
        )
    if dataset.dtype != np.float32:
        raise Refused(
            f"{path}: {name} is {dataset.dtype}, expected float32; save the weights in float32"
        )
    array = dataset[()]
    bad = np.argwhere(~np.isfinite(array))
    if len(bad):
        where = ", ".join(map(str, bad[0]))
        raise Refused(
            f"{path}: {name} holds NaN or infinity {len(bad)} times, first at ({where}); "
            "take an undamaged file"
        )
    return array
