"""Runs single Keras layers in the environment of one release: `python single_layers.py JOB OUT`.

JOB is a folder with layers.json, [[class name, arguments], …], and <number>.npz with the layer's
input `x` and its weights `w0`, `w1`, …; OUT gets <number>.npy, the outputs, and configs.json, what
Keras says of its layers. The caller sets HOME and THEANO_FLAGS as for a recorder.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np

from reference import legacy

MODULES = ("core", "convolutional", "pooling", "advanced_activations", "normalization", "recurrent")


def main(job, out):
    """Build, run and describe every layer of the job, one Theano function each."""
    legacy.apply()
    import theano
    from keras import backend as K
    from keras.layers import Input
    from keras.models import Model

    modules = [importlib.import_module(f"keras.layers.{name}") for name in MODULES]
    configs = []
    for number, (kind, arguments) in enumerate(json.loads((job / "layers.json").read_text())):
        made = next(getattr(module, kind) for module in modules if hasattr(module, kind))
        layer = made(**arguments)
        with np.load(job / f"{number}.npz") as arrays:
            x = arrays["x"].astype(theano.config.floatX)
            weights = [arrays[name] for name in sorted(set(arrays) - {"x"})]
        entry = Input(shape=x.shape[1:])
        model = Model(entry, layer(entry))
        if weights:
            layer.set_weights(weights)
        run = theano.function(
            [*model.inputs, K.learning_phase()], layer.output, on_unused_input="ignore"
        )
        np.save(out / f"{number}.npy", run(x, 0))
        configs.append(layer.get_config())
    (out / "configs.json").write_text(
        json.dumps(configs, default=lambda value: np.asarray(value).tolist())
    )


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
