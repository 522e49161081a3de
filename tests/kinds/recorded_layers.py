"""A layer as a trace describes it, a trace held in memory, and float32 layers as Keras computes
them.
"""

import numpy as np

from parity.ports.callables import Callables
from parity.recording.trace import Layer

F = np.float32


def layer(kind, name="it", inbound=(), shape=(), **config):
    """A parity.recording.trace.Layer."""
    return Layer(name, kind, config, tuple(inbound), tuple(shape), np.dtype(F), "")


class Recorded:
    """A trace of layers in a row: {name: (Layer, output)}, the InputLayer first."""

    def __init__(self, outputs):
        self.layers = {name: each for name, (each, _) in outputs.items()}
        self._outputs = {name: output for name, (_, output) in outputs.items()}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, name):
        return self._outputs[name]


class Inside(Callables):
    """A port of callables that shows what some layers compute on the way, {layer: callable}."""

    def __init__(self, steps, insides):
        super().__init__(steps)
        self.insides = insides

    def inside(self, layer, x, **given):
        look = self.insides.get(layer)
        return look and look(x, **given)


def gru_params(rng, inputs=7, units=5, scale=0.6):
    """The nine arrays of a Keras GRU, float32."""
    shapes = {"W": (inputs, units), "U": (units, units), "b": (units,)}
    return {
        f"{kind}_{gate}": (rng.standard_normal(shape) * scale).astype(F)
        for gate in "zrh"
        for kind, shape in shapes.items()
    }


def hard_sigmoid(a):
    return np.clip(F(0.2) * a + F(0.5), F(0), F(1))


class FloatGRU:
    """Keras's GRU in float32; `disturb` {step: what is added to the state}; `gate_r` instead of
    the hard sigmoid for r.
    """

    def __init__(self, params, disturb=(), gate_r=hard_sigmoid):
        self.params, self.disturb, self.gate_r = params, dict(disturb), gate_r

    def unrolled(self, x, before=None):
        p, h, found = self.params, np.zeros((len(x), len(self.params["U_z"])), F), []
        for t in range(x.shape[1]):
            h = h if before is None else before[:, t]
            z, r = (
                gate(x[:, t] @ p[f"W_{g}"] + p[f"b_{g}"] + h @ p[f"U_{g}"])
                for g, gate in (("z", hard_sigmoid), ("r", self.gate_r))
            )
            c = np.tanh(x[:, t] @ p["W_h"] + p["b_h"] + (r * h) @ p["U_h"])
            h = (z * h + (F(1) - z) * c + F(self.disturb.get(t + 1, 0))).astype(F)
            found.append((z, r, c, h))
        names = ("z", "r", "candidate", "state")
        return {
            name: np.stack(steps, axis=1)
            for name, steps in zip(names, zip(*found, strict=True), strict=True)
        }

    def sequence(self, x):
        return self.unrolled(x)["state"]

    def last(self, x):
        return self.sequence(x)[:, -1]
