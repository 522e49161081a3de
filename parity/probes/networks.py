"""What Keras says of each original's layers, kept so that probes need neither Keras nor a trace.

`fixtures/networks/MODEL.json` holds name, class, configuration, inputs and output shape of every
layer, as the recorder wrote them down. `python -m parity.probes.networks` writes the files anew
from recorded originals; a test compares them with those.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from parity import room
from parity.errors import CannotRun
from parity.files import atomic_write
from parity.kinds import LayerCase, layer_case
from parity.model import Case
from parity.recording.stacks import STACKS
from parity.recording.trace import Layer, open_trace
from parity.untrusted import read_json

MASK = "Mask"  # what the recorder calls a mask that a layer reads
FOLDER = room("fixtures") / "networks"


def layers_of(case: Case) -> dict[str, Layer]:
    """{name: layer} in network order, shapes without the clips, fused layers as one. Of an original
    from outside they are what was recorded, now if need be. Raises CannotRun.
    """
    return case.names.layers(_layers_of(case))


def _layers_of(case: Case) -> dict[str, Layer]:
    if case.model.outside:
        return _recorded(case)
    path = FOLDER / f"{case.model.name}.json"
    try:
        rows = read_json(path)
    except OSError as error:
        raise CannotRun(
            f"{path}: the layers of {case.model.name} cannot be read ({error})"
        ) from error
    return {row["name"]: _layer(row) for row in rows}


def _recorded(case: Case) -> dict[str, Layer]:
    from parity.recording import recordings
    from parity.recording.clips import clips_of

    inputs = clips_of([case])[case].inputs
    path = recordings.traces({case: inputs}, lanes=["reference"])[case]["reference"]
    with open_trace(path) as trace:
        return without_clips(trace.layers)


def described(layers: Mapping[str, Layer]) -> str:
    """A network file's text; shapes without clips."""
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


def asked(case: Case, layers: Mapping[str, Layer], name: str) -> LayerCase:
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
    return layer_case(layer, params, x, STACKS[case.model.stack].keras, more)


def _layer(row: dict[str, Any]) -> Layer:
    inbound, shape = tuple(row["inbound"]), tuple(row["shape"])
    return Layer(row["name"], row["kind"], row["config"], inbound, shape, np.dtype("f4"), "")


def _write() -> None:
    from parity.model import MODELS, case_for
    from parity.recording import recordings
    from parity.recording.clips import read_clips

    for name in MODELS:
        case = case_for(name)
        lanes = recordings.traces({case: read_clips(case.clips).batch})[case]
        with open_trace(lanes["reference"]) as trace:
            atomic_write(FOLDER / f"{name}.json", described(without_clips(trace.layers)))


if __name__ == "__main__":
    _write()
