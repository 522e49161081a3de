"""Writes the descriptions of fixtures/gallery, in the environment of the release that each names:
`python -m reference.gallery FOLDER` with Keras 1.0.6, then, and with
tests/originals/attention.py, with 1.2.2.

From LeCun et al. 1998 (LeNet-5), Simonyan and Zisserman 2015 (VGG), He et al. 2016 (ResNet),
Szegedy et al. 2015 (Inception), Hochreiter and Schmidhuber 1997 (LSTM), Cho et al. 2014 (GRU),
Masci et al. 2011 (convolutional autoencoder) and Bromley et al. 1993 (siamese network).
"""

import json
import sys
from pathlib import Path

from reference import legacy

legacy.apply()
import keras  # noqa: E402
from keras.layers import (  # noqa: E402
    GRU,
    LSTM,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Convolution2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    Input,
    MaxPooling2D,
    Merge,
    RepeatVector,
    UpSampling2D,
    ZeroPadding2D,
    merge,
)
from keras.models import Model, Sequential  # noqa: E402

IMAGE = (3, 16, 16)


def lenet():
    return Sequential(
        [
            Convolution2D(6, 5, 5, activation="tanh", input_shape=(1, 28, 28), name="c1"),
            AveragePooling2D((2, 2), name="s2"),
            Convolution2D(16, 5, 5, activation="tanh", name="c3"),
            AveragePooling2D((2, 2), name="s4"),
            Flatten(name="flat"),
            Dense(30, activation="tanh", name="c5"),
            Dense(20, activation="tanh", name="f6"),
            Dense(10, activation="softmax", name="output"),
        ]
    )


def vgg():
    layers = [ZeroPadding2D((1, 1), input_shape=IMAGE, name="pad1")]
    for number, filters in enumerate((8, 12), 1):
        if number > 1:
            layers.append(ZeroPadding2D((1, 1), name=f"pad{number}"))
        layers += [
            Convolution2D(filters, 3, 3, activation="relu", name=f"conv{number}"),
            MaxPooling2D((2, 2), strides=(2, 2), name=f"pool{number}"),
        ]
    layers += [
        Flatten(name="flat"),
        Dense(24, activation="relu", name="fc6"),
        Dropout(0.5, name="drop"),
        Dense(10, activation="softmax", name="fc8"),
    ]
    return Sequential(layers)


def _residual(x, filters, name):
    y = Convolution2D(filters, 3, 3, border_mode="same", name=f"{name}_a")(x)
    y = Activation("relu", name=f"{name}_relu")(BatchNormalization(axis=1, name=f"{name}_bn")(y))
    y = Convolution2D(filters, 3, 3, border_mode="same", name=f"{name}_b")(y)
    return Activation("relu", name=f"{name}_out")(merge([x, y], mode="sum", name=f"{name}_sum"))


def resnet():
    entry = Input(IMAGE, name="image")
    x = Convolution2D(8, 3, 3, subsample=(2, 2), border_mode="same", name="stem")(entry)
    x = _residual(_residual(x, 8, "block1"), 8, "block2")
    x = Flatten(name="flat")(AveragePooling2D((8, 8), name="mean")(x))
    return Model(entry, Dense(10, activation="softmax", name="output")(x))


def inception():
    entry = Input(IMAGE, name="image")

    def convolution(x, filters, size, name):
        return Convolution2D(filters, size, size, border_mode="same", activation="relu", name=name)(
            x
        )

    pooled = MaxPooling2D((3, 3), strides=(1, 1), border_mode="same", name="pool")(entry)
    branches = [
        convolution(entry, 6, 1, "one"),
        convolution(convolution(entry, 4, 1, "three_in"), 6, 3, "three"),
        convolution(convolution(entry, 4, 1, "five_in"), 5, 5, "five"),
        convolution(pooled, 4, 1, "pooled"),
    ]
    x = merge(branches, mode="concat", concat_axis=1, name="concat")
    x = Flatten(name="flat")(AveragePooling2D((4, 4), name="mean")(x))
    return Model(entry, Dense(10, activation="softmax", name="output")(x))


def text():
    return Sequential(
        [
            Embedding(20, 8, mask_zero=True, input_length=9, name="words"),
            LSTM(10, return_sequences=True, name="lstm1"),
            LSTM(7, name="lstm2"),
            Dense(1, activation="sigmoid", name="output"),
        ]
    )


def bidirectional():
    from keras.layers import Bidirectional, TimeDistributed

    entry = Input((8, 6), name="frames")
    x = Bidirectional(GRU(5, return_sequences=True, name="gru"), name="both")(entry)
    x = TimeDistributed(Dense(4, activation="tanh", name="dense"), name="each")(x)
    return Model(entry, Dense(3, activation="softmax", name="output")(GRU(6, name="last")(x)))


