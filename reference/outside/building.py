"""A Keras 1 model of what a file says, with its weights."""

import importlib.util
import json
import sys
from pathlib import Path

import h5py
import numpy as np
from keras import backend as K
from keras.models import model_from_json

from reference.refused import Refused

_SEED = 20160618  # dropout draws its graph's seeds from numpy.random when the model is built


def build(definition, custom):
    """The model that `definition` names. Raises Refused where Keras cannot build it."""
    np.random.seed(_SEED)
    objects = _objects(custom) if custom else {}
    path, is_code, function = definition.rpartition(".py:")
    try:
        if is_code:
            model = _objects(f"{path}.py")[function]()
        else:
            said = json.loads(_text(definition), object_hook=_in_this_lane)
            model = model_from_json(json.dumps(said), custom_objects=objects)
    except Exception as error:  # whatever Keras or the user's code raises
        said = " ".join(str(error).split())
        raise Refused(
            f"{definition}: Keras cannot build it ({type(error).__name__}: {said[:500]}); give "
            "what model.to_json() of this release returned, classes of its own by --custom, or "
            "FILE.py:FUNCTION"
        ) from error
    if hasattr(model, "build") and hasattr(model, "flattened_layers"):  # a Sequential
        model.build()
    if not getattr(model, "inputs", None):
        raise Refused(f"{definition}: gives no Keras model with inputs; give one that is complete")
    return model


def _text(path):
    try:
        with h5py.File(path, "r") as file:
            said = file.attrs["model_config"]
            return said.decode() if isinstance(said, bytes) else str(said)
    except OSError:
        text = Path(path).read_text()
        found = json.loads(text)
        return found if isinstance(found, str) else text  # json.dump of to_json() is a string


def _in_this_lane(config):
    """An input of floats has the lane's own; what was saved names the floats of that day."""
    if str(config.get("input_dtype")).startswith("float"):
        return {**config, "input_dtype": K.floatx()}
    return config


def _objects(path):
    """{name: what a Python file defines under it}."""
    spec = importlib.util.spec_from_file_location(Path(path).stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return {key: value for key, value in vars(module).items() if not key.startswith("_")}


def load_weights(model, path):
    """Put the arrays of a weight file where their names say, layer by layer.

    Keras itself goes by order alone; here every layer and every array has to be the one that the
    file names. Raises Refused.
    """
    wanted = {layer.name: _parameters(layer) for layer in _saved_layers(model)}
    wanted = {name: held for name, held in wanted.items() if held}
    try:
        with h5py.File(path, "r") as file:
            root = file.get("model_weights", file)
            names = {layer: _names(root[layer], "weight_names") for layer in
                     _names(root, "layer_names")}  # fmt: skip
            renamed = _renamed(names, wanted)
            names = {renamed.get(layer, layer): held for layer, held in names.items()}
            _check(path, "layers", [name for name, held in names.items() if held], list(wanted))
            old = {new: layer for layer, new in renamed.items()}
            for layer, held in wanted.items():
                own = [str(weight.name) for weight in held]
                _check(path, f"weights in {layer}", names[layer], own)
                for weight, name in zip(held, own, strict=True):
                    K.set_value(
                        weight, _array(path, root[old.get(layer, layer)][name], weight, name)
                    )
    except (OSError, RuntimeError, KeyError) as error:
        raise Refused(
            f"{path}: no readable Keras weight file ({' '.join(str(error).split())}); fetch it "
            "again"
        ) from error


def _renamed(names, wanted):
    """{a group of the file: the layer that has its very weights}, where a nested Sequential got
    another number, since Keras does not keep its name.
    """
    strange = [layer for layer in wanted if layer not in names]
    own = {layer: [str(weight.name) for weight in wanted[layer]] for layer in strange}
    return {
        group: layer
        for group, held in names.items()
        if held and group not in wanted
        for layer in strange
        if own[layer] == held
    }


def _saved_layers(model):
    """The layers that save_weights gives a group each (keras/engine/topology.py)."""
    return getattr(model, "flattened_layers", None) or model.layers


def _parameters(layer):
    return list(getattr(layer, "trainable_weights", [])) + list(
        getattr(layer, "non_trainable_weights", [])
    )


def _names(group, attribute):
    return [
        name.decode() if isinstance(name, bytes) else str(name) for name in group.attrs[attribute]
    ]


def _check(path, what, found, wanted):
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing or extra:
        words = [f"has no {missing[0]}"] if missing else []
        words += [f"has {extra[0]}, which the model has not"] if extra else []
        raise Refused(
            f"{path}: of {len(wanted)} {what} it {' and '.join(words)}; give the weights that were "
            "saved with this model"
        )


def _array(path, dataset, weight, name):
    shape = K.get_value(weight).shape
    if dataset.shape != shape or dataset.dtype != np.float32:
        raise Refused(
            f"{path}: {name} is {dataset.dtype} {dataset.shape}, expected float32 {shape}; give "
            "the weights that were saved with this model"
        )
    array = dataset[()]
    if not np.isfinite(array).all():
        raise Refused(f"{path}: {name} holds NaN or infinity; take an undamaged file")
    return array
