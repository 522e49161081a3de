"""The layers of one original, one at a time: their inputs are given, whatever made them in the
network.

Import `reference.legacy` and apply it first.
"""

import theano
from keras import backend as K

from reference.building import loaded
from reference.probes.rounding import Rounded
from reference.refused import Refused
from reference.walking import nodes_of

_TEST_PHASE = 0


class Layers:
    """What a model's layers answer.

    job : as of `python -m reference.probes`.
    """

    def __init__(self, job):
        self.nodes, self.functions = _nodes(job), {}

    def answer(self, layer, of, inputs, draws=0, seed=0):
        """Yield what a layer makes of some arrays, and so many times what float32 might have.

        of : "run", or "logits", what a Dense hands to its activation. Raises Refused.
        """
        if (layer, of) not in self.functions:
            self.functions[layer, of] = self._function(layer, of)
        tensors, function = self.functions[layer, of]
        if len(inputs) != len(tensors):
            raise Refused(f"layer {layer} reads {len(tensors)} inputs, {len(inputs)} were given")
        arrays = [x.astype(tensor.dtype) for x, tensor in zip(inputs, tensors, strict=True)]
        for outputs in function.run([*arrays, _TEST_PHASE], draws, seed):
            yield outputs[0]

    def _function(self, layer, of):
        if layer not in self.nodes:
            raise Refused(f"the original has no layer {layer}")
        tensors, output = self.nodes[layer][of]
        if len(set(tensors)) < len(tensors):
            raise Refused(f"layer {layer} reads one tensor twice, so no other can be given")
        try:
            return tensors, Rounded([*tensors, K.learning_phase()], [output])
        except theano.gof.fg.MissingInputError as error:
            raise Refused(
                f"layer {layer} reads more than its inputs, so none can be given"
            ) from error


def _nodes(job):
    """{layer: {"run" or "logits": (the variables that it reads, what it makes of them)}}; the model
    itself, to its first output, goes by no name.
    """
    model = loaded(job)
    nodes = nodes_of(model)
    found = {"": {"run": (list(model.inputs), model.outputs[0])}}
    for node in nodes:
        reads = [*node.tensors, *([] if node.mask is None else [node.mask])]
        found[node.name] = {"run": (reads, node.output), "logits": (reads, node.pre_activation)}
    return found
