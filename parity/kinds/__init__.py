"""One layer kind, one file: formula, bound, variants, and how a deviation is carried on.

`KINDS` is the whole registry. A new kind is a file beside this one and one line here.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from parity.errors import CannotRun
from parity.kinds.activation import ACTIVATION
from parity.kinds.api import Formula, LayerCase, LayerKind, Params
from parity.kinds.average_pooling import AVERAGE_POOLING, AVERAGE_POOLING_1D, GLOBAL_AVERAGE
from parity.kinds.convolution import CONVOLUTION, CONVOLUTION_1D
from parity.kinds.dense import DENSE, TIME_DISTRIBUTED_DENSE
from parity.kinds.elu import ELU
from parity.kinds.experiment import EXPERIMENT
from parity.kinds.fused import FUSED, Fused
from parity.kinds.leaky_relu import LEAKY_RELU
from parity.kinds.merging import MERGE
from parity.kinds.moving import (
    CROPPING,
    CROPPING_1D,
    DROPOUT,
    FLATTEN,
    INPUT,
    PASSED_ON,
    PERMUTE,
    RESHAPE,
    UP_SAMPLING,
    UP_SAMPLING_1D,
    ZERO_PADDING,
    ZERO_PADDING_1D,
)
from parity.kinds.normalization import BATCH_NORMALIZATION
from parity.kinds.parametric import PRELU, THRESHOLDED
from parity.kinds.pooling import GLOBAL_MAX, MAX_POOLING, MAX_POOLING_1D
from parity.kinds.recurrent import GRU, LSTM, SIMPLE_RNN
from parity.kinds.sequences import EMBEDDING, MASKING, REPEAT_VECTOR
from parity.kinds.wrappers import Bidirectional, TimeDistributed
from parity.numerics.rounding import Array
from parity.numerics.witness import Witness

__all__ = [
    "EXPERIMENT",
    "KINDS",
    "Formula",
    "LayerCase",
    "LayerKind",
    "costs",
    "kind_of",
    "layer_case",
    "value",
    "witness",
    "witness_beside",
]

KINDS = {
    kind.keras_class: kind
    for kind in (
        INPUT,
        BATCH_NORMALIZATION,
        CONVOLUTION,
        CONVOLUTION_1D,
        ELU,
        ACTIVATION,
        LEAKY_RELU,
        PRELU,
        THRESHOLDED,
        MAX_POOLING,
        MAX_POOLING_1D,
        *GLOBAL_MAX,
        AVERAGE_POOLING,
        AVERAGE_POOLING_1D,
        *GLOBAL_AVERAGE,
        ZERO_PADDING,
        ZERO_PADDING_1D,
        CROPPING,
        CROPPING_1D,
        UP_SAMPLING,
        UP_SAMPLING_1D,
        MERGE,
        *PASSED_ON,
        PERMUTE,
        RESHAPE,
        FLATTEN,
        DROPOUT,
        SIMPLE_RNN,
        LSTM,
        GRU,
        DENSE,
        TIME_DISTRIBUTED_DENSE,
        EMBEDDING,
        MASKING,
        REPEAT_VECTOR,
    )
}
for _around in (TimeDistributed(KINDS), Bidirectional(KINDS)):
    KINDS[_around.kind().keras_class] = _around.kind()


GROUPS = Fused(KINDS)  # layers that a port computes in one: of no class of Keras
_OF_GROUPS = GROUPS.kind()


def kind_of(layer: Any) -> LayerKind:
    """The LayerKind of a layer: where none has its formula, and the original can be asked, that is
    the oracle. Raises CannotRun where it cannot.
    """
    if layer.kind == FUSED:
        return _OF_GROUPS
    known = KINDS.get(layer.kind)
    if getattr(layer, "ask", None) and not (known and known.knows(layer)):
        return EXPERIMENT
    if known is None:
        raise CannotRun(
            f"layer {layer.name}: the oracle has no formula for {layer.kind}; known are "
            f"{', '.join(KINDS)}"
        )
    return known


def layer_case(
    layer: Any, params: Params, x: Array, keras: str, more: Iterable[Array] = ()
) -> LayerCase:
    """A layer on its inputs. Raises CannotRun for a class that no kind is about."""
    return LayerCase(kind_of(layer), layer, params, x, keras, tuple(more))


def witness(layer: Any, params: Params, x: Array, keras: str) -> Witness:
    """The oracle of a layer on an input, with its bound: see LayerCase.witness."""
    return layer_case(layer, params, x, keras).witness


def witness_beside(original: Witness, layer: Any, params: Params, x: Array, keras: str) -> Witness:
    """A second witness of the layer `original` was made for, on an input of the same shape; ask
    its blocks by `beside`.
    """
    case = layer_case(layer, params, x, keras)
    return original.near(case) or case.witness


def value(layer: Any, params: Params, x: Array, keras: str) -> Array:
    """The oracle's float64 output, whole: see LayerCase.value."""
    return layer_case(layer, params, x, keras).value()


def costs(layers: Iterable[Any], params: Mapping[str, Params]) -> dict[str, float]:
    """{layer name: about how many multiply-adds carrying one deviation through it takes}.

    layers: in network order; params: layer name -> {suffix: array}.
    """
    return {each.name: kind_of(each).cost(each, params.get(each.name, {})) for each in layers}
