"""Small layers of every kind, and what a port with a given formula would have put out."""

import numpy as np

from parity.kinds import layer_case
from tests.numerics.float32_layers import (
    CONV,
    F,
    conv_params,
    dense_params,
    gru_params,
    layer,
    norm_params,
)


def _image(rng, channels=8, rows=12, columns=40):
    return rng.standard_normal((2, channels, rows, columns)).astype(F)


def spectrogram(rng, bands=12, frames=40):
    """Two clips in decibels, (2, 1, bands, frames): loudness, bands and notes of their own, none
    like its neighbour.
    """
    wide = (
        rng.normal(0, 12, (2, 1, 1, 1))
        + rng.normal(0, 8, (1, 1, bands, 1))
        + rng.normal(0, 6, (2, 1, bands, frames))
    )
    return wide.astype(F)


def _norm_of_frames(rng):
    params = norm_params(rng, 40)
    return layer_case(
        layer("BatchNormalization", mode=0, axis=3, epsilon=1e-5),
        {**params, "running_std": params["running_std"] * F(100)},
        spectrogram(rng),
        "1.1.0",
    )


def _norm(mode, epsilon, keras):
    def make(rng):
        return layer_case(
            layer("BatchNormalization", mode=mode, axis=1, epsilon=epsilon),
            norm_params(rng, 8),
            _image(rng) * F(2) + F(0.5),
            keras,
        )

    return make


def _cube(axis):
    """A layer that any axis would fit."""

    def make(rng):
        return layer_case(
            layer("BatchNormalization", mode=0, axis=axis, epsilon=1e-5),
            norm_params(rng, 12),
            _image(rng, 12, 12, 12),
            "1.1.0",
        )

    return make


def _norm_of_square(rng):
    params = {**norm_params(rng, 12), "running_std": rng.uniform(50, 300, 12).astype(F)}
    return layer_case(
        layer("BatchNormalization", mode=0, axis=3, epsilon=1e-5),
        params,
        spectrogram(rng, 12, 12),
        "1.1.0",
    )


def _norm_of_whispers(rng):
    subject = _norm(2, 1e-6, "1.0.6")(rng)
    return subject.but(x=subject.x * F(0.01))


def _conv(**settings):
    return lambda rng: layer_case(
        layer("Convolution2D", **{**CONV, **settings}), conv_params(rng, 8, 8), _image(rng), "1.1.0"
    )


def _dense(units=16, activation="sigmoid"):
    return lambda rng: layer_case(
        layer("Dense", activation=activation),
        dense_params(rng, 16, units),
        rng.standard_normal((2, 16)).astype(F),
        "1.1.0",
    )


def _gru(sequences):
    def make(rng):
        return layer_case(
            layer("GRU", return_sequences=sequences, go_backwards=False),
            gru_params(rng),
            rng.standard_normal((2, 6, 10)).astype(F),
            "1.1.0",
        )

    return make


SUBJECTS = {
    "Convolution2D": _conv(),
    "Convolution2D valid": _conv(border_mode="valid"),
    "BatchNormalization stored 1.0.6": _norm(0, 1e-6, "1.0.6"),
    "BatchNormalization stored 1.1.0": _norm(0, 1e-5, "1.1.0"),
    "BatchNormalization batch 1.0.6": _norm(2, 1e-6, "1.0.6"),
    "BatchNormalization batch 1.1.0": _norm(2, 1e-5, "1.1.0"),
    "BatchNormalization batch 1.0.6, quiet": _norm_of_whispers,
    "BatchNormalization of frames": _norm_of_frames,
    "BatchNormalization of as many frames as bands": _norm_of_square,
    "BatchNormalization of a cube": _cube(1),
    "BatchNormalization of a cube's bands": _cube(2),
    "ELU": lambda rng: layer_case(layer("ELU", alpha=1.0), {}, _image(rng), "1.1.0"),
    "MaxPooling2D": lambda rng: layer_case(
        layer("MaxPooling2D", pool_size=[2, 4], strides=[2, 4]), {}, _image(rng), "1.1.0"
    ),
    "MaxPooling2D with a rest": lambda rng: layer_case(
        layer("MaxPooling2D", pool_size=[2, 4], strides=[2, 4]), {}, _image(rng, 8, 12, 42), "1.1.0"
    ),
    "ZeroPadding2D": lambda rng: layer_case(
        layer("ZeroPadding2D", padding=[0, 3]), {}, spectrogram(rng), "1.1.0"
    ),
    "Permute": lambda rng: layer_case(
        layer("Permute", dims=[3, 1, 2]), {}, _image(rng, 4, 4, 4), "1.1.0"
    ),
    "Permute, channels second": lambda rng: layer_case(
        layer("Permute", dims=[2, 1, 3]), {}, _image(rng, 4, 4, 4), "1.1.0"
    ),
    "Reshape": lambda rng: layer_case(
        layer("Reshape", target_shape=[15, 128]), {}, _image(rng, 15, 16, 8), "1.1.0"
    ),
    "Flatten": lambda rng: layer_case(layer("Flatten"), {}, _image(rng, 4, 3, 5), "1.1.0"),
    "Dropout": lambda rng: layer_case(layer("Dropout", p=0.25), {}, _image(rng), "1.1.0"),
    "GRU sequences": _gru(True),
    "GRU last": _gru(False),
    "Dense": _dense(),
    "Dense, fewer units": _dense(5),
    "Dense, linear": _dense(activation="linear"),
}


def output(judge):
    """A witness' values, rounded to float32."""
    out = np.empty(judge.view, np.float32)
    for where in judge.blocks():
        out[where] = judge.block(where).o
    return out.reshape(judge.shape)
