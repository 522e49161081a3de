"""What a port gets wrong in a layer of images, of sequences or of several inputs is named."""

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from parity.diagnose import cause
from parity.kinds import KINDS, layer_case
from tests.kinds.layers import LAYERS
from tests.kinds.recorded_layers import layer
from tests.probes.formula_ports import settings

F = np.float32


def correlated(x, W, edges, stride=(1, 1)):
    """x (B,C,rows,columns), W (O,C,rows,columns), as most libraries count taps; float32."""
    windows = sliding_window_view(np.pad(x, [(0, 0), (0, 0), *edges]), W.shape[2:], axis=(2, 3))
    windows = windows[:, :, :: stride[0], :: stride[1]]
    return np.einsum("bcrsij,ocij->bors", windows, W, dtype=F, optimize=True)


def flipped(W):
    return W[:, :, ::-1, ::-1]


def the(kind, **arguments):
    """The first of the single layers that was made with these arguments, with Keras's settings."""
    one = next(
        one
        for one in LAYERS
        if one.kind == kind
        and one.until != "1.0.6"
        and arguments.items() <= {"activation": "linear", **one.arguments}.items()
    )
    return layer_case(layer(kind, **settings(one)), one.weights, one.x, "1.1.0", one.more)


EVEN = the("Convolution2D", nb_row=2, border_mode="same")
STRIDED = the("Convolution2D", subsample=[3, 2])
LAST = the("Convolution2D", dim_ordering="tf", subsample=[2, 1])
STEPS = the("Convolution1D", border_mode="same", filter_length=4)
SMALL, LARGE = (
    the("MaxPooling2D", border_mode="same", pool_size=size) for size in ([3, 2], [5, 4])
)
MEAN = the("AveragePooling2D", border_mode="same", pool_size=[3, 2])
CROPPED, REPEATED = the("Cropping2D"), the("UpSampling2D")
SLOPES, LIMIT = the("PReLU"), the("ThresholdedReLU")
SUM, END_TO_END = the("Merge", mode="sum"), the("Merge", mode="concat", concat_axis=1)
ROWS = the("BatchNormalization", mode=1, epsilon=0.01)
ALPHAS = SLOPES.params["alphas"]


def bias(case):
    return case.params["b"][:, None, None]


def steps_kernels(case):
    """(O,C,length,1) from (length,1,C,O)."""
    return case.params["W"].transpose(3, 2, 0, 1)


def of_steps(y):
    return y[..., 0].transpose(0, 2, 1)


def pooled(x, edges, size, stride, reduce, fill):
    padded = np.pad(x, [(0, 0), (0, 0), *edges], constant_values=fill)
    windows = sliding_window_view(padded, size, axis=(2, 3))[:, :, :: stride[0], :: stride[1]]
    return reduce(windows, axis=(4, 5))


