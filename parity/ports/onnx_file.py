"""A port that is an ONNX file, run by onnxruntime: each layer as a model of its own, cut out of the
graph by the names of its values.

A layer's output is the value that has the layer's name, and its mask, where it has one, that of
`LAYER:mask`. Files that `parity export` wrote are so; other files are as far as their values are
named so, or mapped by a table of names.
"""

import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import NodeProto, TensorProto, helper, numpy_helper

from parity import architecture, model, untrusted
from parity.errors import CannotRun
from parity.files import sha256_of

__all__ = ["OnnxPort", "opened"]

MASK, SUMS = ":mask", ":sums"
WEIGHTS = "weights_sha256"
LARGEST = 1 << 31  # bytes: what protobuf holds
NEWEST = onnx.defs.onnx_opset_version()
PROVIDERS = ["CPUExecutionProvider"]
GIVE = "give a file of `parity export`, or one whose values have the layers' names"


def opened(
    path: str, name: str, weights: Path, keras: str, layers: Sequence[str] = ()
) -> "OnnxPort":
    """The port that the file `path` is, of the model called `name`, or described by that file.

    layers : what the harness will ask for, by the port's own names. Raises CannotRun for a file
    that is damaged, foreign or cannot be run.
    """
    ours = name in model.MODELS
    source = model.MODELS[name].defined.architecture if ours else Path(name)
    described = architecture.parse(architecture.read(source), name)
    nodes = [node for node in described.nodes if node.kind != architecture.INPUT]
    inbound = {**dict.fromkeys(layers, ()), **{node.name: node.inbound for node in nodes}}
    found = OnnxPort(path, inbound, () if ours else described.inputs, described.outputs)
    found.check_weights(weights)
    if ours:
        found.check_tags(model.MODELS[name].tags)
    return found


