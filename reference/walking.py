"""Every call of every layer of a model, nested ones too, as one Theano function.

Names are those of parity/architecture.py: `outer/inner`, and `name#2` from the second call on. The
order is Keras's own (Container.run_internal_graph).
"""

import time
from collections import namedtuple
from contextlib import contextmanager

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


def ends_of(model, nodes):
    """The names of a model's inputs, in its own order, and how many outputs it has."""
    names = {id(node.output): node.name for node in nodes if not node.inbound}
    inputs = [names[id(tensor)] for tensor in model.inputs]
    return {"inputs": inputs, "outputs": len(model.outputs)}


class _Walk:
    def __init__(self):
        self.nodes = []
        self.names = {}  # of the outermost model: id of Keras's Node -> a name for each output

    def top(self, container):
        """Keras has called the layers of the outermost model; its own tensors are recorded."""
        for node, number in _calls(container, 0):
            layer = node.outbound_layer
            if id(node) in self.names:
                continue  # of a model that two others read
            inbound = [self.names[source][at] for source, at in _sources(node)]
            tensors, masks = list(node.input_tensors), list(node.input_masks)
            if isinstance(layer, Container) and not inbound:
                self.top(_graph_of(layer))  # its own graph is the beginning
                self.names[id(node)] = [self.names[source][at] for source, at in _ends(layer)]
            elif isinstance(layer, Container):
                given = list(zip(tensors, masks, inbound, strict=True))
                made = self.inside(layer, given, f"{layer.name}/", number)
                self.names[id(node)] = [name for *_, name in made]
            else:
                made = node.output_tensors
                self.names[id(node)] = [
                    self.add(layer, layer.name, number, inbound, tensors, masks, made)
                ]

    def inside(self, container, given, prefix, number):
        """A model within one: Keras calls its layers anew and keeps no trace of that, so they are
        called here once more. given, and what is returned: [(tensor, mask, name), ...].
        """
        container = _graph_of(container)
        begins = {id(own): each for own, each in zip(container.inputs, given, strict=True)}
        known = {}
        for node, at in _calls(container, number):
            layer = node.outbound_layer
            xs = [known[source][tensor] for source, tensor in _sources(node)]
            xs = xs or [begins[id(tensor)] for tensor in node.input_tensors]
            if isinstance(layer, Container):
                made = self.inside(layer, xs, f"{prefix}{layer.name}/", at)
            elif node.inbound_layers:
                made = [self.call(layer, f"{prefix}{layer.name}", at, xs)]
            else:
                made = xs  # an input
            known[id(node)] = made
        return [known[source][at] for source, at in _ends(container)]

    def call(self, layer, name, number, given):
        if hasattr(layer, "called_with"):  # of a BatchNormalization, which refuses a second input
            layer.called_with = None
        xs, masks, inbound = (list(each) for each in zip(*given, strict=True))
        x, mask = (xs[0], masks[0]) if len(xs) == 1 else (xs, masks)
        outputs, out_masks = _listed(layer.call(x, mask)), _listed(layer.compute_mask(x, mask))
        if all(hasattr(each, "_keras_shape") for each in xs):  # as Container.run_internal_graph
            shapes = [each._keras_shape for each in xs]
            made = layer.get_output_shape_for(shapes[0] if len(xs) == 1 else shapes)
            for each, shape in zip(outputs, _listed(made), strict=True):
                each._keras_shape = shape
        return outputs[0], out_masks[0], self.add(layer, name, number, inbound, xs, masks, outputs)

    def add(self, layer, name, number, inbound, tensors, masks, outputs):
        """Its name among the nodes."""
        if len(outputs) != 1:
            raise Refused(
                f"layer {name} has {len(outputs)} outputs, and a layer has one here; give the "
                "model with a layer for each, and its weights to those"
            )
        name = name if not number else f"{name}#{number + 1}"
        if any(name == node.name for node in self.nodes):
            raise Refused(
                f"two layers are called {name}, as in JSON of a model that two others read; give "
                "the model as FILE.py:FUNCTION, or each layer a name of its own"
            )
        mask = masks[0] if masks and _reads_mask(outputs[0], tensors, masks[0]) else None
        before = None
        if type(layer).__name__ == "Dense":
            before = _linear(layer, tensors[0])
        self.nodes.append(Node(name, layer, inbound, tensors, outputs[0], mask, before))
        return name


def _sources(node):
    """[(id of a call's Node, which of its outputs), ...] that a call reads. Its output may be the
    tensor that it was given (an Activation that is linear, a Dropout of 0).
    """
    return _calls_of(node.inbound_layers, node.node_indices, node.tensor_indices)


def _ends(model):
    """The same of what a model gives."""
    model = _graph_of(model)
    of_nodes, of_tensors = model.output_layers_node_indices, model.output_layers_tensor_indices
    return _calls_of(model.output_layers, of_nodes, of_tensors)


def _calls_of(layers, nodes, tensors):
    return [
        (id(layer.inbound_nodes[node]), tensor)
        for layer, node, tensor in zip(layers, nodes, tensors, strict=True)
    ]


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
    given, made = [*model.inputs, K.learning_phase()], wanted + list(model.outputs)
    with _refusing():
        function = theano.function(given, made, on_unused_input="ignore")

    def run(arrays):
        _check(model, arrays)
        given = [x.astype(tensor.dtype) for x, tensor in zip(arrays, model.inputs, strict=True)]
        with _refusing():
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


@contextmanager
def _refusing():
    try:
        yield
    except Exception as error:  # whatever Theano and a layer's own code raise
        said = " ".join(str(error.args[-1] if error.args else error).split())
        raise Refused(
            f"Theano cannot run the model that this Keras builds ({type(error).__name__}: "
            f"{said[:500]}); try a later release by --keras, or change the layer"
        ) from error


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
