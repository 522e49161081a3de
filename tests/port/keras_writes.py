"""Weight files as people have them, written by the Keras of an environment: `python
keras_writes.py FOLDER KIND...`, a file for each function of KINDS that is named. The caller sets HOME and THEANO_FLAGS as for
a recorder.
"""

import sys
from pathlib import Path

from reference import legacy

CNN, CRNN = "CNN", "CRNN"


def plain(models, path):
    models.build(CNN).save_weights(path)


def trained(models, path):
    """A step of training on noise, with averages that follow it at once and larger kernels."""
    import numpy as np

    rng = np.random.RandomState(5)
    with changed(models, "BatchNormalization", momentum=0.0):
        model = models.build(CNN)
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
    with changed(models, "BatchNormalization Convolution2D Dense", name=None):
        models.build(CNN).save_weights(path)


def gates_together(models, path):
    with changed(models, "GRU", consume_less="gpu"):
        models.build(CRNN).save_weights(path)


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


class changed:
    """Within it the layer classes of those names are made with other settings."""

    def __init__(self, models, names, **settings):
        self.models, self.settings = models, settings
        self.kept = {name: getattr(models, name) for name in names.split()}

    def __enter__(self):
        for name, made in self.kept.items():
            setattr(
                self.models,
                name,
                lambda *args, made=made, **kw: made(*args, **{**kw, **self.settings}),
            )

    def __exit__(self, *_):
        for name, made in self.kept.items():
            setattr(self.models, name, made)


def main(folder, wanted):
    legacy.apply()
    from reference import models

    for kind in KINDS:
        if kind.__name__ in wanted:
            kind(models, str(folder / (kind.__name__ + ".h5")))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
