"""The first layers of CRNN and CNN0 on four mel bands, recorded from the port itself on seeded
weights: for faults of images.
"""

import functools

import numpy as np

from parity.faults.trial import Original
from parity.fixtures import seeded
from parity.model import Weights
from parity.port.proof import ChainerPort
from parity.port.weights import load
from parity.recording.trace import Layer

IMAGE, NORM = {"border_mode": "same", "subsample": [1, 1]}, {"momentum": 0.9}
ROWS = {
    "CRNN": (
        "1.1.0",
        (
            ("zeropadding2d_1", "ZeroPadding2D", {"padding": [0, 37]}),
            ("bn_0_freq", "BatchNormalization", {"mode": 0, "axis": 3, "epsilon": 1e-5}),
            ("conv1", "Convolution2D", IMAGE),
            ("bn1", "BatchNormalization", {"mode": 0, "axis": 1, "epsilon": 1e-5}),
            ("elu_1", "ELU", {"alpha": 1.0}),
            ("pool1", "MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2]}),
            ("dropout1", "Dropout", {"p": 0.1}),
            ("conv2", "Convolution2D", IMAGE),
        ),
    ),
    "CNN0": (
        "1.0.6",
        (
            ("bn_0_freq", "BatchNormalization", {"mode": 0, "axis": 3, "epsilon": 1e-6}),
            ("conv1", "Convolution2D", IMAGE),
            ("bn1", "BatchNormalization", {"mode": 2, "axis": 1, "epsilon": 1e-6}),
            ("elu_1", "ELU", {"alpha": 1.0}),
            ("pool1", "MaxPooling2D", {"pool_size": [2, 4], "strides": [2, 4]}),
        ),
    ),
}


@functools.cache
def recorded(model):
    """An Original with the layers of ROWS on two clips of four bands in decibels."""
    keras, rows = ROWS[model]
    weights, rng = seeded.weights(model), np.random.default_rng(4)
    port, x = (
        ChainerPort(load(model, weights, keras)),
        (12 * rng.standard_normal((2, 1, 4, 1366))).astype(np.float32),
    )
    layers, outputs, before = {}, {"input": x}, "input"
    for name, kind, config in rows:
        out = outputs[name] = np.ascontiguousarray(port.run(name, outputs[before]))
        layers[name] = Layer(name, kind, config, (before,), out.shape, out.dtype, "")
        before = name
    return Original(model, weights, "trace.h5", layers, outputs, Weights(weights).params, keras)
