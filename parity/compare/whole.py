"""What users call, the port as a whole, against the composition of its layers, which was judged."""

import numpy as np

from parity.compare.measure import mismatch
from parity.compare.walk import network_order, same_bits
from parity.port_api import Port, ask


def whole_call(port: Port, trace, found: dict) -> dict | None:
    """{bitwise_equal, port_reference, holds, message}, or None for a port without such a call.

    trace : the open reference; found : as compare_case gives it. A call that is not the layers'
    composition bit for bit is held to the end's own allowance; holds is None where the run did not
    explain the end, and so has none.
    """
    first, *_, last = network_order(trace)
    inputs = [trace.read(name) for name in trace.layers[first].inbound]
    said = ask("the port, called as a whole,", port, *inputs, optional=True)
    if said.fault is None and said.actual is None:
        return None
    composed, expected = (found["scores"] or {}).get("actual"), trace.read(last)
    fault = said.fault or mismatch(said.actual, expected)
    if fault:
        return _record(False, None, False, f"what users call gives no scores to judge: {fault}")
    away = float(np.abs(np.subtract(said.actual, expected, dtype=np.float64)).max())
    if same_bits(composed, said.actual):
        return _record(True, away, found["final"]["holds"], None)
    allowed = found["final"]["allowed"]
    holds = None if allowed is None else bool(away <= allowed)
    judged = (
        f"of at most {allowed:.2g}" if allowed else "and a run without explanation cannot judge it"
    )
    return _record(
        False,
        away,
        holds,
        "what users call is not the composition of the layers; "
        f"its scores are up to {away:.2g} from the original's, {judged}",
    )


def _record(bitwise_equal, port_reference, holds, message):
    return {
        "bitwise_equal": bitwise_equal,
        "port_reference": port_reference,
        "holds": holds,
        "message": message,
    }
