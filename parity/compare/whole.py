"""What users call, the port as a whole, against the composition of its layers, which was judged."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from parity.compare.tally import mismatch
from parity.compare.walk import is_chain, network_order
from parity.errors import CannotRun
from parity.kinds.experiment import Experiment
from parity.port_api import Ended, Port, ask, same_bits
from parity.recording.asking import WHOLE, Original
from parity.recording.trace import Trace
from parity.results import Final, Fused, FusedLayer, Layer, WholeCall


def whole_call(
    port: Port,
    trace: Trace,
    scores: Mapping[str, np.ndarray] | None,
    final: Final,
    original: Original | None = None,
) -> WholeCall | None:
    """Judge the whole call; None for a port without one, and of a model with several outputs.

    trace : the open reference; scores, final : as compare_case found them. A call that is not the
    layers' composition bit for bit is held to the end's own allowance, or, where there is none (in
    a graph), to what noise of rounding in all of `original` does to its scores; holds is None
    where that cannot be asked either.
    """
    inputs = _inputs(trace)
    if trace.provenance.get("outputs", 1) > 1:
        return None
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
    if final.allowed is not None:
        holds: bool | None = bool(away <= final.allowed)
        judged = f"of at most {final.allowed:.2g}"
    elif original is None or is_chain(trace):
        holds, judged = None, "and nothing bounds that where the end is not explained"
    else:
        found = Experiment(partial(original.ask, WHOLE), tuple(inputs))
        value, bound = found.found
        beyond = ~(np.abs(actual.reshape(found.view) - value) <= bound)  # NaN is beyond
        holds, shown = not beyond.any(), int(np.count_nonzero(beyond))
        judged = (
            f"{shown} of {beyond.size} beyond what rounding in the whole original may do (bounded "
            "by experiment)"
        )
    return WholeCall(
        False,
        away,
        holds,
        "what users call is not the composition of the layers; "
        f"its scores are up to {away:.2g} from the original's, {judged}",
    )


def as_fused(
    port: Port, trace: Trace, layers: Iterable[Layer], final: Final, call: WholeCall | None
) -> WholeCall | None:
    """`call` with what is found of the port as its runtime makes it fast, where it shows that.

    layers, final : as compare_case found them. Every layer that is left is held to what rounding up
    to there may part two float32 runs by, the end to its own allowance.
    """
    fast = getattr(port, "fast", None)
    try:
        found = fast(*_inputs(trace)) if fast and call else None
    except Ended:
        raise
    except CannotRun as error:
        assert call
        return replace(call, holds=False, message=f"once its layers are fused: {error}")
    if call is None or found is None:
        return call
    order = network_order(trace)
    allowed = {layer.name: layer.chained.rounding_rms for layer in layers}
    points = [
        FusedLayer(name, *_apart(found[name], trace.read(name)), allowed.get(name))
        for name in order
        if name in found
    ]
    away = next((each.port_reference for each in points if each.name == order[-1]), None)
    beyond = [
        each.name
        for each in points
        if each.allowed_rms is not None and not (each.rms or 0.0) <= each.allowed_rms
    ]
    holds = away is not None and away <= final.allowed and not beyond if final.allowed else None
    limit = f"of at most {final.allowed:.2g}" if final.allowed else "which was not judged"
    end = "gives no scores" if away is None else f"is up to {away:.2g} from the original, {limit}"
    said = f"as its runtime fuses it, {len(points)} of {len(order)} layers are left, and it {end}"
    if beyond:
        said += f"; farther from the original than rounding allows: {', '.join(beyond)}"
    return replace(
        call,
        holds=call.holds and holds is not False,
        message="; ".join(filter(None, (call.message, said))),
        fused=Fused(len(order), points, holds),
    )


def _inputs(trace: Trace) -> list[np.ndarray]:
    entries = [name for name, layer in trace.layers.items() if not layer.inbound]
    return [trace.read(name) for name in trace.provenance.get("inputs", entries)]


def _apart(actual: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """(largest difference, their rms)."""
    if actual.shape != expected.shape:
        return float("inf"), float("inf")
    gap = np.abs(np.subtract(actual, expected, dtype=np.float64))
    return float(gap.max()), float(np.sqrt(np.square(gap).mean()))
