"""Keras's layers as Chainer links, a module per class. They run on a CPU, in float32 or float64.

A link with parameters has `keras_arrays()`: {Keras's suffix: writeable view in Keras's layout}, in
the order of Keras's weight_names.
"""

from collections.abc import Callable
from functools import partial

import chainer
import chainer.functions as F

from parity.port.links.batch_normalization import BatchNormalization
from parity.port.links.convolution_2d import Convolution2D
from parity.port.links.dense import SigmoidDense
from parity.port.links.elu import elu
from parity.port.links.gru import GRU
from parity.port.links.max_pooling_2d import max_pooling_2d
from parity.port.links.shapes import Apply, flatten, permute, reshape, zero_padding_2d

# Keras class name -> what makes the link from the arguments of an architecture's row.
KINDS: dict[str, Callable[..., chainer.Link]] = {
    "ZeroPadding2D": partial(Apply, zero_padding_2d),
    "BatchNormalization": BatchNormalization,
    "Convolution2D": Convolution2D,
    "ELU": partial(Apply, elu),
    "MaxPooling2D": partial(Apply, max_pooling_2d),
    "Dropout": partial(Apply, F.dropout),
    "Permute": partial(Apply, permute),
    "Reshape": partial(Apply, reshape),
    "Flatten": partial(Apply, flatten),
    "GRU": GRU,
    "Dense": SigmoidDense,
}
BY_RELEASE = {"BatchNormalization", "ELU"}  # the kinds whose formula depends on the Keras release
