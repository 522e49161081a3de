"""What is known of an original's layers and their shapes without running it, for probes.

The description of a model holds its outputs' shapes where somebody wrote them there, as that of a
tagger does; where not, the original is recorded.
"""

import json
from collections.abc import Mapping

import numpy as np

from parity import architecture
from parity.kinds import LayerCase, layer_case
from parity.model import Case
from parity.recording.stacks import STACKS
from parity.recording.trace import Layer, open_trace

MASK = "Mask"  # what the recorder calls a mask that a layer reads
SHAPES = "shapes"  # beside the model, {layer: shape without samples}


def layers_of(case: Case) -> dict[str, Layer]:
    """{name: layer} in network order, shapes without the clips, fused layers as one. Raises
    CannotRun.
    """
    return case.names.layers(_layers_of(case))


def _layers_of(case: Case) -> dict[str, Layer]:
    path = case.model.defined.architecture
    said = architecture.read(path)
    if not (shapes := said.get(SHAPES)):
        return _recorded(case)
    return {
        node.name: Layer(
            node.name, node.kind, node.config, node.inbound, tuple(shapes[node.name]),
            np.dtype("f4"), "",
        )
        for node in architecture.parse(said, path).nodes
    }  # fmt: skip


def _recorded(case: Case) -> dict[str, Layer]:
    from parity.recording import recordings
    from parity.recording.clips import clips_of

    inputs = clips_of([case])[case].inputs
    path = recordings.traces({case: inputs}, lanes=["reference"])[case]["reference"]
    with open_trace(path) as trace:
        return without_clips(trace.layers)


def described(layers: Mapping[str, Layer]) -> str:
    """Layers as text; shapes without clips."""
    rows = [
        {
            "name": layer.name,
            "kind": layer.kind,
            "inbound": list(layer.inbound),
            "shape": list(layer.shape),
            "config": layer.config,
        }
        for layer in layers.values()
    ]
    return "[\n" + ",\n".join(json.dumps(row, sort_keys=True) for row in rows) + "\n]\n"


def without_clips(layers: Mapping[str, Layer]) -> dict[str, Layer]:
    """A trace's layers, shapes without the clips."""
    return {name: layer._replace(shape=layer.shape[1:]) for name, layer in layers.items()}


def asked(
    case: Case, layers: Mapping[str, Layer], name: str, keras: str | None = None
) -> LayerCase:
    """The layer with one clip of zeros, as a kind's `probes` take it. Raises CannotRun."""
    layer = layers[name]
    source, *others = layer.inbound
    more = [
        np.ones((1, *layers[other].shape), bool if layers[other].kind == MASK else np.float32)
        for other in others
    ]
    whole = layers[source].dtype.kind in "iu"
    x = np.broadcast_to((np.int32 if whole else np.float32)(0), (1, *layers[source].shape))
    params = case.params.get(name, {})
    return layer_case(layer, params, x, keras or STACKS[case.model.stack].keras, more)
