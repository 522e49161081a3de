"""What users call, the port as a whole, against the composition of its layers, which was judged."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from parity.compare.tally import mismatch
from parity.compare.walk import network_order
from parity.port_api import Port, ask, same_bits
from parity.recording.trace import Trace
from parity.results import Final, WholeCall


def whole_call(
    port: Port, trace: Trace, scores: Mapping[str, np.ndarray] | None, final: Final
) -> WholeCall | None:
    """Judge the whole call; None for a port without one.

    trace : the open reference; scores, final : as compare_case found them. A call that is not the
    layers' composition bit for bit is held to the end's own allowance; holds is None where the run
    did not explain the end, and so has none.
    """
    entries = [name for name, layer in trace.layers.items() if not layer.inbound]
    inputs = [trace.read(name) for name in trace.provenance.get("inputs", entries)]
    said = ask("the port, called as a whole,", port, *inputs, optional=True)
    actual: Any = said.actual
    if said.fault is None and actual is None:
        return None
    expected = trace.read(network_order(trace)[-1])
    fault = said.fault or mismatch(actual, expected)
    if fault:
        why = f"what users call gives no scores to judge: {fault}"
        return WholeCall(False, None, False, why)
    away = float(np.abs(np.subtract(actual, expected, dtype=np.float64)).max())
    if same_bits(scores["actual"] if scores else None, actual):
        return WholeCall(True, away, final.holds, None)
    allowed = final.allowed
    judged = (
        f"of at most {allowed:.2g}" if allowed else "and a run without explanation cannot judge it"
    )
    return WholeCall(
        False,
        away,
        None if allowed is None else bool(away <= allowed),
        "what users call is not the composition of the layers; "
        f"its scores are up to {away:.2g} from the original's, {judged}",
    )
