"""A Keras 1 model of what a file says, with its weights."""

import importlib.util
import json
import sys
from pathlib import Path

import h5py
import numpy as np
from keras import backend as K
from keras.engine.topology import Container
from keras.models import Sequential, model_from_json

from reference.refused import Refused
from reference.weight_file import read_weights

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
    if not is_code:
        for each, layer in _models_in(said, model, restored=True):
            layer.name = each.get("name", layer.name)
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


def loaded(job):
    """The model of a job with its weights, where Keras's own names for them say.

    Keras itself goes by order alone; here every layer and every array has to be the one that the
    file names. Raises Refused.
    """
    model = build(job["definition"], job["custom"])
    held = {layer.name: parameters_of(layer) for layer in _saved_layers(model)}
    needed = {
        layer: [
            (_called(weight, at), K.get_value(weight).shape) for at, weight in enumerate(weights)
        ]
        for layer, weights in held.items()
        if weights
    }
    for layer, arrays in read_weights(job["weights"], needed).items():
        for weight, array in zip(held[layer], arrays, strict=True):
            K.set_value(weight, array)
    return model


def described(model):
    """model.to_json(), with the names of nested Sequentials, which Keras does not keep."""
    said = json.loads(model.to_json())
    for each, layer in _models_in(said, model):
        if hasattr(layer, "flattened_layers"):
            each["name"] = layer.name
    return json.dumps(said)


def _models_in(said, model, restored=False):
    """(what JSON says of it, it) of every model within one. From JSON, Keras numbers Sequentials
    anew, in the order in which they are written.
    """
    config = said["config"]
    if isinstance(config, list):
        pairs = list(zip(config, model.layers, strict=True))
        merged = config[0]["config"].get("layers") if config[0]["class_name"] == "Merge" else None
        pairs += zip(merged or [], getattr(model.layers[0], "layers", None) or [], strict=False)
    else:
        made = {layer.name: layer for layer in model.layers}
        numbered = [name for name in made if restored and type(made[name]) is Sequential]
        numbered = iter(sorted(numbered, key=lambda name: int(name.rpartition("_")[2])))
        anew = [restored and each["class_name"] == "Sequential" for each in config["layers"]]
        names = [next(numbered) if new else each["name"]
                 for new, each in zip(anew, config["layers"], strict=True)]  # fmt: skip
        pairs = [(each, made[name]) for each, name in zip(config["layers"], names, strict=True)]
    for each, layer in pairs:
        if isinstance(layer, Container):
            yield each, layer
            yield from _models_in(each, layer, restored)


def _saved_layers(model):
    """The layers that save_weights gives a group each (keras/engine/topology.py)."""
    return getattr(model, "flattened_layers", None) or model.layers


def parameters_of(layer):
    """In Keras's order. Keras 1.0 has no `layer.weights`, and its InputLayer has neither list."""
    return [*getattr(layer, "trainable_weights", []), *getattr(layer, "non_trainable_weights", [])]


def _called(weight, at):
    """What save_weights calls it (keras/engine/topology.py)."""
    return str(weight.name) if getattr(weight, "name", None) else f"param_{at}"
