"""Prove a port layer by layer, then break it and see the fault found and named.

    PYTHONPATH=. .tox/harness/bin/python examples/prove_my_port.py

The original is a small tagger by Keras 1.1.0's formulas, every layer rounded to float32: it stands
in for a recorded one. The port is NumPy, one callable a layer. A port of the real taggers is proved
the same way against the originals on Theano: `parity run --port module:function`.
"""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from parity.ports.callables import Callables
from parity.proving import compare
from parity.stand_in import stand_in

ORIGINAL = (  # name, Keras class, configuration: what get_config() says of each layer
    ("conv1", "Convolution2D", {"border_mode": "same"}),
    ("bn1", "BatchNormalization", {"axis": 1, "mode": 0, "epsilon": 1e-5}),
    ("elu_1", "ELU", {"alpha": 1.0}),
    ("pool1", "MaxPooling2D", {"pool_size": [4, 4], "strides": [4, 4]}),
    ("flatten_1", "Flatten", {}),
    ("output", "Dense", {"activation": "sigmoid"}),
)


def weights(seed=0):
    """{layer: {Keras's suffix: float32 array}}: what a weight file of the original holds."""
    draw = np.random.default_rng(seed).standard_normal
    params = {
        "conv1": {"W": draw((8, 1, 3, 3)) / 3, "b": draw(8)},
        "bn1": {suffix: draw(8) for suffix in ("gamma", "beta", "running_mean")},
        "output": {"W": draw((128, 3)) / 9, "b": draw(3)},
    }
    params["bn1"]["running_std"] = 0.02 + np.square(draw(8))  # a variance, in this release
    return {
        layer: {suffix: array.astype(np.float32) for suffix, array in arrays.items()}
        for layer, arrays in params.items()
    }


def my_port(params, eps=1e-5):
    """The port: an ordered mapping, layer name -> callable(float32 array) -> float32 array."""
    conv, bn, dense = params["conv1"], params["bn1"], params["output"]

    def conv1(x):  # Theano convolves, so the kernels are flipped
        padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
        windows = sliding_window_view(padded, (3, 3), axis=(2, 3))
        sums = np.tensordot(windows, conv["W"][..., ::-1, ::-1], ([1, 4, 5], [1, 2, 3]))
        return (sums + conv["b"]).transpose(0, 3, 1, 2)

    def bn1(x):
        gamma, beta, mean, variance = (
            bn[suffix].reshape(8, 1, 1)
            for suffix in ("gamma", "beta", "running_mean", "running_std")
        )
        return gamma * (x - mean) / np.sqrt(variance + np.float32(eps)) + beta

    def output(x):
        return 1 / (1 + np.exp(-output.logits(x)))

    output.logits = lambda x: x @ dense["W"] + dense["b"]  # optional: the drift is shared out there
    return {
        "conv1": conv1,
        "bn1": bn1,
        "elu_1": lambda x: np.where(x > 0, x, np.exp(np.minimum(x, 0)) - np.float32(1)),
        "pool1": lambda x: x.reshape(len(x), 8, 4, 4, 4, 4).max(axis=(3, 5)),
        "flatten_1": lambda x: x.reshape(len(x), -1),
        "output": output,
    }


def proved(port, params, clips):
    """What the harness finds: each layer alone and in the chain, and who made the final drift."""
    case, traces = stand_in(ORIGINAL, params, clips, keras="1.1.0", tags=("rock", "jazz", "folk"))
    return compare(case, traces, Callables(port))


def show(title, found):
    print(f"{title}: {'holds' if found.final.holds else 'does not hold'}")
    print(f"  {'layer':10}{'alone':35}{'of allowance':>12}  {'in the chain':14}of final drift")
    for layer in found.layers:
        alone, chained = layer.isolated, layer.chained
        print(
            f"  {layer.name:10}{alone.verdict:35}{alone.rho_port:>12.2f}  "
            f"{chained.verdict.partition('(')[0]:14}{chained.share:>z14.0%}"
        )


if __name__ == "__main__":
    params = weights()
    clips = np.random.default_rng(1).standard_normal((2, 1, 16, 16)).astype(np.float32)
    show("my port", proved(my_port(params), params, clips))
    show("my port with Chainer's eps", proved(my_port(params, eps=2e-5), params, clips))
