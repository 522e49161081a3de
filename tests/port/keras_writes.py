"""Weight files as people have them, written by the Keras of an environment: `python
keras_writes.py FOLDER KIND...`, a file for each function of KINDS that is named. The caller sets HOME and THEANO_FLAGS as for
a recorder.
"""

import json
import sys
from collections import Counter
from pathlib import Path

from reference import legacy

NETWORKS = Path(legacy.__file__).parents[1] / "fixtures" / "networks"
CNN, CRNN = "CNN", "CRNN"


def plain(models, path):
    models.build(CNN).save_weights(path)


def trained(models, path):
    """A step of training on noise, with averages that follow it at once and larger kernels."""
    import numpy as np

    rng = np.random.RandomState(5)
    model = models.build(CNN, "BatchNormalization", momentum=0.0)
    for layer in model.layers:
        if layer.name.startswith("conv"):
            kernel, bias = layer.get_weights()
            layer.set_weights([8 * kernel, bias])
    model.compile("sgd", "binary_crossentropy")
    x = rng.normal(0, 1, (2, *models.INPUT_SHAPE)).astype("float32")
    model.train_on_batch(x, rng.randint(0, 2, (2, 50)).astype("float32"))
    model.save_weights(path)


def whole(models, path):
    model = models.build(CNN)
    model.compile("sgd", "binary_crossentropy")
    model.save(path)


def nested(models, path):
    from keras.layers import Input
    from keras.models import Model

    clip = Input(shape=models.INPUT_SHAPE)
    Model(clip, models.build(CNN)(clip)).save_weights(path)


def unnamed(models, path):
    """The layers have the names that Keras makes up."""
    from keras.models import model_from_json

    text, kinds = models.text(CNN), Counter()
    for layer in json.loads(text)["config"]["layers"]:
        kind, name = layer["class_name"].lower(), layer["name"]
        kinds[kind] += 1
        if kind in ("batchnormalization", "convolution2d", "dense"):
            text = text.replace(f'"{name}"', f'"{kind}_{kinds[kind]}"')
    model_from_json(text).save_weights(path)


def gates_together(models, path):
    models.build(CRNN, "GRU", consume_less="gpu").save_weights(path)


def tensorflow_ordering(models, path):
    from keras.layers import Convolution2D, Input
    from keras.models import Model

    flow = clip = Input(shape=(96, 1366, 1))
    for number, channels in enumerate((32, 128), start=1):
        name = f"conv{number}"
        flow = Convolution2D(channels, 3, 3, dim_ordering="tf", name=name)(flow)
    Model(clip, flow).save_weights(path)


def float64(models, path):
    from keras import backend as K

    K.set_floatx("float64")
    models.build(CNN).save_weights(path)


KINDS = (
    plain,
    whole,
    nested,
    unnamed,
    gates_together,
    tensorflow_ordering,
    trained,
    float64,
)  # float64 last: it stays


class Models:
    """The project's descriptions as Keras models."""

    INPUT_SHAPE = (1, 96, 1366)

    def build(self, name, kinds="", **settings):
        """The model of that name; layers of those kinds are made with other settings."""
        from keras.models import model_from_json

        said = json.loads(self.text(name))
        for layer in said["config"]["layers"]:
            if layer["class_name"] in kinds.split():
                layer["config"].update(settings)
        return model_from_json(json.dumps(said))

    def text(self, name):
        return (NETWORKS / f"{name}.json").read_text()


def main(folder, wanted):
    legacy.apply()
    models = Models()
    for kind in KINDS:
        if kind.__name__ in wanted:
            kind(models, str(folder / (kind.__name__ + ".h5")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
