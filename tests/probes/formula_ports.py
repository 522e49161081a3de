"""Layers without Keras, and ports that compute their formula in memory, right or wrong."""

import numpy as np

from parity.kinds import layer_case
from parity.ports.callables import Callables
from parity.probes.asking import probe_layer
from tests.kinds.layers import LAYERS
from tests.kinds.recorded_layers import layer

RECURRENT = {
    "activation": "tanh", "consume_less": "cpu", "go_backwards": False, "return_sequences": False,
    "stateful": False,
}  # fmt: skip
# what Keras says of a layer beside what it was made with
DEFAULTS = {
    "AveragePooling2D": {"border_mode": "valid", "dim_ordering": "th"},
    "MaxPooling2D": {"border_mode": "valid", "dim_ordering": "th"},
    "BatchNormalization": {"epsilon": 1e-6, "momentum": 0.9},
    "Convolution2D": {
        "activation": "linear", "bias": True, "border_mode": "valid", "dim_ordering": "th",
        "subsample": [1, 1],
    },
    "Convolution1D": {
        "activation": "linear", "bias": True, "border_mode": "valid", "subsample_length": 1,
    },
    **{f"{how}Pooling1D": {"border_mode": "valid"} for how in ("Max", "Average")},
    "Merge": {"concat_axis": -1, "dot_axes": -1},
    "Dense": {"activation": "linear", "bias": True},
    "TimeDistributedDense": {"bias": True},
    "Dropout": {"p": 0.5},
    "Embedding": {"mask_zero": False},
    "SimpleRNN": RECURRENT,
    **{key: {**RECURRENT, "inner_activation": "hard_sigmoid"} for key in ("GRU", "LSTM")},
}  # fmt: skip
RELEASE = "1.1.0"


def settings(one):
    """A single layer's settings, as Keras says them."""
    found = {**DEFAULTS.get(one.kind, {}), **one.arguments}
    if inner := found.get("layer"):
        config = {**DEFAULTS.get(inner["class_name"], {}), **inner["config"]}
        found["layer"] = {**inner, "config": config}
    if "pool_size" in found:
        found.setdefault("strides", found["pool_size"])
    if "pool_length" in found:
        found.setdefault("stride", found["pool_length"])
    return found


def blank(one):
    """A single layer as it is asked: one clip of zeros."""
    x, more = (
        np.zeros((1, *one.x.shape[1:]), np.float32),
        [np.ones_like(each[:1]) for each in one.more],
    )
    return layer_case(layer(one.kind, **settings(one)), one.weights, x, RELEASE, more)


def case_of(kind, **arguments):
    """The single layer of a kind with these arguments and the fewest others, blank."""
    some = (one for one in LAYERS if one.kind == kind)
    rows = [one for one in some if arguments.items() <= one.arguments.items()]
    return blank(min(rows, key=lambda one: len(one.arguments)))


def computed(case, x, *more):
    """The formula's float64 answer, rounded once."""
    return case.but(x=x, more=more).value().astype(np.float32)


class Last:
    """The last step of a port, which shows its sums."""

    def __init__(self, case, run):
        self.case, self.run = case, run

    def __call__(self, *inputs):
        return self.run(*inputs)

    def logits(self, x):
        return computed(self.case.but(config={"activation": "linear"}), x)


def port_of(case, run=None, logits=False):
    """A port whose only layer is the case's, computed by its formula or by `run`."""
    run = run or (lambda *inputs: computed(case, *inputs))
    return Callables({case.layer.name: Last(case, run) if logits else run})


def probed(case, run=None, seed=7, logits=False):
    """What the layer's own probes find of such a port."""
    return probe_layer(port_of(case, run, logits), case, np.random.default_rng(seed))


def without(case, name, change):
    """The case with one parameter changed: change(copy) alters it in place, or returns another."""
    values = np.array(case.params[name])
    other = change(values)
    return case.but(params={name: values if other is None else other})
