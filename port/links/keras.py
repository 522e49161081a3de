"""A link of what Keras says of a layer: its configuration, and its arrays in Keras's own layout."""

from collections.abc import Callable
from typing import Any

import chainer
import chainer.functions as F
import numpy as np

from parity.architecture import CONTAINERS, INPUT, parse
from parity.port.links import elementwise, images, recurrent, sequences, wrappers
from parity.port.links.dense import sigmoid
from parity.port.links.elu import elu
from parity.port.links.shapes import Apply, flatten, permute, reshape
from parity.port.types import Array, Arrays, Config, Maker


def softsign(x: Array) -> chainer.Variable:
    return x / (1 + F.absolute(x))


# Keras's name -> function; keras/activations.py is the same in every 1.x release, but for elu
ACTIVATIONS: dict[str, Callable[[Array], chainer.Variable]] = {
    "linear": chainer.as_variable,
    "relu": F.relu,
    "elu": F.elu,  # 1.2
    "tanh": F.tanh,
    "sigmoid": sigmoid,
    "hard_sigmoid": F.hard_sigmoid,
    "softmax": lambda x: F.softmax(x, axis=-1),
    "softplus": F.softplus,
    "softsign": softsign,
}


def without_arrays(function: Callable[..., Any], *settings: str) -> Maker:
    """The maker of a layer without parameters, which is given these of its settings."""

    def make(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
        return Apply(function, **{name: config[name] for name in settings})

    return make


class Dense(chainer.Link):
    """x (..., in) -> (..., out). Parameters W (in, out), as Keras has it, and b (out,) or none."""

    def __init__(self, activation: str, W: np.ndarray, b: np.ndarray | None) -> None:
        super().__init__()
        self.activation = activation
        with self.init_scope():
            self.W = chainer.Parameter(W)
            self.b = None if b is None else chainer.Parameter(b)

    def logits(self, x: Array) -> chainer.Variable:
        """What goes into the activation."""
        return F.linear(x, self.W.T, self.b, n_batch_axes=x.ndim - 1)

    def forward(self, x: Array) -> chainer.Variable:
        return ACTIVATIONS[self.activation](self.logits(x))


def dense(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    bias = arrays["b"] if config.get("bias", True) else None
    return Dense(config["activation"], arrays["W"], bias)


def activation(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Apply(ACTIVATIONS[config["activation"]])


def rectifier(config: Config, arrays: Arrays, keras: str) -> chainer.Link:
    return Apply(elu, keras=keras, alpha=config["alpha"])


PASSED_ON = (  # at test time
    *("GaussianNoise", "GaussianDropout", "SpatialDropout1D", "SpatialDropout2D"),
    *("SpatialDropout3D", "ActivityRegularization"),
)
IMAGES: dict[str, Maker] = {
    "AveragePooling1D": images.pooling(mean=True),
    "AveragePooling2D": images.pooling(mean=True),
    "BatchNormalization": elementwise.batch_normalization,
    "Convolution1D": images.convolution(ACTIVATIONS),
    "Convolution2D": images.convolution(ACTIVATIONS),
    "Cropping1D": images.step_cropping,
    "Cropping2D": images.cropping,
    "ELU": rectifier,
    "GlobalAveragePooling1D": images.global_pooling(mean=True, steps=True),
    "GlobalAveragePooling2D": images.global_pooling(mean=True, steps=False),
    "GlobalMaxPooling1D": images.global_pooling(mean=False, steps=True),
    "GlobalMaxPooling2D": images.global_pooling(mean=False, steps=False),
    "LeakyReLU": lambda config, arrays, keras: Apply(F.leaky_relu, slope=config["alpha"]),
    "MaxPooling1D": images.pooling(mean=False),
    "MaxPooling2D": images.pooling(mean=False),
    "Merge": elementwise.merge,
    "PReLU": elementwise.p_relu,
    "ThresholdedReLU": without_arrays(elementwise.thresholded_relu, "theta"),
    "UpSampling1D": images.step_up_sampling,
    "UpSampling2D": images.up_sampling,
    "ZeroPadding1D": images.step_padding,
    "ZeroPadding2D": images.zero_padding,
    **dict.fromkeys(PASSED_ON, without_arrays(chainer.as_variable)),
}
# Keras class name -> what makes its link
MAKERS: dict[str, Maker] = {
    **IMAGES,
    "Activation": activation,
    "Dense": dense,
    "TimeDistributedDense": dense,
    "Embedding": sequences.embedding,
    "GRU": recurrent.recurrent("GRU", ACTIVATIONS),
    "LSTM": recurrent.recurrent("LSTM", ACTIVATIONS),
    "Masking": sequences.masking,
    "RepeatVector": without_arrays(sequences.repeat_vector, "n"),
    "SimpleRNN": recurrent.recurrent("SimpleRNN", ACTIVATIONS),
    "Dropout": without_arrays(chainer.as_variable),
    "Flatten": without_arrays(flatten),
    "Permute": without_arrays(permute, "dims"),
    "Reshape": without_arrays(reshape, "target_shape"),
}
# setting -> the values of it that links are known for
KNOWN: dict[str, list[Any]] = {
    "activation": [*ACTIVATIONS],
    "inner_activation": [*ACTIVATIONS],
    "merge_mode": [*wrappers.MERGED],
    "mode": [*elementwise.MODES, 0, 1, 2],  # of a Merge, and of a BatchNormalization
}
MAKERS["TimeDistributed"] = wrappers.time_distributed(MAKERS)
MAKERS["Bidirectional"] = wrappers.bidirectional(MAKERS)


def unknown(kind: str, config: Config) -> str | None:
    """What no link is known for, of a layer or of the one inside it; None where one is."""
    if kind in CONTAINERS:
        nodes = parse({"class_name": kind, "config": config}).nodes
        inside = (unknown(node.kind, node.config) for node in nodes if node.kind != INPUT)
        return next(filter(None, inside), None)
    if kind not in MAKERS:
        return kind
    for setting, values in KNOWN.items():
        if setting in config and config[setting] not in values:
            return f"{kind} with {setting}={config[setting]!r}"[:100]
    inner = config.get("layer")
    return unknown(inner["class_name"], inner["config"]) if inner else None
