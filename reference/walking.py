"""Every call of every layer of a model, nested ones too, as one Theano function.

Names are those of parity/architecture.py: `outer/inner`, and `name#2` from the second call on. The
order is Keras's own (Container.run_internal_graph).
"""

import time
from collections import namedtuple

import keras.layers
import numpy as np
import theano
from keras import backend as K
from keras.engine.topology import Container

from reference.refused import Refused
from reference.trace_file import Layer

_TEST_PHASE = 0

# tensors: what the layer reads, a variable each; mask: the one that its output depends on, or None
Node = namedtuple("Node", "name layer inbound tensors output mask pre_activation")


def nodes_of(model):
    """The Nodes of a model, each after what it reads."""
    walk = _Walk()
    walk.top(_graph_of(model))
    return walk.nodes


def inputs_of(model, nodes):
    """The names of a model's inputs, in its own order."""
    names = {id(node.output): node.name for node in nodes}
    return [names[id(tensor)] for tensor in model.inputs]


class _Walk:
    def __init__(self):
        self.nodes, self.names = [], {}  # id of a tensor -> the node that it comes from

    def top(self, container):
        """Keras has called the layers of the outermost model; its own tensors are recorded."""
        for node, number in _calls(container, 0):
            if all(id(tensor) in self.names for tensor in node.output_tensors):
                continue  # of a model that two others read
            layer = node.outbound_layer
            tensors, masks = list(node.input_tensors), list(node.input_masks)
            if isinstance(layer, Container) and not node.inbound_layers:
                self.top(_graph_of(layer))  # its own graph is the beginning
            elif isinstance(layer, Container):
                made = self.inside(layer, tensors, masks, f"{layer.name}/", number)
                for own, (tensor, _) in zip(node.output_tensors, made, strict=True):
                    self.names[id(own)] = self.names[id(tensor)]
            else:
                self.add(layer, layer.name, number, tensors, masks, node.output_tensors)

    def inside(self, container, tensors, masks, prefix, number):
        """A model within one: Keras calls its layers anew and keeps no trace of that, so they are
        called here once more. Returns [(output, mask), ...].
        """
        container = _graph_of(container)
        known = {
            id(own): (given, mask)
            for own, given, mask in zip(container.inputs, tensors, masks, strict=True)
        }
        for own, given in zip(container.inputs, tensors, strict=True):
            self.names[id(own)] = self.names[id(given)]
        for node, at in _calls(container, number):
            layer = node.outbound_layer
            if all(id(tensor) in known for tensor in node.output_tensors):
                continue  # an input
            xs, ms = zip(*(known[id(tensor)] for tensor in node.input_tensors), strict=True)
            if isinstance(layer, Container):
                made = self.inside(layer, list(xs), list(ms), f"{prefix}{layer.name}/", at)
            else:
                made = self.call(layer, f"{prefix}{layer.name}", at, list(xs), list(ms))
            for own, each in zip(node.output_tensors, made, strict=True):
                known[id(own)] = each
        return [known[id(tensor)] for tensor in container.outputs]

    def call(self, layer, name, number, xs, masks):
        if hasattr(layer, "called_with"):  # of a BatchNormalization, which refuses a second input
            layer.called_with = None
        x, mask = (xs[0], masks[0]) if len(xs) == 1 else (xs, masks)
        outputs, out_masks = _listed(layer.call(x, mask)), _listed(layer.compute_mask(x, mask))
        if all(hasattr(each, "_keras_shape") for each in xs):  # as Container.run_internal_graph
            shapes = [each._keras_shape for each in xs]
            made = layer.get_output_shape_for(shapes[0] if len(xs) == 1 else shapes)
            for each, shape in zip(outputs, _listed(made), strict=True):
                each._keras_shape = shape
        self.add(layer, name, number, xs, masks, outputs)
        return list(zip(outputs, out_masks, strict=True))

    def add(self, layer, name, number, tensors, masks, outputs):
        if len(outputs) != 1:
            raise Refused(f"layer {name} has {len(outputs)} outputs; layers have one here")
        name = name if not number else f"{name}#{number + 1}"
        if name in self.names.values():
            raise Refused(
                f"two layers are called {name}, as in JSON of a model that two others read; give "
                "the model as FILE.py:FUNCTION, or each layer a name of its own"
            )
        is_input = type(layer).__name__ == "InputLayer"
        inbound = [] if is_input else [self.names[id(tensor)] for tensor in tensors]
        mask = masks[0] if masks and _reads_mask(outputs[0], tensors, masks[0]) else None
        self.names[id(outputs[0])] = name
        before = None
        if type(layer).__name__ == "Dense":
            before = _linear(layer, tensors[0])
        self.nodes.append(Node(name, layer, inbound, tensors, outputs[0], mask, before))


