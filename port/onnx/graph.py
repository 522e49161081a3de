"""A graph while it is written: nodes and weights, named after the layer they belong to."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import GraphProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from parity.architecture import layer_of

OPSET, IR = 13, 7  # what onnxruntime has run since 1.6 (2020)
FLOAT, BOOL = TensorProto.FLOAT, TensorProto.BOOL
INT64, DOUBLE = TensorProto.INT64, TensorProto.DOUBLE
ITEM = ":"  # between a layer's name and that of something inside it


class Value(NamedTuple):
    """A tensor of the graph: its name, and how many axes it has with that of the samples."""

    name: str
    rank: int


class Graph:
    """Nodes in their order, and the constants that they read.

    Examples
    --------
    >>> graph = Graph()
    >>> graph.begin("relu1")
    >>> graph.end(graph("Relu", Value("x", 2)))
    Value(name='relu1', rank=2)
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.constants: dict[str, TensorProto] = {}
        self.layer, self._first, self._count = "", 0, 0

    def begin(self, layer: str) -> None:
        """What is written from now on belongs to this call of a layer."""
        self.layer, self._first, self._count = layer, len(self.nodes), 0

    def end(self, value: Value) -> Value:
        """The layer's output: `value`, under the layer's own name."""
        made = {name for node in self.nodes[self._first :] for name in node.output}
        if value.name not in made:
            value = self("Identity", value)
        return self.named(value, None)

    def named(self, value: Value, what: str | None) -> Value:
        """A value of this layer under the name `what`, or under the layer's."""
        name = self.layer if what is None else f"{self.layer}{ITEM}{what}"
        for node in self.nodes[self._first :]:
            for names in (node.input, node.output):
                names[:] = [name if each == value.name else each for each in names]
            node.name = name if name in node.output else node.name
        return value._replace(name=name)

    def __call__(
        self, op: str, *inputs: Value | np.ndarray | None, rank: int | None = None, **more: Any
    ) -> Value:
        """The output of a new node; arrays among its inputs become constants.

        rank : of the output, by default that of the first input.
        """
        return self.several(op, 1, *inputs, rank=rank, **more)[0]

    def several(
        self,
        op: str,
        outputs: int,
        *inputs: Value | np.ndarray | None,
        rank: int | None = None,
        **more: Any,
    ) -> list[Value]:
        """The outputs of a new node; of an input that is None the name stays empty."""
        first = inputs[0]
        if rank is None:
            rank = first.rank if isinstance(first, Value) else 0
        names = [self._name_of(each) for each in inputs]
        made = [self._fresh(op) for _ in range(outputs)]
        self.nodes.append(helper.make_node(op, names, made, name=made[0], **more))
        return [Value(name, rank) for name in made]

    def weight(self, what: str, array: np.ndarray) -> Value:
        """A constant with a name of its own, one for all calls of the layer."""
        array = np.ascontiguousarray(array)
        name, number = f"{layer_of(self.layer)}{ITEM}{what}", 1
        tensor = numpy_helper.from_array(array, name)
        while self.constants.setdefault(name, tensor) != tensor:
            number += 1
            name = f"{layer_of(self.layer)}{ITEM}{what}{number}"
            tensor = numpy_helper.from_array(array, name)
        return Value(name, array.ndim)

    def inner(self) -> "Graph":
        """A graph inside a node of this layer, which shares its constants and names."""
        found, self._count = Graph(), self._count + 1
        found.constants, found.layer = self.constants, f"{self.layer}{ITEM}step{self._count}"
        return found

    def body(self, name: str, inputs: Iterable[Value], outputs: Iterable[Value]) -> GraphProto:
        """The nodes written so far, as a graph inside a node; inputs and outputs: float32."""
        typed = [
            [helper.make_tensor_value_info(each.name, FLOAT, [None] * each.rank) for each in values]
            for values in (inputs, outputs)
        ]
        return helper.make_graph(self.nodes, name, *typed)

    def _name_of(self, value: Value | np.ndarray | None) -> str:
        if value is None:
            return ""
        return value.name if isinstance(value, Value) else self.weight("constant", value).name

    def _fresh(self, op: str) -> str:
        self._count += 1
        return f"{self.layer}{ITEM}{op}{self._count}"


def ints(*values: int) -> np.ndarray:
    """Sizes, axes and places, as nodes take them."""
    return np.array(values, np.int64)


def of_shape(name: str, kind: int, shape: Sequence[int | None]) -> ValueInfoProto:
    """An input or output of the whole; samples first, and what may have any length named."""
    sizes = ["samples" if at == 0 else size or f"{name}_{at}" for at, size in enumerate(shape)]
    return helper.make_tensor_value_info(name, kind, sizes)
