"""The end of CRNN, recorded from the port itself on seeded weights: faults can be tried without an original."""

import functools

import numpy as np

from fixtures import seeded
from parity.faults.trial import Original
from parity.params import read_params
from parity.trace import Layer
from port.models import load
from port.proof import steps_of

KERAS = "1.1.0"
ROWS = (
    ("gru1", "GRU", {"return_sequences": True}),
    ("gru2", "GRU", {"return_sequences": False}),
    ("final_drop", "Dropout", {"p": 0.3}),
    ("preds", "Dense", {"activation": "sigmoid"}),
)


@functools.cache
def recorded():
    """An Original with the layers of ROWS on (2, 15, 128) unit noise."""
    weights = seeded.weights("CRNN")
    steps, x = steps_of(load("CRNN", weights, KERAS)), np.random.default_rng(3).standard_normal((2, 15, 128)).astype(np.float32)
    layers, outputs, before = {}, {"input": x}, "input"
    for name, kind, config in ROWS:
        out = outputs[name] = steps[name](outputs[before])
        layers[name] = Layer(name, kind, config, (before,), out.shape, out.dtype, "")
        before = name
    return Original("CRNN", weights, "trace.h5", layers, outputs, read_params(weights), KERAS)