def _graph_of(model):
    """The Model that a Sequential keeps, or the model itself."""
    if not hasattr(model, "flattened_layers"):
        return model
    if getattr(model, "model", None) is None:
        model.build()
    return model.model


def _calls(container, outer):
    """(node, number of the call) of a model, in Keras's order; outer: the number of the model's own
    call.
    """
    inside = {id(node) for nodes in container.nodes_by_depth.values() for node in nodes}
    for depth in sorted(container.nodes_by_depth, reverse=True):
        for node in container.nodes_by_depth[depth]:
            calls = [each for each in node.outbound_layer.inbound_nodes if id(each) in inside]
            yield node, outer * len(calls) + calls.index(node)


def _reads_mask(output, tensors, mask):
    """Whether what a layer makes of its inputs depends on their mask."""
    if mask is None:
        return False
    return mask in theano.gof.graph.ancestors([output], blockers=[*tensors, mask])


def _linear(layer, x):
    """What a Dense layer hands to its activation."""
    own, layer.activation = layer.activation, lambda sums: sums
    try:
        return layer.call(x)
    finally:
        layer.activation = own


def _listed(value):
    return value if isinstance(value, list) else [value]


def compiled(model, nodes):
    """A function of the inputs' arrays that gives what a trace holds of each node; what the model
    itself predicts has to come out bit for bit.
    """
    wanted = [node.output for node in nodes]
    wanted += [node.mask for node in nodes if node.mask is not None]
    wanted += [node.pre_activation for node in nodes if node.pre_activation is not None]
    function = theano.function(
        [*model.inputs, K.learning_phase()], wanted + list(model.outputs), on_unused_input="ignore"
    )

    def run(arrays):
        _check(model, arrays)
        given = [x.astype(tensor.dtype) for x, tensor in zip(arrays, model.inputs, strict=True)]
        results = iter(function(*given, _TEST_PHASE))
        outputs = [next(results) for _ in nodes]
        masks = {node.name: next(results) for node in nodes if node.mask is not None}
        before = {node.name: next(results) for node in nodes if node.pre_activation is not None}
        _check_predicted(list(results), outputs)
        return [
            layer
            for node, output in zip(nodes, outputs, strict=True)
            for layer in _described(node, output, masks.get(node.name), before.get(node.name))
        ]

    return run


def timings(model, run, arrays):
    """Second call of plain `predict` and of all layers: seconds, CPU seconds, and whether what it
    predicts is among the layers' outputs, bit for bit.
    """
    predicted, predict = _second_call(lambda: model.predict(arrays, batch_size=len(arrays[0])))
    layers, all_layers = _second_call(lambda: run(arrays))
    _check_predicted(_listed(predicted), [layer.output for layer in layers])
    return {"predict": predict, "all_layers": all_layers, "bitwise_equal": True}


def _second_call(call):
    call()
    start_s, start_cpu_s = time.perf_counter(), time.process_time()
    result = call()
    return result, {
        "wall_s": time.perf_counter() - start_s,
        "cpu_s": time.process_time() - start_cpu_s,
    }


def _check(model, arrays):
    names = [tensor.name for tensor in model.inputs]
    if len(arrays) != len(names):
        raise Refused(
            f"{len(arrays)} inputs were given, the model has {len(names)}: {', '.join(names)}; "
            "give one for each, in that order"
        )
    for name, x, tensor in zip(names, arrays, model.inputs, strict=True):
        shape = K.int_shape(tensor) if hasattr(K, "int_shape") else tensor._keras_shape
        fits = x.ndim == len(shape) and all(
            want in (None, got) for want, got in zip(shape[1:], x.shape[1:], strict=True)
        )
        if not fits:
            raise Refused(
                f"the input {name} is {x.shape}, the model takes {tuple(shape)}; give an array of "
                "that shape, samples first"
            )


def _check_predicted(predicted, outputs):
    """Every output of the model is what one of its nodes gave."""
    for each in predicted:
        if not any(each.shape == out.shape and np.array_equal(each, out, equal_nan=True)
                   for out in outputs):  # fmt: skip
            raise Refused("what the model predicts is what none of its layers gives, bit for bit")


def _described(node, output, mask, pre_activation):
    inbound, found = list(node.inbound), []
    if mask is not None:
        inbound.append(f"mask of {node.name}")
        found.append(Layer(inbound[-1], "Mask", {}, [], mask.astype(bool), None))
    kind, config = type(node.layer).__name__, node.layer.get_config()
    if hasattr(keras.layers, kind) and not type(node.layer).__module__.startswith("keras."):
        kind += " (not Keras's own)"
    return [*found, Layer(node.name, kind, config, inbound, output, pre_activation)]