@pytest.mark.parametrize(
    ("case", "name", "ported"),
    [
        (
            EVEN,
            "padded as TensorFlow does",
            lambda x: correlated(x, flipped(EVEN.params["W"]), [(0, 1), (1, 2)]) + bias(EVEN),
        ),
        (
            EVEN,
            None,
            lambda x: correlated(x, flipped(EVEN.params["W"]), [(1, 0), (2, 1)]) + bias(EVEN),
        ),
        (
            STRIDED,
            "kernels not flipped",
            lambda x: np.maximum(
                correlated(x, STRIDED.params["W"], [(0, 0), (0, 0)], (3, 2)) + bias(STRIDED), 0
            ),
        ),
        (
            STRIDED,
            "strided windows start late",
            lambda x: np.maximum(
                correlated(x[:, :, 1:, 1:], flipped(STRIDED.params["W"]), [(0, 1), (0, 1)], (3, 2))
                + bias(STRIDED),
                0,
            ),
        ),
        (
            STRIDED,
            "no relu",
            lambda x: (
                correlated(x, flipped(STRIDED.params["W"]), [(0, 0), (0, 0)], (3, 2))
                + bias(STRIDED)
            ),
        ),
        (
            LAST,
            "bias left out",
            lambda x: correlated(
                x.transpose(0, 3, 1, 2),
                flipped(LAST.params["W"].transpose(3, 2, 0, 1)),
                [(0, 0), (0, 0)],
                (2, 1),
            ).transpose(0, 2, 3, 1),
        ),
        (
            STEPS,
            "kernels not flipped",
            lambda x: of_steps(
                correlated(x.transpose(0, 2, 1)[..., None], steps_kernels(STEPS), [(2, 1), (0, 0)])
                + bias(STEPS)
            ),
        ),
        (
            STEPS,
            "padded as TensorFlow does",
            lambda x: of_steps(
                correlated(
                    x.transpose(0, 2, 1)[..., None],
                    flipped(steps_kernels(STEPS)),
                    [(1, 2), (0, 0)],
                )
                + bias(STEPS)
            ),
        ),
        (
            SMALL,
            "border as TensorFlow has it",
            lambda x: pooled(x, [(0, 0), (0, 1)], (3, 2), (3, 2), np.max, -np.inf),
        ),
        (
            LARGE,
            "border as TensorFlow has it",
            lambda x: pooled(x, [(2, 2), (1, 1)], (5, 4), (2, 3), np.max, -np.inf),
        ),
        (
            MEAN,
            "zeros beyond the border counted",
            lambda x: pooled(x, [(1, 1), (1, 1)], (3, 2), (3, 2), np.mean, 0)[:, :, :3],
        ),
        (CROPPED, "cropped at the end only", lambda x: x[:, :, :6, :8]),
        (
            REPEATED,
            "image repeated as a whole",
            lambda x: np.concatenate([np.concatenate([x] * 2, axis=2)] * 3, axis=3),
        ),
        (
            SLOPES,
            "alpha of the first channel for all",
            lambda x: np.where(x > 0, x, ALPHAS[:1] * x),
        ),
        (SLOPES, "relu instead of PReLU", lambda x: np.maximum(x, 0)),
        (SLOPES, None, lambda x: np.maximum(x, 0) + ALPHAS * (x - np.abs(x)) * F(0.5)),
        (LIMIT, "relu instead of a threshold", lambda x: np.maximum(x, 0)),
        (SUM, "mean instead of the layer's own mode", lambda *x: (x[0] + x[1] + x[2]) / F(3)),
        (SUM, "last input left out", lambda *x: x[0] + x[1]),
        (SUM, None, lambda *x: x[2] + x[1] + x[0]),
        (END_TO_END, "inputs in reversed order", lambda *x: np.concatenate(x[::-1], axis=1)),
        (
            ROWS,
            "batch statistics instead of each sample's",
            lambda x: (
                (x - x.mean((0, 1))) / np.sqrt(x.var((0, 1)) + F(0.01)) * ROWS.params["gamma"]
                + ROWS.params["beta"]
            ),
        ),
    ],
)
def test_what_a_port_computes_instead_is_named(case, name, ported):
    actual = np.asarray(ported(case.x, *case.more), F)
    expected = case.value().astype(F)
    said = cause(case, expected, actual)
    assert said.hypothesis == name, said
    assert bool(said.tested) == bool(name)


CARRIED = [
    one for one in LAYERS if KINDS[one.kind].propagate and one.until != "1.0.6" and not one.more
]


@pytest.mark.parametrize("one", CARRIED, ids=lambda one: one.name)
def test_a_deviation_is_carried_through_a_layer(one):
    case = layer_case(layer(one.kind, **settings(one)), one.weights, one.x, "1.1.0")
    d = np.random.default_rng(2).normal(0, 1e-3, one.x.shape).astype(F)
    near = case.but(x=one.x.astype(np.float64) + d).value() - case.value()
    carried = case.kind.carry(case, d.copy())
    assert carried.dtype == F and carried == pytest.approx(near, rel=1e-3, abs=1e-5)