class OnnxPort:
    """Layers of an ONNX file.

    Parameters
    ----------
    path : str
    inbound : mapping
        {layer: what it reads, by name, in order}; () where that is what is before it in the file,
        as it is where the file has no such names.
    inputs : sequence of str
        The names of the model's inputs in their order; () for the only one of the file.
    outputs : sequence of str
        Those of its outputs. Of several none is asked for as a whole, so the file's have to be the
        layers of these names.
    """

    name = "ONNX"

    def __init__(
        self,
        path: str,
        inbound: Mapping[str, Sequence[str]],
        inputs: Sequence[str],
        outputs: Sequence[str],
    ) -> None:
        self.versions = {"onnxruntime": onnxruntime.__version__}
        self.path, self.model = path, read(path)
        self.said = {each.key: each.value for each in self.model.metadata_props}
        graph = self.model.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.entries = [each for each in graph.input if each.name not in self.constants]
        self.makers = {name: node for node in graph.node for name in node.output}
        self.order = {id(node): at for at, node in enumerate(graph.node)}
        self.inputs, self.outputs = inputs, outputs
        there = {*self.makers, *(each.name for each in self.entries)}
        self.inbound = {
            name: tuple(read) if there.issuperset(read) else ()
            for name, read in inbound.items()
            if name in self.makers
        }
        if not self.inbound:
            raise CannotRun(f"{path} has no value called as a layer is; {GIVE}")
        self.given = [each.name for each in graph.output]
        if not self.given or (len(outputs) > 1 and self.given != [*outputs]):
            raise CannotRun(
                f"{path} gives {', '.join(self.given) or 'nothing'}, and the original "
                f"{', '.join(outputs)}; {GIVE}"
            )
        self.layers = tuple(
            sorted(self.inbound, key=lambda name: self.order[id(self.makers[name])])
        )
        self.threads_used = 0
        self.sessions: dict[Any, tuple[Any, list[str]]] = {}

    def check_weights(self, weights: Path) -> None:
        """Raise CannotRun where the file says that it was made from others."""
        if self.said.get(WEIGHTS, "") not in ("", sha256_of(weights)):
            raise CannotRun(
                f"{self.path} was made from other weights, {self.said.get('weights')}, than "
                f"{weights}; give those with --weights, or export the file again"
            )

    def check_tags(self, expected: Sequence[str]) -> None:
        """Raise CannotRun where the file gives its outputs other names."""
        said = self.said.get("tags")
        try:
            found = untrusted.json_of(said) if said else expected
            if not isinstance(found, (list, tuple)):
                raise untrusted.Damaged("is no list")
        except untrusted.Damaged as error:
            raise CannotRun(f"{self.path}: what it says of its tags {error}; {GIVE}") from error
        for at, pair in enumerate(itertools.zip_longest(found, expected)):
            if len({*pair}) > 1:
                raise CannotRun(
                    f"{self.path} calls output {at} {pair[0]!r}, and the original's is "
                    f"{pair[1]!r}; {GIVE}"
                )

    def run(self, layer: str, *inputs: np.ndarray) -> np.ndarray:
        return self._cut(layer, layer, inputs)

    def logits(self, *inputs: np.ndarray) -> np.ndarray | None:
        last = self.layers[-1]
        return self._cut(last, last + SUMS, inputs) if last + SUMS in self.makers else None

    def __call__(self, *inputs: np.ndarray) -> np.ndarray | None:
        """The first output of the whole graph, node by node; None for an original of several."""
        if len(self.outputs) > 1:
            return None
        return self._whole(inputs, self.given)[self.given[0]]

    def fast(self, *inputs: np.ndarray) -> dict[str, np.ndarray]:
        """The whole graph with its nodes fused, as a user's session runs it: the outputs of the
        layers that are left.
        """
        with tempfile.TemporaryDirectory() as folder:
            options = _options(fast=True)
            options.optimized_model_filepath = os.path.join(folder, "fused.onnx")
            onnxruntime.InferenceSession(
                self.model.SerializeToString(), options, providers=PROVIDERS
            )
            fused = onnx.load(options.optimized_model_filepath)
        there = {name for node in fused.graph.node for name in node.output}
        return self._whole(inputs, [name for name in self.layers if name in there], fast=True)

    def _whole(
        self, inputs: Sequence[np.ndarray], outputs: Sequence[str], fast: bool = False
    ) -> dict[str, np.ndarray]:
        def made() -> tuple[bytes, list[str]]:
            shown = onnx.ModelProto()
            shown.CopyFrom(self.model)
            del shown.graph.output[:]
            shown.graph.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
            return shown.SerializeToString(), []

        running, _ = self._session((*outputs, fast), made, fast)
        kinds = {each.name: each.type.tensor_type.elem_type for each in self.entries}
        fed = {
            name: x.astype(helper.tensor_dtype_to_np_dtype(kinds[name]), copy=False)
            for name, x in zip(self.inputs or kinds, inputs, strict=True)
        }
        return dict(zip(outputs, running.run([*outputs], fed), strict=True))

    def describe(self) -> dict[str, dict[str, object]]:
        """Of each layer its nodes with their settings, and its constants' forms."""
        return {
            layer: {
                node.name or f"{node.op_type} {at}": _settings(node)
                for at, node in enumerate(self._nodes([layer], self._sources(layer)))
            }
            for layer in self.layers
        }

    def with_weights(self, layer: str, changes: Mapping[str, np.ndarray]) -> "OnnxPort":
        raise CannotRun(f"{layer}: the weights of an ONNX file cannot be changed")

    def use_threads(self, count: int) -> None:
        """Use so many threads from now on; 0: as many as there are processors."""
        self.threads_used = count
        self.sessions.clear()

    # --- one layer as a model of its own ---

    def _sources(self, layer: str) -> list[str]:
        """What bounds a layer: the values that it may read, where Keras says which; else those
        that are outputs of layers.
        """
        named = [*self.inbound[layer]]
        if not named:
            named = [each.name for each in self.entries]
            named += [name for name in self.inbound if name != layer]
        return [*named, *(name for name in self.makers if name.endswith(MASK))]

    def _nodes(self, outputs: Sequence[str], bounds: Sequence[str]) -> list[NodeProto]:
        """What makes `outputs` of the bounds, in the order of the graph."""
        found: dict[int, NodeProto] = {}
        waiting = [*outputs]
        own = set(bounds) - set(outputs)
        while waiting:
            name = waiting.pop()
            node = self.makers.get(name)
            if name in own or node is None or id(node) in found:
                continue
            found[id(node)] = node
            waiting += _read_by(node)
        return sorted(found.values(), key=lambda node: self.order[id(node)])

    def _cut(self, layer: str, output: str, inputs: Sequence[np.ndarray]) -> np.ndarray:
        forms = tuple((x.dtype.str, x.ndim) for x in inputs)
        session, names = self._session((output, forms), lambda: self._model(layer, output, inputs))
        # of two readings of one value, which are equal, one is enough
        found: np.ndarray = session.run(None, dict(zip(names, inputs, strict=True)))[0]
        return found

    def _model(
        self, layer: str, output: str, inputs: Sequence[np.ndarray]
    ) -> tuple[bytes, list[str]]:
        bounds = self._sources(layer)
        nodes = self._nodes([output], bounds)
        made = {name for node in nodes for name in node.output}
        read = dict.fromkeys(name for node in nodes for name in _read_by(node))
        outer = [name for name in read if name not in made and name not in self.constants]
        names = self._in_order(layer, outer, len(inputs))
        if stray := [name for name in outer if name not in names]:
            raise CannotRun(
                f"reads {', '.join(stray)}, which Keras's {layer} does not, or has lost what "
                f"it reads ({', '.join(self.inbound[layer])})"
            )
        typed = {
            name: helper.make_tensor_value_info(
                name, helper.np_dtype_to_tensor_dtype(x.dtype), [None] * x.ndim
            )
            for name, x in zip(names, inputs, strict=True)
        }
        graph = helper.make_graph(
            nodes, layer, [*typed.values()], [onnx.ValueInfoProto(name=output)],
            [self.constants[name] for name in read if name in self.constants],
        )  # fmt: skip
        cut = helper.make_model(
            graph, opset_imports=self.model.opset_import, ir_version=self.model.ir_version,
            functions=self.model.functions,
        )  # fmt: skip
        return cut.SerializeToString(), names

    def _in_order(self, layer: str, outer: Sequence[str], count: int) -> list[str]:
        """The names of the layer's `count` inputs, a mask last."""
        masks = [name for name in outer if name.endswith(MASK)]
        names = [*self.inbound[layer]] or [name for name in outer if name not in masks]
        names += masks
        if len(names) != count:
            raise CannotRun(f"reads {len(names)} values ({', '.join(names)}), not {count}")
        return names

    def _session(self, key: Any, made: Any, fast: bool = False) -> tuple[Any, list[str]]:
        if key not in self.sessions:
            graph, names = made()
            options = _options(fast, self.threads_used)
            self.sessions[key] = (
                onnxruntime.InferenceSession(graph, options, providers=PROVIDERS),
                names,
            )
        return self.sessions[key]


