"""Recurrent layers, what begins a sequence, and layers around another, as nodes."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.architecture import CONTAINERS, INPUT, Architecture, parse
from parity.errors import CannotRun
from parity.port.inner import Inner
from parity.port.onnx.elementwise import ACTIVATIONS, Layer, Writer, number
from parity.port.onnx.graph import BOOL, FLOAT, INT64, ITEM, Graph, Value, ints

States = list[Value]
Activation = Callable[[Graph, Value], Value]

# Keras class name -> (gates as Keras's one matrix for all has them, as the cells here)
GATES = {"SimpleRNN": ("", ""), "GRU": ("zrh", "zrh"), "LSTM": ("ifco", "iofc")}


def by_gate(kind: str, layer: Layer) -> dict[str, list[np.ndarray]]:
    """{"W", "U", "b": an array for each gate, in the order of the cells}."""
    theirs, ours = GATES[kind]
    found = {}
    for part in "WUb":
        if part in layer.arrays and len(theirs) < 2:
            found[part] = [layer.arrays[part]]
        elif part in layer.arrays:
            split = np.split(layer.arrays[part], len(theirs), axis=-1)
            found[part] = [split[theirs.index(gate)] for gate in ours]
        else:
            found[part] = [layer.arrays[f"{part}_{gate}"] for gate in ours]
    return found


def recurrent(kind: str) -> Writer:
    """Step by step in a Scan: the runtime's own GRU and LSTM have a tanh and a sigmoid that round
    more than Keras's may, and know padding at the end alone in the place of a mask.
    """

    def write(graph: Graph, layer: Layer) -> Value:
        config, x, mask = layer.config, layer.x, layer.mask
        if config["go_backwards"]:
            x, mask = backwards(graph, x), mask and backwards(graph, mask)
        x = graph("Transpose", x, perm=[1, 0, 2])
        y = _scan(graph, kind, layer._replace(inputs=(x,), mask=mask))
        return graph("Transpose", y, perm=[1, 0, 2]) if config["return_sequences"] else y

    return write


def backwards(graph: Graph, x: Value) -> Value:
    """(B,T,...) from its last step to its first."""
    least = ints(np.iinfo(np.int64).min)
    return graph("Slice", x, ints(-1), least, ints(1), ints(-1))


# --- a step, as keras/layers/recurrent.py has each step() ---


def _simple(graph: Graph, sums: list[Value], states: States, U: list[Value], *act: Any) -> States:
    return [act[1](graph, graph("Add", sums[0], graph("MatMul", states[0], U[0])))]


def _gru(graph: Graph, sums: list[Value], states: States, U: list[Value], *act: Any) -> States:
    inner, outer = act
    (h,) = states
    z, r = (
        inner(graph, graph("Add", to, graph("MatMul", h, own)))
        for to, own in zip(sums[:2], U[:2], strict=True)
    )
    c = outer(graph, graph("Add", sums[2], graph("MatMul", graph("Mul", r, h), U[2])))
    stays = graph("Mul", z, h)
    return [graph("Add", stays, graph("Mul", graph("Sub", number(1), z, rank=2), c))]


def _lstm(graph: Graph, sums: list[Value], states: States, U: list[Value], *act: Any) -> States:
    inner, outer = act
    h, c = states
    i, o, f, new = (
        graph("Add", to, graph("MatMul", h, own)) for to, own in zip(sums, U, strict=True)
    )
    i, o, f = (inner(graph, gate) for gate in (i, o, f))
    c = graph("Add", graph("Mul", f, c), graph("Mul", i, outer(graph, new)))
    return [graph("Mul", o, outer(graph, c)), c]


CELLS: dict[str, tuple[int, Callable[..., States]]] = {
    "SimpleRNN": (1, _simple),
    "GRU": (1, _gru),
    "LSTM": (2, _lstm),
}


def _scan(graph: Graph, kind: str, layer: Layer) -> Value:
    """Step by step; a masked step leaves all states as they are."""
    (count, cell), arrays, mask = CELLS[kind], by_gate(kind, layer), layer.mask
    config, x = layer.config, layer.x
    acts = [
        ACTIVATIONS[config.get("inner_activation", "linear")],
        ACTIVATIONS[config["activation"]],
    ]
    units = arrays["U"][0].shape[0]
    sums, U = [], []
    for gate, (W, u, b) in enumerate(zip(*(arrays[part] for part in "WUb"), strict=True)):
        ends = [
            graph.weight(f"{part}{gate}", array)
            for part, array in zip("WUb", (W, u, b), strict=True)
        ]
        sums.append(graph("Add", graph("MatMul", x, ends[0]), ends[2]))
        U.append(ends[1])
    samples = graph("Slice", graph("Shape", x, rank=1), ints(1), ints(2))
    zeros = graph("Expand", number(0).reshape(1, 1), graph("Concat", samples, ints(units), axis=0),
                  rank=2)  # fmt: skip
    scanned = list(sums)
    if mask is not None:
        wide = graph("Unsqueeze", graph("Transpose", mask, perm=[1, 0]), ints(2), rank=3)
        scanned.append(graph("Cast", wide, to=FLOAT))
    inside = graph.inner()
    states = [Value(f"{inside.layer}:state{at}", 2) for at in range(count)]
    steps = [Value(f"{inside.layer}:sums{at}", 2) for at in range(len(scanned))]
    new = cell(inside, steps[: len(sums)], states, U, *acts)
    if mask is not None:
        counts = inside("Cast", steps[-1], to=BOOL)
        new = [inside("Where", counts, *pair) for pair in zip(new, states, strict=True)]
    outs = [inside("Identity", each) for each in (*new, new[0])]
    *last, y = graph.several(
        "Scan", count + 1, *[zeros] * count, *scanned, rank=3,
        body=inside.body(inside.layer, [*states, *steps], outs),
        num_scan_inputs=len(scanned),
    )  # fmt: skip
    return y if config["return_sequences"] else last[0]._replace(rank=2)


# --- what begins a sequence ---


def embedding(graph: Graph, layer: Layer) -> Value:
    ids = graph("Cast", layer.x, to=INT64)
    return graph("Gather", graph.weight("W", layer.arrays["W"]), ids, rank=layer.x.rank + 1)


def mask_of_ids(graph: Graph, layer: Layer) -> Value | None:
    """Where an id is no 0."""
    if not layer.config.get("mask_zero"):
        return None
    ids = graph("Cast", layer.x, to=INT64)
    return graph("Not", graph("Equal", ids, ints(0).reshape(())))


def mask_of_steps(graph: Graph, layer: Layer) -> Value:
    """Where a step has another value than the mask's."""
    value = number(layer.config["mask_value"])
    other = graph("Cast", graph("Not", graph("Equal", layer.x, value)), to=FLOAT)
    return graph(
        "Cast", graph("ReduceMax", other, axes=[-1], keepdims=0, rank=layer.x.rank - 1), to=BOOL
    )


