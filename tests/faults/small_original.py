"""The end of CRNN, recorded from the port itself on seeded weights: faults can be tried without an
original.
"""

import functools

import numpy as np

from parity.faults import formulas, reorderings
from parity.faults.plant import planted
from parity.faults.trial import Original, prove
from parity.fixtures import seeded
from parity.model import Weights
from parity.port.proof import ChainerPort
from parity.port.weights import load
from parity.ports.callables import Replaced
from parity.recording.trace import Layer

KERAS = "1.1.0"
ROWS = (
    ("gru1", "GRU", {"return_sequences": True}),
    ("gru2", "GRU", {"return_sequences": False}),
    ("final_drop", "Dropout", {"p": 0.3}),
    ("preds", "Dense", {"activation": "sigmoid"}),
)
OTHERWISE = {
    "gru1": formulas.gru(),
    "gru2": formulas.gru(),
    "preds": reorderings.dense(order="reversed"),
}


@functools.cache
def recorded(otherwise=False):
    """An Original with the layers of ROWS on (2, 15, 128) unit noise; otherwise: it sums in other
    orders than the port does.
    """
    weights = seeded.weights("CRNN")
    port, x = (
        _port(load("CRNN", weights, KERAS), otherwise),
        np.random.default_rng(3).standard_normal((2, 15, 128)).astype(np.float32),
    )
    layers, outputs, before = {}, {"input": x}, "input"
    for name, kind, config in ROWS:
        out = outputs[name] = port.run(name, outputs[before])
        layers[name] = Layer(name, kind, config, (before,), out.shape, out.dtype, "")
        before = name
    scores = outputs["preds"].astype(np.float64)
    logits = np.log(scores / (1 - scores)) if otherwise else port.logits(outputs["final_drop"])
    return Original(
        "CRNN",
        weights,
        "trace.h5",
        layers,
        outputs,
        Weights(weights).params,
        KERAS,
        logits.astype(np.float32),
    )


@functools.cache
def sound(otherwise=False):
    """The sound port on that original."""
    there = recorded(otherwise)
    return prove(there, ChainerPort(there.tagger()))


def _port(tagger, otherwise):
    planted_steps = {
        name: planted(tagger, _At(name, plant)).steps[name] for name, plant in OTHERWISE.items()
    }
    port = ChainerPort(tagger)
    return Replaced(port, planted_steps) if otherwise else port


class _At:
    def __init__(self, layer, plant):
        self.layer, self.plant = layer, plant


class AsTrace:
    """An Original as parity.recording.trace.Trace gives it."""

    def __init__(self, there):
        given = there.outputs["input"]
        self.there, self.layers = (
            there,
            {
                "input": Layer("input", "InputLayer", {}, (), given.shape, given.dtype, ""),
                **there.layers,
            },
        )

    def read(self, name):
        return self.there.outputs[name]

    def has_pre_activation(self, name):
        return True

    def read_pre_activation(self, name):
        return self.there.logits
