"""How a fault gets into a port, from outside. A plant is called with a fresh Tagger and a layer's
name and breaks it.

What it returns are the steps it replaces, {layer name: callable(Variable or array)}, or None where
it changed the Tagger.
"""

from functools import partial

import numpy as np

from parity.port.links.batch_normalization import DIALECTS, BatchNormalization
from parity.port.proof import in_test_phase, steps_of
from parity.port.stock import DRIFTS
from parity.port.weights import keras_arrays


def weight(suffix, change):
    """The layer's parameter of that Keras suffix, in Keras's own layout, becomes change(it)."""

    def plant(tagger, layer):
        array = keras_arrays(tagger)[f"{layer}/{layer}_{suffix}"]
        array[...] = change(array.copy())

    return plant


def two_weights(one, other):
    """Two parameters of the layer, of one shape, change places."""

    def plant(tagger, layer):
        first, second = (
            keras_arrays(tagger)[f"{layer}/{layer}_{suffix}"] for suffix in (one, other)
        )
        first[...], second[...] = second.copy(), first.copy()

    return plant


def every_weight(change):
    """Every parameter of the whole model becomes change(it)."""

    def plant(tagger, layer):
        for array in keras_arrays(tagger).values():
            array[...] = change(array.copy())

    return plant


def own_weights(change, suffixes=None):
    """Every parameter of the layer, or those of these suffixes, becomes change(it)."""

    def plant(tagger, layer):
        for name, array in keras_arrays(tagger).items():
            if name.startswith(f"{layer}/") and (
                suffixes is None or name.removeprefix(f"{layer}/{layer}_") in suffixes
            ):
                array[...] = change(array.copy())

    return plant


def several(*plants):
    """All of these, none of which replaces a step."""

    def plant(tagger, layer):
        for each in plants:
            each(tagger, layer)

    return plant


def attribute(**values):
    """Attributes of the layer's link: its configuration."""

    def plant(tagger, layer):
        for name, value in values.items():
            if not hasattr(tagger[layer], name):
                raise AttributeError(f"{layer} has no setting {name}")
            setattr(tagger[layer], name, value)

    return plant


def argument(**values):
    """Arguments of a layer without parameters."""

    def plant(tagger, layer):
        tagger[layer].arguments = {**tagger[layer].arguments, **values}

    return plant


def dialect(release, **changes):
    """The layer normalises as another Keras release does, or as its own with some of the formulas
    changed.
    """

    def plant(tagger, layer):
        own = tagger[layer].dialect if release is None else DIALECTS[release]
        tagger[layer].dialect = own._replace(**changes)

    return plant


def formula(function, /, **arguments):
    """The layer's step is replaced by function(link, x, **arguments) on arrays."""
    return lambda tagger, layer: {layer: partial(function, tagger[layer], **arguments)}


def stock(drift):
    """The layer is Chainer's own link in the place of the port's; drift: of
    parity.port.stock.DRIFTS.
    """

    def plant(tagger, layer):
        kind, make = DRIFTS[drift]
        if type(tagger[layer]) is not kind:
            raise TypeError(f"{layer} is no {kind.__name__}, which {drift} replaces")
        return {layer: make(layer, tagger[layer])}

    return plant


def in_train_phase(tagger, layer):
    """The layer runs as if it were being trained."""
    import chainer

    def step(x):
        np.random.seed(0)  # Chainer's dropout draws from NumPy's global state
        with chainer.using_config("train", True):
            return tagger[layer](x)

    return {layer: step}


def order(other):
    """The layer and another change places in the network."""
    return lambda tagger, layer: {layer: tagger[other], other: tagger[layer]}


def given(change):
    """The port is given another input: what its first layer reads becomes change(it)."""

    def plant(tagger, layer):
        first = tagger.layer_names[0]
        return {first: lambda x: tagger[first](change(x.copy()))}

    return plant


def batched(batches):
    """Every layer runs on other batches: batches(step, x) calls step on whatever it makes up and
    returns x's part.
    """

    def plant(tagger, layer):
        return {
            name: partial(batches, in_test_phase(step)) for name, step in tagger.steps().items()
        }

    return plant


def planted(tagger, fault):
    """The broken port's steps, {layer name: callable(array) -> array}; `fault` has .layer and
    .plant.
    """
    replaced = fault.plant(tagger, fault.layer) or {}
    return {**steps_of(tagger), **{name: in_test_phase(step) for name, step in replaced.items()}}


def answer(step, given):
    """A step's output, or a sentence saying why there is none."""
    try:
        return np.asarray(step(given))
    except Exception as error:  # whatever a broken port raises is that layer's failure
        return f"{type(error).__name__}: {' '.join(str(error).split())}"[:300]


def widened(tagger):
    """The same Tagger with float64 parameters and statistics, so that it computes its formulas
    without float32's rounding.
    """
    for link in tagger.children():
        for parameter in link.params():
            parameter.array = parameter.array.astype(np.float64)
        if isinstance(link, BatchNormalization):
            link.running_mean, link.running_std = (
                np.float64(a) for a in (link.running_mean, link.running_std)
            )
    return tagger
