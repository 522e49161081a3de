"""A port as a mapping of callables, for --port: nothing but the README's contract."""

from functools import partial

from parity.port import proof


def steps(model, weights, keras):
    port = proof.steps(model, weights, keras)
    return {name: partial(port.run, name) for name in port.layers}
