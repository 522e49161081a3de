"""Outputs of another shape, and layers that gave nothing at all: what was padded, pooled, reshaped
or multiplied otherwise.
"""

import numpy as np
import pytest

from parity.kinds import layer_case
from parity.kinds.pooling import max_pool
from parity.results import Survivor
from tests.diagnose.planting import SUBJECTS
from tests.diagnose.test_named import explain
from tests.numerics import float32_layers as layers
from tests.numerics.float32_layers import F


@pytest.fixture
def rng():
    return np.random.default_rng(31)


def _padded(columns, rows=(0, 0), **how):
    return lambda s: np.pad(s.x, ((0, 0), (0, 0), rows, columns), **how)


def _pooled(size, stride=None):
    return lambda s: max_pool({"pool_size": size, "strides": stride or size}, s.x)


# (kind, port, the name it must get); the subjects are padded by (0, 3), pooled by (2, 4) and
# reshaped to (15, 128).
OTHERWISE = {
    "one column less": ("ZeroPadding2D", _padded((2, 2)), "padding (0, 2)"),
    "rows too": ("ZeroPadding2D", _padded((3, 3), (1, 1)), "padding (1, 3)"),
    "one column to the right": (
        "ZeroPadding2D",
        _padded((2, 4)),
        "padding (0, 2) before and (0, 4) after",
    ),
    "an odd column": ("ZeroPadding2D", _padded((3, 4)), "padding (0, 3) before and (0, 4) after"),
    "silence": ("ZeroPadding2D", _padded((3, 3), constant_values=-100), "padded with -100"),
    "silence, less": (
        "ZeroPadding2D",
        _padded((2, 2), constant_values=-100),
        "padding (0, 2), padded with -100",
    ),
    "no padding": ("ZeroPadding2D", lambda s: s.x, "layer skipped (its input passed on)"),
    "smaller windows": ("MaxPooling2D", _pooled((2, 2)), "pool size (2, 2)"),
    "wider windows": ("MaxPooling2D", _pooled((3, 5)), "pool size (3, 5)"),
    "overlapping windows": (
        "MaxPooling2D",
        _pooled((3, 4), (2, 4)),
        "pool size (3, 4), stride (2, 4)",
    ),
    "units first": ("Reshape", lambda s: s.x.reshape(2, 128, 15), "target shape (128, 15)"),
    "two axes too many": ("Flatten", lambda s: s.x, "layer skipped (its input passed on)"),
    "channels last, in two axes": (
        "Flatten",
        lambda s: np.moveaxis(s.x, 1, -1).reshape(2, 3, 20),
        "target shape (3, 20), channels last",
    ),
    "columns first": (
        "Flatten",
        lambda s: np.stack([each.ravel(order="F").reshape(3, 20) for each in s.x]),
        "target shape (3, 20), last axis slowest (Fortran order)",
    ),
    "pooling for normalisation": (
        "BatchNormalization stored 1.1.0",
        _pooled((2, 4)),
        "wrong layer order: maximum pooling in its place",
    ),
    "pooling for ELU": ("ELU", _pooled((3, 5)), "wrong layer order: maximum pooling in its place"),
    "ELU for normalisation": (
        "BatchNormalization stored 1.1.0",
        lambda s: layers.elu(s.x),
        "wrong layer order: an ELU in its place",
    ),
    "ELU for pooling": (
        "MaxPooling2D",
        lambda s: layers.elu(s.x),
        "wrong layer order: an ELU in its place",
    ),
}


