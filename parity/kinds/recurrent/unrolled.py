"""A GRU step by step and gate by gate: free-running, and teacher-forced with the original's state
before each step.

The original's states are what its trace holds: the whole sequence where the layer returns it, else
the last state, and then the float64 oracle stands in for the earlier ones. Its gates are in no
trace: the oracle recomputes them, in float64, from the original's states. Every row says which of
the two it rests on.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.kinds.api import LayerCase
from parity.kinds.recurrent.formula import cell_of, mask_of, step_errors, steps_of
from parity.numerics.rounding import FLUSHED, Array, tail_factor
from parity.port_api import Port, inside, output
from parity.results import Distance, Figure, NotUnrolled, Saturation, TimeStep, Unrolled

Shown = Mapping[str, Array]

RECORDED, LAST_ONLY = "recorded float32", "float64 oracle; only the last state is recorded"
GATES_FROM = "float64 oracle, recomputed from the original's states"
OWN = {"activation": "tanh", "inner_activation": "hard_sigmoid"}
EDGE = 2.5  # hard_sigmoid is 0 below -EDGE and 1 above it
GATES = {"z": "z", "r": "r", "candidate": "c"}  # the port's name -> the oracle's


def glance(case: LayerCase, expected: Array, port: Port) -> tuple[Any, str | None]:
    """The port's states, running free, or what stands against that."""
    if case.layer.name not in port.layers:
        return None, None
    try:
        return compare(case, expected, {"state": states(case, port)}), None
    except CannotRun as why:
        return NotUnrolled(str(why)), None


def examine(case: LayerCase, expected: Array, actual: Array, port: Port) -> Unrolled:
    """The port's states and, where it shows them, its gates; then each step is forced too."""
    own = inside(port, case.layer.name, case.x)
    if own is None:
        return compare(case, expected, {"state": states(case, port)})
    return compare(
        case, expected, own, lambda before: inside(port, case.layer.name, case.x, before=before)
    )


def compare(
    case: LayerCase, expected: Array, own: Shown, force: Callable[[Array], Any] | None = None
) -> Unrolled:
    """What a port's GRU does inside.

    expected: the original's output; own: the port's {"state": (B, T, units)}, with {z, r,
    candidate} too where it shows them; force: callable(before) -> the same with the states
    `before` (B, T, units) taken before each step, or None: then nothing is forced.
    The bound is lam sigma: in `free` from the covariance carried from step to step, in `forced`
    from the step's own errors alone. rho_original is None where the original's state was not
    recorded. Raises CannotRun for a GRU that runs backwards, or a port whose states are of another
    shape.
    """
    name, is_recorded = case.layer.name, bool(case.config.get("return_sequences"))
    for what, found in (
        ("runs backwards", case.config.get("go_backwards")),
        ("reads a mask", mask_of(case) is not None),
        ("has other activations", any(case.config.get(k, v) != v for k, v in OWN.items())),
    ):
        if found:
            raise CannotRun(f"layer {name}: a GRU that {what} is not looked into step by step")
    case = case.but(config={"return_sequences": True})
    judge, count = case.witness, case.x.shape[1]
    block = judge.block((slice(None),) * 3)
    truth, bound = (a.reshape(judge.shape) for a in (block.o, np.sqrt(block.bound2)))
    original = (
        expected.astype(np.float64)
        if is_recorded
        else np.concatenate([truth[:, :-1], expected[:, None]], axis=1)
    )
    if own["state"].shape != original.shape:
        raise CannotRun(
            f"layer {name}: the port's states are {own['state'].shape} instead of {original.shape}"
        )
    before = np.concatenate([np.zeros_like(original[:, :1]), original[:, :-1]], axis=1)
    before = before.astype(np.float32)
    at_original = list(steps_of(case, before))
    known = [is_recorded or t == count - 1 for t in range(count)]
    free, forced = _rows(own, original, truth, bound, at_original, known), None
    if force:
        variances = np.stack([step_errors(cell_of(case), step)[1] for step in at_original], axis=1)
        local = np.stack([step["after"] for step in at_original], axis=1)
        bound = tail_factor(original.size) * np.sqrt(variances) + FLUSHED
        known = [is_recorded or count == 1] * count
        forced = _rows(force(before), original, local, bound, at_original, known)
    sources = {
        "states_original": RECORDED if is_recorded else LAST_ONLY,
        "gates_original": GATES_FROM,
        "port": "float32, states and gates" if "z" in own else "float32, states only",
    }
    return Unrolled(count, original.shape[2], sources, saturation(at_original), free, forced)


def states(case: LayerCase, port: Port) -> Array:
    """The port's states (B, T, units); where it gives the last one only, from runs on ever longer
    beginnings.
    """
    name = case.layer.name
    if case.config.get("return_sequences"):
        return output(port, name, case.x)
    beginnings = (case.x[:, :length] for length in range(1, case.x.shape[1] + 1))
    return np.stack([output(port, name, np.ascontiguousarray(x)) for x in beginnings], axis=1)


def saturation(steps: list[dict[str, Any]]) -> dict[str, Saturation]:
    """How far each gate is saturated."""
    found = {}
    for gate in "zr":
        sums = np.stack([step[f"a_{gate}"] for step in steps])  # (T, B, units)
        shut, opened = (np.mean(side, axis=(1, 2)) for side in (sums <= -EDGE, sums >= EDGE))
        found[gate] = Saturation(
            float(shut.mean()), float(opened.mean()), shut.tolist(), opened.tolist()
        )
    return found


def _rows(
    own: Shown,
    original: Array,
    truth: Array,
    bound: Array,
    at_original: list[dict[str, Any]],
    known: list[bool],
) -> list[TimeStep]:
    def row(t: int) -> TimeStep:
        state, drift = own["state"][:, t].astype(np.float64), own["state"][:, t] - original[:, t]
        gates: dict[str, Figure] = {
            name: float(np.abs(own[name][:, t].astype(np.float64) - at_original[t][of]).max())
            for name, of in GATES.items()
            if name in own
        }

        def rho(side: Array) -> float:
            return float(np.max(np.abs(side - truth[:, t]) / bound[:, t]))

        return TimeStep(
            t + 1,
            Distance(float(np.abs(drift).max()), float(np.sqrt(np.mean(drift**2)))),
            rho(state),
            float(bound[:, t].max()),
            rho(original[:, t]) if known[t] else None,
            gates or None,
        )

    return [row(t) for t in range(original.shape[1])]
