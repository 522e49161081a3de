"""Convolution, pooling, padding, cropping and upsampling of images and sequences, as nodes.

Nodes take channels first: where Keras has them last, what is around them turns the axes.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from parity.port.onnx.elementwise import Layer, Writer, activated
from parity.port.onnx.graph import Graph, Value, ints

END = np.iinfo(np.int64).max


def is_last(config: Mapping[str, Any]) -> bool:
    """Whether channels come last in images."""
    return bool(config.get("dim_ordering", "th") == "tf")


def first(graph: Graph, x: Value, last: bool) -> Value:
    """Channels first."""
    axes = [0, x.rank - 1, *range(1, x.rank - 1)]
    return graph("Transpose", x, perm=axes) if last else x


def back(graph: Graph, y: Value, last: bool) -> Value:
    """The way back."""
    axes = [0, *range(2, y.rank), 1]
    return graph("Transpose", y, perm=axes) if last else y


def convolution(graph: Graph, layer: Layer) -> Value:
    """Keras's kernels from their other end: Theano convolves, and Conv correlates."""
    config, W = layer.config, layer.arrays["W"]
    steps = "filter_length" in config
    last = steps or is_last(config)
    theano = not last
    if steps:  # (O,C,length,1) up to 1.0.6, then (length,1,C,O)
        theano = W.shape[::3] == (config["nb_filter"], 1) and W.shape[2] == config["filter_length"]
    kernel = (W if theano else W.transpose(3, 2, 0, 1))[:, :, ::-1, ::-1]
    stride = [config["subsample_length"]] if steps else [*config["subsample"]]
    kernel = kernel[..., 0] if steps else kernel
    size = kernel.shape[2:]
    pads = {
        "valid": [0] * 2 * len(size),
        "same": [*(k // 2 for k in size), *((k - 1) // 2 for k in size)],
    }.get(config["border_mode"], [k - 1 for k in size] * 2)
    inputs = [graph.weight("W", kernel)]
    if config.get("bias", True):
        inputs.append(graph.weight("b", layer.arrays["b"]))
    x = first(graph, layer.x, last)
    y = graph("Conv", x, *inputs, kernel_shape=[*size], strides=stride, pads=pads)
    return activated(graph, layer, back(graph, y, last))


def pooling(op: str) -> Writer:
    """Of rows and columns or of steps."""

    def write(graph: Graph, layer: Layer) -> Value:
        config = layer.config
        steps = "pool_length" in config
        last = steps or is_last(config)
        size = [config["pool_length"]] if steps else [*config["pool_size"]]
        stride = [config["stride"]] if steps else [*config["strides"]]
        before = [_before(k) if config["border_mode"] == "same" else 0 for k in size]
        after = [
            k - 1 - start if config["border_mode"] == "same" else 0
            for k, start in zip(size, before, strict=True)
        ]
        y = graph(
            op, first(graph, layer.x, last), kernel_shape=size, strides=stride, pads=before + after
        )
        return back(graph, y, last)

    return write


def _before(k: int) -> int:
    # keras/backend/theano_backend.py, pool2d
    return k - 2 if k > 2 and k % 2 else k - 1


def global_pooling(op: str, steps: bool) -> Writer:
    """Over all rows and columns, or all steps."""

    def write(graph: Graph, layer: Layer) -> Value:
        x, last = layer.x, steps or is_last(layer.config)
        axes = [*range(1, x.rank - 1)] if last else [*range(2, x.rank)]
        return graph(op, x, rank=2, axes=axes, keepdims=0)

    return write


def _inside(last: bool, rank: int) -> list[int]:
    """The axes of rows and columns, or of steps."""
    return [*range(1, rank - 1)] if last else [*range(2, rank)]


def padded(graph: Graph, x: Value, last: bool, pads: Sequence[Sequence[int]]) -> Value:
    """Zeros around, (before, after) of each axis inside."""
    sides = np.zeros((2, x.rank), np.int64)
    sides[:, _inside(last, x.rank)] = np.transpose(pads)
    return graph("Pad", x, sides.reshape(-1))


SIDES = ("top_pad", "bottom_pad", "left_pad", "right_pad")


def zero_padding(graph: Graph, layer: Layer) -> Value:
    padding = layer.config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get(side, 0) for side in SIDES]
    if len(padding) == 2:
        padding = np.repeat(padding, 2)
    return padded(graph, layer.x, is_last(layer.config), np.reshape(padding, (2, 2)).tolist())


def step_padding(graph: Graph, layer: Layer) -> Value:
    padding = layer.config["padding"]
    if isinstance(padding, Mapping):
        padding = [padding.get(side, 0) for side in ("left_pad", "right_pad")]
    return padded(graph, layer.x, True, [np.broadcast_to(padding, 2).tolist()])


def cropped(steps: bool) -> Writer:
    def write(graph: Graph, layer: Layer) -> Value:
        cropping = layer.config["cropping"]
        starts, ends = np.transpose([cropping] if steps else cropping).tolist()
        axes = _inside(steps or is_last(layer.config), layer.x.rank)
        stops = [-end or END for end in ends]
        return graph("Slice", layer.x, ints(*starts), ints(*stops), ints(*axes))

    return write


def up_sampling(steps: bool) -> Writer:
    """Every value several times, by axis."""

    def write(graph: Graph, layer: Layer) -> Value:
        sizes = [layer.config["length"]] if steps else layer.config["size"]
        scales = np.ones(layer.x.rank, np.float32)
        scales[_inside(steps or is_last(layer.config), layer.x.rank)] = sizes
        return graph(
            "Resize", layer.x, None, scales, mode="nearest", nearest_mode="floor",
            coordinate_transformation_mode="asymmetric",
        )  # fmt: skip

    return write
