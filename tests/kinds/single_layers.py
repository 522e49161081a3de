"""Runs single Keras layers in the environment of one release: `python single_layers.py JOB OUT
[DRAWS]`.

JOB is a folder with layers.json, [[class name, arguments], …], and <number>.npz with the layer's
input `x`, further inputs `i1`, `i2`, … and its weights `w0`, `w1`, …; an input of whole numbers
goes in as int32, one of truth values as the mask of `x`. A layer inside another is its argument
`layer`, {"class_name", "config"}. OUT gets <number>.npy, the outputs, and configs.json, what Keras
says of its layers, {"refused": why} where it does not build one. The caller sets HOME and THEANO_FLAGS as for a recorder.
With DRAWS, <number>_spread.npy is how far so many draws of float32's rounding stray.
"""

import json
import sys
from pathlib import Path

import numpy as np

from reference import legacy


def main(job, out, draws=0):
    """Build, run and describe every layer of the job, one Theano function each."""
    legacy.apply()
    import theano
    from keras import backend as K
    from keras import layers
    from keras.layers import Input, Layer
    from keras.models import Model

    from reference.probes.rounding import Rounded

    class Masked(Layer):
        """Passes its input on, with a mask."""

        def __init__(self, given):
            self.given, self.supports_masking = given, True
            super().__init__()

        def compute_mask(self, x, mask=None):
            return K.not_equal(self.given, 0)

    def made(kind, arguments):
        inner = arguments.get("layer")
        nested = {"layer": made(inner["class_name"], inner["config"])} if inner else {}
        return getattr(layers, kind)(**{**arguments, **nested})

    def computed(kind, arguments, stored):
        """(settings, output, spread of draws or None) of one layer on its inputs."""
        layer = made(kind, arguments)
        arrays = {name: _typed(stored[name], theano.config.floatX) for name in stored}
        weights, inputs = (
            [arrays[name] for name in sorted(set(arrays), key=_rank) if name[0] in letters]
            for letters in ("w", "xi")
        )
        masks = [x for x in inputs if x.dtype == bool]
        inputs = [x for x in inputs if x.dtype != bool]
        entries = [Input(shape=x.shape[1:], dtype=str(x.dtype)) for x in inputs]
        given = [theano.tensor.bmatrix() for _ in masks]
        read = [Masked(mask)(entries[0]) for mask in given] or entries
        model = Model(entries, layer(read if len(read) > 1 else read[0]))
        if weights:
            layer.set_weights(weights)
        variables = [*model.inputs, *given, K.learning_phase()]
        arrays = [*inputs, *(mask.astype("int8") for mask in masks), 0]
        run = theano.function(variables, layer.output, on_unused_input="ignore")
        value, spread = run(*arrays), None
        if draws:
            exact, *others = Rounded(variables, [layer.output]).run(arrays, draws, 1)
            assert np.array_equal(exact[0], value, equal_nan=True), kind
            spread = np.sqrt(sum(np.square(each[0] - value) for each in others) / draws)
        return layer.get_config(), value, spread

    configs = []
    for number, (kind, arguments) in enumerate(json.loads((job / "layers.json").read_text())):
        try:
            with np.load(job / f"{number}.npz") as stored:
                config, output, spread = computed(kind, arguments, stored)
        except Exception as error:  # the others are computed all the same
            configs.append({"refused": f"{type(error).__name__}: {error}"})
            continue
        np.save(out / f"{number}.npy", output)
        if spread is not None:
            np.save(out / f"{number}_spread.npy", spread)
        configs.append(config)
    (out / "configs.json").write_text(
        json.dumps(configs, default=lambda value: np.asarray(value).tolist())
    )


def _typed(array, floatx):
    """Floats in the lane's own, whole numbers as Keras has them."""
    return array.astype({"f": floatx, "i": "int32", "b": bool}[array.dtype.kind])


def _rank(name):
    return int(name[1:] or 0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), *map(int, sys.argv[3:]))
