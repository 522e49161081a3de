"""The taggers' own links: they begin as Keras begins, train, and keep their parameters as Chainer
does. What else a description asks for gets the links of every other model.
"""

from collections.abc import Callable, Mapping
from typing import Any

import chainer
import chainer.functions as F

from parity.port.links.batch_normalization import BatchNormalization
from parity.port.links.convolution_2d import Convolution2D
from parity.port.links.dense import SigmoidDense
from parity.port.links.elu import elu
from parity.port.links.gru import GRU
from parity.port.links.keras import MAKERS
from parity.port.links.max_pooling_2d import max_pooling_2d
from parity.port.links.shapes import Apply, zero_padding_2d
from parity.port.types import Arrays, Config, Maker


def _both(shape: tuple[int, ...]) -> tuple[int, int]:
    rows, columns = shape
    return rows, columns


# Keras class name -> the settings that its link is for, and what makes it; of arrays the shapes
OWN: dict[str, tuple[Mapping[str, Any], Maker]] = {
    "ZeroPadding2D": (
        {"dim_ordering": "th"},
        lambda config, _, keras: Apply(zero_padding_2d, padding=tuple(config["padding"])),
    ),
    "BatchNormalization": (
        {},
        lambda config, arrays, keras: BatchNormalization(
            len(arrays["gamma"]), config["axis"], config["mode"], keras, config.get("epsilon")
        ),
    ),
    "Convolution2D": (
        {"nb_row": 3, "nb_col": 3, "border_mode": "same", "subsample": [1, 1],
         "activation": "linear", "bias": True, "dim_ordering": "th"},
        lambda config, arrays, keras: Convolution2D(*arrays["W"].shape[1::-1]),
    ),
    "ELU": ({"alpha": 1.0}, lambda config, _, keras: Apply(elu, keras=keras)),
    "MaxPooling2D": (
        {"border_mode": "valid", "dim_ordering": "th"},
        lambda config, _, keras: Apply(max_pooling_2d, pool_size=tuple(config["pool_size"])),
    ),
    "Dropout": ({}, lambda config, _, keras: Apply(F.dropout, ratio=config["p"])),
    "GRU": (
        {"activation": "tanh", "inner_activation": "hard_sigmoid", "go_backwards": False,
         "consume_less": "cpu"},
        lambda config, arrays, keras: GRU(
            *_both(arrays["W_z"].shape), config["return_sequences"]
        ),
    ),
    "Dense": (
        {"activation": "sigmoid", "bias": True},
        lambda config, arrays, keras: SigmoidDense(*_both(arrays["W"].shape)),
    ),
}  # fmt: skip


def _preferring(kind: str) -> Maker:
    settings, make = OWN[kind]

    def made(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
        fits = all(config.get(name, value) == value for name, value in settings.items())
        fits &= config.get("strides") == config.get("pool_size")
        return (make if fits else MAKERS[kind])(config, arrays, keras)

    return made


TRAINABLE: dict[str, Callable[..., chainer.Link]] = {
    **MAKERS,
    **{kind: _preferring(kind) for kind in OWN},
}
