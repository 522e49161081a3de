"""The original as one Theano function that returns every layer's output, and the stack it really
runs on.

Import `reference.legacy` and apply it first.
"""

import os
import platform
import time

import h5py
import keras
import numpy as np
import scipy
import theano
from keras import backend as K
from theano.gof.cmodule import gcc_version

from reference.models import build
from reference.trace_file import Layer
from reference.weight_file import read_weights

# dropout draws its graph's seeds from numpy.random when the model is built; equal seeds, equal
# graphs
_SEED = 20160618
_TEST_PHASE = 0
_NUMERIC_FLAGS = (
    "device",
    "floatX",
    "optimizer",
    "linker",
    "blas.ldflags",
)  # no folders: they differ by machine


def observed_stack():
    """What really runs, {name: value}: versions, Keras settings and the Theano flags that can
    change a number.
    """
    return {
        "python": ".".join(platform.python_version_tuple()[:2]),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "h5py": h5py.__version__,
        "keras": keras.__version__,
        "theano": theano.__version__,
        "gcc": gcc_version(),
        "backend": K._BACKEND,
        "image_dim_ordering": K.image_dim_ordering(),
        "floatx": K.floatx(),
        "epsilon": K.epsilon(),
        "floatX": theano.config.floatX,
        "optimizer": str(theano.config.optimizer),
        "theano_flags": ",".join(f"{flag}={_flag(flag)}" for flag in _NUMERIC_FLAGS),
        "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
    }


def _flag(name):
    value = theano.config
    for part in name.split("."):
        value = getattr(value, part)
    return value


def load(name, weights):
    """The Keras model `name` with the weights of the file `weights`. Raises Refused where they do
    not fit.
    """
    np.random.seed(_SEED)
    model = build(name)
    needed = {
        layer.name: [(w.name, tuple(w.get_value(borrow=True).shape)) for w in _parameters(layer)]
        for layer in model.layers
        if _parameters(layer)
    }
    for layer, arrays in read_weights(weights, needed).items():
        model.get_layer(layer).set_weights(arrays)
    return model


def _parameters(layer):
    """In the order of set_weights. Keras 1.0 has no `layer.weights`, and its InputLayer has
    neither of the two lists.
    """
    return getattr(layer, "trainable_weights", []) + getattr(layer, "non_trainable_weights", [])


def compile_all(model):
    """One function, batch -> (outputs, pre-activations by Dense layer): one pass, so that all
    layers saw the same run.
    """
    outputs = [layer.output for layer in model.layers]
    dense = [layer for layer in model.layers if type(layer).__name__ == "Dense"]
    before = [
        layer.output.owner.inputs[0] for layer in dense
    ]  # the node that the activation is applied to
    function = theano.function(
        [model.inputs[0], K.learning_phase()], outputs + before, on_unused_input="ignore"
    )

    def run(batch):
        results = function(batch, _TEST_PHASE)
        return results[: len(outputs)], dict(
            zip((layer.name for layer in dense), results[len(outputs) :], strict=True)
        )

    return run


def layers(model, outputs, pre_activations):
    """What the trace holds of each layer, in network order; class and config are Keras's own
    words.
    """
    return [
        Layer(
            layer.name,
            type(layer).__name__,
            layer.get_config(),
            [inbound.name for inbound in layer.inbound_nodes[0].inbound_layers],
            output,
            pre_activations.get(layer.name),
        )
        for layer, output in zip(model.layers, outputs, strict=True)
    ]


def timings(model, run, batch):
    """Second call of plain `predict` and of all layers: seconds, CPU seconds, and whether both end
    in the same bits.
    """
    scores, predict = _second_call(lambda: model.predict(batch, batch_size=len(batch)))
    (outputs, _), all_layers = _second_call(lambda: run(batch))
    return {
        "predict": predict,
        "all_layers": all_layers,
        "bitwise_equal": bool(np.array_equal(scores, outputs[-1])),
    }


def _second_call(call):
    call()
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    result = call()
    return result, {
        "wall_s": time.perf_counter() - start_s,
        "cpu_s": time.process_time() - start_cpu_s,
    }