@pytest.mark.parametrize("port", OTHERWISE)
def test_what_was_done_otherwise_is_named(port, rng):
    kind, compute, name = OTHERWISE[port]
    subject = SUBJECTS[kind](rng)
    found = explain(subject, np.ascontiguousarray(compute(subject), F))
    assert found.hypothesis == name
    spoiled = np.array(compute(subject), F)
    spoiled.flat[spoiled.size // 3] += F(0.5)
    assert explain(subject, spoiled).hypothesis is None, "one value refutes it"


@pytest.mark.parametrize("shape", [(2, 1, 12), (3, 1, 12, 46), (2, 1, 10, 46), (0, 1, 12, 46)])
def test_a_padding_that_no_input_fits_has_no_name(shape, rng):
    assert explain(SUBJECTS["ZeroPadding2D"](rng), np.zeros(shape, F)).hypothesis is None


def _dense(rng):
    there = SUBJECTS["Dense"](rng)
    weights = {"W": rng.standard_normal((16, 5)).astype(F), "b": rng.standard_normal(5).astype(F)}
    return layer_case(there.layer, weights, there.x, there.keras)


@pytest.mark.parametrize(
    ("read", "name"),
    [
        (lambda W: W.T.reshape(W.shape), "matrix transposed"),
        (lambda W: W.reshape(W.shape[::-1]).T, "matrix read as units by inputs"),
    ],
)
def test_a_matrix_that_is_not_square_read_with_rows_for_columns(read, name, rng):
    subject = _dense(rng)
    found = explain(
        subject,
        layers.theano_sigmoid(subject.x @ read(subject.params["W"]) + subject.params["b"]).astype(
            F
        ),
    )
    assert [each.name for each in found.survivors] == [name]


def _said(compute):
    """What a library says of shapes that do not fit, in one line."""
    with pytest.raises(Exception) as error:
        compute()
    return f"{type(error.value).__name__}: {' '.join(str(error.value).split())}"


def _sentences(subject):
    import chainer.functions as functions

    W = subject.params["W"]
    yield _said(lambda: subject.x @ W.T)
    yield _said(lambda: np.dot(subject.x, W.T))
    yield _said(lambda: functions.linear(subject.x, W))
    yield "RuntimeError: mat1 and mat2 shapes cannot be multiplied (2x16 and 5x16)"
    yield "InvalidArgumentError: Matrix size-incompatible: In[0]: [2,16], In[1]: [5,16]"


def test_a_product_that_could_not_be_made_is_named(rng):
    subject = _dense(rng)
    for sentence in _sentences(subject):
        found = explain(subject, sentence)
        assert found.hypothesis == "matrix transposed" and found.tested == 1, sentence
        assert found.survivors == [Survivor("matrix transposed")]
    for sentence in (
        "MemoryError: 5 of 16 arrays",
        "the port's dense16 raised KeyError: 5",
        "ValueError: 5 units expected, 16 given",
    ):
        assert explain(subject, sentence).hypothesis is None, sentence
    assert explain(SUBJECTS["Dense"](rng), "ValueError: 16 is not 16").tested == 0, (
        "a square matrix fits either way"
    )


def test_kernels_that_could_not_be_applied_are_named(rng):
    import chainer.functions as functions

    first = SUBJECTS["Convolution2D"](rng)
    kernels = rng.standard_normal((8, 6, 3, 3)).astype(F)
    subject = layer_case(
        first.layer, {"W": kernels, "b": first.params["b"]}, first.x[:, :6], first.keras
    )
    sentence = _said(
        lambda: functions.convolution_2d(subject.x, kernels.transpose(1, 0, 2, 3), pad=1)
    )
    assert (
        explain(subject, sentence).hypothesis
        == "input and output channels of the kernels transposed"
    )


@pytest.mark.parametrize("axis", [2, 3])
def test_an_axis_that_the_parameters_do_not_fit_is_named(axis, rng):
    from parity.port.links.batch_normalization import normalize

    subject = SUBJECTS["BatchNormalization stored 1.1.0"](rng)
    mean, scale, beta = (subject.params[key] for key in ("running_mean", "gamma", "beta"))
    shape = [-1 if at == axis else 1 for at in range(4)]
    broadcast, folded = (
        (lambda: subject.x - mean.reshape(shape)),
        (lambda: normalize(subject.x, mean, scale, beta, axis)),
    )
    for sentence in [_said(broadcast)] + [_said(folded)] * (axis == 2):
        found = explain(subject, sentence)
        assert found.hypothesis == f"along axis {axis}" and found.tested == 2, sentence


def test_a_sentence_about_nothing_names_nothing(rng):
    for kind in SUBJECTS:
        assert explain(SUBJECTS[kind](rng), "KeyError: 'gamma'").hypothesis is None
