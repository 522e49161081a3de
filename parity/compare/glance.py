"""A glance into a port's layers, which every run can afford: what each kind of layer looks at."""

from collections.abc import Mapping
from typing import Any

from parity.compare.walk import network_order
from parity.kinds import KINDS, layer_case
from parity.kinds.api import Params
from parity.port_api import Port
from parity.recording.trace import Trace
from parity.results import Microscope


def glances(trace: Trace, params: Mapping[str, Params], keras: str, port: Port) -> Microscope:
    """What the layers of an open reference trace show; params: {layer: {suffix: array}}."""
    found: dict[str, dict[str, Any]] = {kind.part: {} for kind in KINDS.values() if kind.glance}
    messages: dict[str, str] = {}
    for name in network_order(trace):
        layer = trace.layers[name]
        kind = KINDS.get(layer.kind)
        if kind and kind.glance:
            x, *more = (trace.read(source) for source in layer.inbound)
            case = layer_case(layer, params.get(name, {}), x, keras, more)
            evidence, message = kind.glance(case, trace.read(name), port)
            found[kind.part] |= {name: evidence} if evidence else {}
            messages |= {name: message} if message else {}
    return Microscope(**found, messages=messages)
