"""An ONNX model of any Keras 1 model, written from what Keras says of it and from its weights."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from parity.architecture import INPUT, Architecture, Node, layer_of
from parity.errors import CannotRun
from parity.port.onnx.elementwise import Layer
from parity.port.onnx.graph import BOOL, FLOAT, IR, OPSET, Graph, Value, of_shape
from parity.port.onnx.table import MASKS, RECURRENT, WRITERS

__all__ = ["PRODUCER", "exported"]

PRODUCER = "music-tagger-parity"
MASK = "mask"


def exported(
    described: Architecture,
    arrays: Mapping[str, Mapping[str, np.ndarray]],
    keras: str,
    said: Mapping[str, Any] | None = None,
) -> onnx.ModelProto:
    """The model as nodes that onnxruntime has run since 1.6.

    Parameters
    ----------
    described : Architecture
    arrays : mapping
        {layer: {Keras's suffix: float32 array in Keras's layout}}. Of a batch normalisation of
        mode 2, "mean" and "variance" as well, where they are to stand for the batch's.
    keras : str
        The release whose formulas to use.
    said : mapping, optional
        What the file is to say of itself, {key: text or what JSON has}.

    Returns
    -------
    onnx.ModelProto
        Checked by onnx.checker. Equal arguments give equal bytes.

    Raises
    ------
    CannotRun
        For a layer that has no ONNX form, with the reason, or whose arrays do not fit.

    Examples
    --------
    >>> exported(described, arrays, "1.1.0").graph.output[0].name  # doctest: +SKIP
    'output'
    """
    graph = Graph()
    made: dict[str, Value] = {}
    masks: dict[str, Value] = {}
    entries = {node.name: node for node in described.nodes if node.kind == INPUT}
    for node in described.nodes:
        if node.kind == INPUT:
            made[node.name] = Value(node.name, len(_shape_of(node)))
            continue
        mask = next((masks[name] for name in node.inbound if name in masks), None)
        graph.begin(node.name)
        own = arrays.get(layer_of(node.name), {})
        layer = Layer(node.config, own, keras, tuple(made[name] for name in node.inbound))
        made[node.name], mask = _written(graph, node, layer, mask)
        if mask is not None:
            masks[node.name] = mask
    inputs = [of_shape(name, _kind_of(entries[name]), _shape_of(entries[name]))
              for name in described.inputs]  # fmt: skip
    outputs = [
        of_shape(name, FLOAT, [None] * made[name].rank) for name in dict.fromkeys(described.outputs)
    ]
    model = helper.make_model(
        helper.make_graph(
            graph.nodes, "model", inputs, outputs, sorted(graph.constants.values(), key=_name)
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR,
        producer_name=PRODUCER,
    )
    texts = {"keras": keras, **(said or {})}
    helper.set_model_props(
        model,
        {key: text if isinstance(text, str) else json.dumps(text) for key, text in texts.items()},
    )
    try:
        onnx.checker.check_model(model, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        why = " ".join(str(error).split())[:300]
        raise CannotRun(
            f"the weights do not fit the model ({why}); give those saved with it"
        ) from error
    return model


def _name(tensor: TensorProto) -> str:
    return tensor.name


def _written(
    graph: Graph, node: Node, layer: Layer, mask: Value | None
) -> tuple[Value, Value | None]:
    """(the layer's output, the mask that it hands on)."""
    if node.kind not in WRITERS:
        raise CannotRun(
            f"layer {node.name}: no ONNX nodes are known for {node.kind}; known are "
            f"{', '.join(sorted(WRITERS))}"
        )
    try:
        if node.kind in MASKS:
            mask = MASKS[node.kind](graph, layer)
            mask = mask and graph.named(mask, MASK)
        if node.kind in (*MASKS, *RECURRENT):
            layer = layer._replace(mask=mask)
        value = graph.end(WRITERS[node.kind](graph, layer))
    except KeyError as error:
        raise CannotRun(
            f"layer {node.name} ({node.kind}): the weights hold no {error} for it; give those "
            "that were saved with this model"
        ) from error
    except CannotRun as error:
        raise CannotRun(f"layer {node.name} ({node.kind}) has no ONNX form: {error}") from error
    ends = node.kind in RECURRENT and value.rank == 2  # one state is no sequence
    return value, None if ends else mask


def _shape_of(node: Node) -> list[int | None]:
    shape = node.config.get("batch_input_shape")
    if not shape:
        raise CannotRun(f"input {node.name} does not say its shape; give a batch_input_shape")
    return [*shape]


def _kind_of(node: Node) -> int:
    said = str(node.config.get("input_dtype") or "float32")
    return {"f": FLOAT, "b": BOOL}.get(np.dtype(said).kind, TensorProto.INT32)