def masking(graph: Graph, layer: Layer) -> Value:
    assert layer.mask
    counts = graph("Unsqueeze", layer.mask, ints(layer.x.rank - 1), rank=layer.x.rank)
    return graph("Where", counts, layer.x, number(0))


def repeat_vector(graph: Graph, layer: Layer) -> Value:
    x = graph("Unsqueeze", layer.x, ints(1), rank=layer.x.rank + 1)
    return graph("Tile", x, ints(1, int(layer.config["n"]), 1))


# --- layers around another; Keras names the weights of the inner layer after that one ---


def _inside(writers: Mapping[str, Writer], graph: Graph, layer: Layer, **more: Any) -> Value:
    inner = layer.config["layer"]
    kind = inner["class_name"]
    if kind in CONTAINERS:
        return _model(writers, graph, layer, parse(inner))
    config = {**inner["config"], **more}
    if kind not in writers:
        raise CannotRun(f"no ONNX nodes are known for {kind}, which it has inside")
    own = layer._replace(config=config, arrays=Inner(layer.arrays))
    return writers[kind](graph, own)


def _model(
    writers: Mapping[str, Writer], graph: Graph, layer: Layer, described: Architecture
) -> Value:
    made, outer = dict(zip(described.inputs, layer.inputs, strict=True)), graph.layer
    for node in described.nodes:
        if node.kind == INPUT:
            continue
        if node.kind not in writers or node.kind == "Masking" or node.config.get("mask_zero"):
            raise CannotRun(f"no ONNX nodes are known for {node.kind}, which it has inside")
        inputs = tuple(made[name] for name in node.inbound)
        own = Layer(node.config, Inner.of(node.name, layer.arrays), layer.keras, inputs)
        graph.layer = f"{outer}{ITEM}{node.name}"
        made[node.name] = writers[node.kind](graph, own)
    graph.layer = outer
    return made[described.outputs[0]]


def time_distributed(writers: Mapping[str, Writer]) -> Writer:
    """The layer on every step, all at once."""

    def write(graph: Graph, layer: Layer) -> Value:
        x = layer.x
        shape = graph("Shape", x, rank=1)
        one = graph("Slice", shape, ints(2), ints(x.rank))
        flat = graph("Reshape", x, graph("Concat", ints(-1), one, axis=0, rank=1), rank=x.rank - 1)
        y = _inside(writers, graph, layer._replace(inputs=(flat,)))
        before = graph("Slice", shape, ints(0), ints(2))
        after = graph("Slice", graph("Shape", y, rank=1), ints(1), ints(y.rank))
        return graph("Reshape", y, graph("Concat", before, after, axis=0), rank=y.rank + 1)

    return write


def _halved(graph: Graph, a: Value, b: Value) -> Value:
    return graph("Div", graph("Add", a, b), number(2))


MERGED: dict[str, Callable[[Graph, Value, Value], Value]] = {
    "concat": lambda graph, a, b: graph("Concat", a, b, axis=-1),
    "sum": lambda graph, a, b: graph("Add", a, b),
    "ave": _halved,
    "mul": lambda graph, a, b: graph("Mul", a, b),
}


def bidirectional(writers: Mapping[str, Writer]) -> Writer:
    """Both directions' outputs, in the order of the steps, merged."""

    def write(graph: Graph, layer: Layer) -> Value:
        mode = layer.config["merge_mode"]
        if mode not in MERGED:
            raise CannotRun(f"its merge_mode {mode} makes no single output")
        own = bool(layer.config["layer"]["config"]["go_backwards"])
        halves = []
        for prefix, turned in (("forward_", False), ("backward_", True)):
            arrays = {name: a for name, a in layer.arrays.items() if name.startswith(prefix)}
            half = layer._replace(arrays=arrays)
            halves.append(_inside(writers, graph, half, go_backwards=own != turned))
        a, b = halves
        return MERGED[mode](graph, a, backwards(graph, b) if b.rank == 3 else b)

    return write