def autoencoder():
    def convolution(filters, name, activation="relu", **more):
        return Convolution2D(
            filters, 3, 3, border_mode="same", activation=activation, name=name, **more
        )

    return Sequential(
        [
            convolution(8, "encode1", input_shape=(1, 16, 16)),
            MaxPooling2D((2, 2), name="down1"),
            convolution(4, "encode2"),
            MaxPooling2D((2, 2), name="down2"),
            convolution(4, "decode2"),
            UpSampling2D((2, 2), name="up2"),
            convolution(8, "decode1"),
            UpSampling2D((2, 2), name="up1"),
            convolution(1, "output", "sigmoid"),
        ]
    )


def siamese():
    left, right, digit = Input((20,), name="left"), Input((20,), name="right"), Input((20,))
    hidden = Dense(12, activation="relu", name="hidden")(digit)
    code = Model(digit, Dense(6, activation="tanh", name="code")(hidden), name="branch")
    both = merge([code(left), code(right)], mode="concat", name="both")
    return Model([left, right], Dense(1, activation="sigmoid", name="same")(both))


def two_sources():
    """As Keras 1 was taught: a Sequential that begins with a Merge of others, one of which begins
    with a Sequential.
    """
    features = Sequential(
        [
            Convolution2D(3, 3, 3, activation="relu", input_shape=(1, 10, 10), name="features"),
            MaxPooling2D((2, 2), name="half"),
        ]
    )
    image = Sequential([features, Flatten(name="flat"), Dense(6, activation="relu", name="seen")])
    words = Sequential(
        [Dense(6, activation="tanh", input_dim=7, name="read"), Dropout(0.2, name="drop")]
    )
    both = Merge([image, words], mode="concat", name="both")
    return Sequential([both, Dense(3, activation="softmax", name="output")])


def volumes():
    from keras.layers import AveragePooling3D, Convolution3D, MaxPooling3D

    return Sequential(
        [
            Convolution3D(4, 2, 2, 2, activation="relu", input_shape=(2, 6, 6, 6), name="scan"),
            MaxPooling3D((2, 2, 2), name="largest"),
            AveragePooling3D((2, 2, 2), name="mean"),
            Flatten(name="flat"),
            Dense(3, activation="softmax", name="output"),
        ]
    )


def unshared():
    from keras.layers import (
        AtrousConvolution2D,
        Highway,
        LocallyConnected2D,
        MaxoutDense,
        ParametricSoftplus,
        SReLU,
    )

    return Sequential(
        [
            LocallyConnected2D(3, 2, 2, activation="tanh", input_shape=(2, 6, 6), name="local"),
            AtrousConvolution2D(4, 2, 2, atrous_rate=(2, 2), name="holes"),
            Flatten(name="flat"),
            MaxoutDense(5, nb_feature=3, name="maxout"),
            Highway(activation="tanh", name="highway"),
            SReLU(name="bent"),
            ParametricSoftplus(name="soft"),
            Dense(2, name="output"),
        ]
    )


def attended():
    from keras.layers import AtrousConvolution1D, Lambda, LocallyConnected1D

    from reference.building import _objects

    attention = _objects(sys.argv[2])["Attention"]
    return Sequential(
        [
            Embedding(20, 8, mask_zero=True, input_length=9, name="words"),
            GRU(6, return_sequences=True, inner_activation="softmax", name="gru"),
            attention(name="attention"),
            Lambda(lambda x: x / (1 + abs(x)), name="squashed"),
            RepeatVector(6, name="again"),
            LocallyConnected1D(3, 2, name="local"),
            AtrousConvolution1D(4, 2, atrous_rate=2, name="holes"),
            Flatten(name="flat"),
            Dense(2, name="output"),
        ]
    )


WITHOUT_KINDS = "without_kinds"  # the folder of those with layers that no kind is about
OF_RELEASE = {
    "1.0.6": (lenet, vgg, resnet, inception, text, two_sources),
    "1.2.2": (bidirectional, autoencoder, siamese, volumes, unshared, attended),
}


def described(function):
    """What model.to_json() says, with the release and the layout of weights and inputs."""
    model = function()
    if isinstance(model, Sequential):
        model.build()
    said = json.loads(model.to_json())
    saved = getattr(model, "flattened_layers", None) or model.layers
    held = {
        layer.name: [
            [str(w.name), list(w.get_value().shape)]
            for w in [
                *getattr(layer, "trainable_weights", []),
                *getattr(layer, "non_trainable_weights", []),
            ]
        ]
        for layer in saved
    }
    inputs = [[each.dtype, list(each._keras_shape[1:])] for each in model.inputs]
    return {**said, "keras_version": keras.__version__, "weights": held, "inputs": inputs}


if __name__ == "__main__":
    for each in OF_RELEASE[keras.__version__]:
        text_of = json.dumps(described(each), sort_keys=True)
        folder = WITHOUT_KINDS if each in (volumes, unshared, attended) else "."
        (Path(sys.argv[1]) / folder / f"{each.__name__}.json").write_text(text_of + "\n")
