"""How a mutation gets into a port, from outside.

A plant is called with a fresh Network and a layer's name. It changes the Network, or returns the
steps it replaces, {layer name: callable(Variable or array)}, or a port in its stead.
"""

from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

import chainer
import numpy as np

from parity.faults.arrays import Change
from parity.port.links.batch_normalization import DIALECTS, BatchNormalization
from parity.port.proof import ChainerPort, in_test_phase
from parity.port.stock import DRIFTS
from parity.port.weights import keras_arrays
from parity.port_api import same_bits
from parity.ports.callables import Replaced

Plant = Callable


def own_weights(change: Change, suffixes: Iterable[str] = ()) -> Plant:
    """The layer's parameters of these Keras suffixes, or all of them, each in Keras's layout."""

    def plant(tagger, layer):
        arrays = parameters(tagger, layer)
        for suffix in suffixes or arrays:
            arrays[suffix][...] = change(arrays[suffix].copy())

    return plant


def weight(suffix: str, change: Change) -> Plant:
    """One parameter of the layer."""
    return own_weights(change, (suffix,))


def every_weight(change: Change) -> Plant:
    """Every parameter of the model."""

    def plant(tagger, layer):
        for name in tagger.layer_names:
            own_weights(change)(tagger, name)

    return plant


def swapped_gates(one: str, other: str) -> Plant:
    """Two gates of a recurrent layer change places, with all their parameters."""

    def plant(tagger, layer):
        arrays = parameters(tagger, layer)
        for kind in "WUb":
            first, second = (arrays[f"{kind}_{gate}"] for gate in (one, other))
            first[...], second[...] = second.copy(), first.copy()

    return plant


def parameters(tagger, layer):
    """{Keras suffix: writeable view} of one layer."""
    prefix = f"{layer}/{layer}_"
    found = keras_arrays(tagger).items()
    return {name.removeprefix(prefix): view for name, view in found if name.startswith(prefix)}


def several(*plants: Plant) -> Plant:
    """All of these, none of which replaces a step."""

    def plant(tagger, layer):
        for each in plants:
            each(tagger, layer)

    return plant


def attribute(**values) -> Plant:
    """Attributes of the layer's link: its configuration."""

    def plant(tagger, layer):
        for name, value in values.items():
            if not hasattr(tagger[layer], name):
                raise AttributeError(f"{layer} has no setting {name}")
            setattr(tagger[layer], name, value)

    return plant


def argument(**values) -> Plant:
    """Arguments of a layer without parameters."""

    def plant(tagger, layer):
        tagger[layer].arguments = {**tagger[layer].arguments, **values}

    return plant


def dialect(release: str | None, **formulas) -> Plant:
    """Normalised as another Keras release does it, or as its own (None) with other formulas."""

    def plant(tagger, layer):
        own = tagger[layer].dialect if release is None else DIALECTS[release]
        tagger[layer].dialect = own._replace(**formulas)

    return plant


def formula(function: Callable) -> Callable[..., Plant]:
    """Decorator: called with its keyword arguments, `function(link, x, **arguments)` is a plant
    that replaces the layer's step.
    """

    @wraps(function)
    def planting(**arguments):
        return lambda tagger, layer: {layer: partial(function, tagger[layer], **arguments)}

    return planting


def stock(drift: str) -> Plant:
    """Chainer's own link in the place of the port's; drift: of parity.port.stock.DRIFTS."""

    def plant(tagger, layer):
        kind, make = DRIFTS[drift]
        if type(tagger[layer]) is not kind:
            raise TypeError(f"{layer} is no {kind.__name__}, which {drift} replaces")
        return {layer: make(layer, tagger[layer])}

    return plant


def stock_throughout(drift: str) -> Plant:
    """The same at every layer of that kind."""

    def plant(tagger, layer):
        (kind, make), links = DRIFTS[drift], tagger.steps()
        return {name: make(name, link) for name, link in links.items() if type(link) is kind}

    return plant


def in_train_phase(tagger, layer):
    """The layer runs as it does in training."""

    def step(x):
        np.random.seed(0)  # Chainer's dropout draws from NumPy's global state
        with chainer.using_config("train", True):
            return tagger[layer](x)

    return {layer: step}


def exchanged_with(other: str) -> Plant:
    """The layer and another change places in the network."""
    return lambda tagger, layer: {layer: tagger[other], other: tagger[layer]}


def reads(change: Change) -> Plant:
    """The port's input is changed before its first layer reads it."""

    def plant(tagger, layer):
        first = tagger.layer_names[0]
        return {first: lambda x: tagger[first](change(x.copy()))}

    return plant


def batched(batches: Callable) -> Plant:
    """Every layer runs on other batches: batches(step, x) calls step on what it makes of x."""

    def plant(tagger, layer):
        return {
            name: partial(batches, in_test_phase(step)) for name, step in tagger.steps().items()
        }

    return plant


def planted(tagger, mutant) -> Replaced | ChainerPort:
    """The mutant: the tagger's port with what the plant changed."""
    replaced = mutant.plant(tagger, mutant.layer) or {}
    if isinstance(replaced, ChainerPort):
        return replaced
    steps = {name: in_test_phase(step) for name, step in replaced.items()}
    return Replaced(ChainerPort(tagger), steps)


def left_alone(port, sound) -> set[str]:
    """Layers of a mutant that are the sound port's: not replaced, and in the same state."""
    own: Any = port.port if isinstance(port, Replaced) else port
    if type(own).run is not ChainerPort.run:
        return set()
    names = set(port.layers) - set(getattr(port, "steps", ()))
    return {name for name in names if _same_state(own.network[name], sound.network[name])}


def _same_state(one, other):
    one, other = vars(one), vars(other)
    return one.keys() == other.keys() and all(_equal(one[key], other[key]) for key in one)


def _equal(one, other):
    one, other = (
        map(chainer.as_array, (one, other)) if isinstance(one, chainer.Parameter) else (one, other)
    )
    return same_bits(one, other) if isinstance(one, np.ndarray) else one == other


def widened(tagger):
    """The same Network with float64 parameters and statistics: its formulas without rounding."""
    for link in tagger.children():
        for parameter in link.params():
            parameter.array = parameter.array.astype(np.float64)
        if isinstance(link, BatchNormalization):
            link.running_mean = link.running_mean.astype(np.float64)
            link.running_std = link.running_std.astype(np.float64)
    return tagger