def _options(fast: bool, threads: int = 0) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fast else level.ORT_DISABLE_ALL
    return options


def read(path: str) -> onnx.ModelProto:
    """The model in a file, if it can be run whole and by itself. Raises CannotRun."""
    try:
        with untrusted.opened(path) as stream:
            data = stream.read(LARGEST)
    except OSError as error:
        raise CannotRun(f"{path}: it cannot be read ({error.strerror}); check the path") from error
    if len(data) == LARGEST:
        raise CannotRun(f"{path} is larger than an ONNX file may be, 2 GiB; {GIVE}")
    try:
        found = onnx.load_model_from_string(data)
    except Exception as error:  # protobuf's own
        raise CannotRun(f"{path} is no ONNX file, or a damaged one; {GIVE}") from error
    for each in found.opset_import:
        if each.domain not in ("", "ai.onnx"):
            raise CannotRun(f"{path} needs operators of {each.domain}, which are unknown; {GIVE}")
        if each.version > NEWEST:
            raise CannotRun(
                f"{path} is written in opset {each.version}, and {NEWEST} is the newest known "
                "here; export it for that one or an older"
            )
    inside = (_of_nodes(function.node) for function in found.functions)
    for tensor in itertools.chain(_tensors(found.graph), *inside):
        if tensor.data_location == TensorProto.EXTERNAL:
            raise CannotRun(
                f"{path} keeps {tensor.name} in another file; save it with its data inside"
            )
    try:
        onnx.checker.check_model(found)
    except Exception as error:  # its own, and what Python says of its bytes
        why = " ".join(str(error).split())[:200]
        raise CannotRun(f"{path} is a damaged or foreign ONNX file ({why}); {GIVE}") from error
    return found


def _tensors(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[NodeProto]) -> Iterator[TensorProto]:
    for each in (each for node in nodes for each in node.attribute):
        yield from (each.t, *each.tensors)
        for sparse in (each.sparse_tensor, *each.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for inner in (each.g, *each.graphs):
            yield from _tensors(inner)


def _read_by(node: NodeProto) -> list[str]:
    """The values that a node reads, those of graphs inside it too."""
    found = [name for name in node.input if name]
    for each in node.attribute:
        for graph in (each.g, *each.graphs):
            own = {one.name for one in (*graph.input, *graph.initializer)}
            own |= {name for inner in graph.node for name in inner.output}
            found += [n for inner in graph.node for n in _read_by(inner) if n not in own]
    return list(dict.fromkeys(found))


def _settings(node: NodeProto) -> dict[str, Any]:
    said: dict[str, Any] = {"op": node.op_type, "reads": [*node.input]}
    for each in node.attribute:
        value = helper.get_attribute_value(each)
        if isinstance(value, TensorProto):
            value = numpy_helper.to_array(value).tolist()
        elif isinstance(value, onnx.GraphProto):
            value = [_settings(inner) for inner in value.node]
        elif isinstance(value, (list, tuple)):
            value = [item.decode() if isinstance(item, bytes) else item for item in value]
        said[each.name] = value.decode() if isinstance(value, bytes) else value
    return said
