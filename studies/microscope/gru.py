"""A GRU step by step and gate by gate: running free, and with the original's state forced before
each step.

The original's states are what its trace holds: the whole sequence where the layer returns it, else
the last state, and then the float64 oracle stands in for the earlier ones. Its gates are in no
trace: the oracle recomputes them, in float64, from the original's states. Every row says which of
the two it rests on.
"""

import numpy as np

from parity.errors import CannotRun
from parity.kinds import layer_case, recurrent
from parity.numerics.rounding import FLUSHED, tail_factor

RECORDED, LAST_ONLY = "recorded float32", "float64 oracle; only the last state is recorded"
GATES_FROM = "float64 oracle, recomputed from the original's states"
EDGE = 2.5  # hard_sigmoid is 0 below -EDGE and 1 above it
GATES = {"z": "z", "r": "r", "candidate": "c"}  # the port's name -> the oracle's


def examine(layer, params, given, expected, inside, force=None):
    """What a port's GRU does inside, as plain numbers.

    layer, params: as layer_case takes them; given: (B, T, inputs) float32, expected: the
    original's output; inside: the port's {"state": (B, T, units)} on `given` (see `states`), with
    {z, r, candidate} too where it shows them; force: callable(before) -> the same with the states
    `before` (B, T, units) taken before each step, or None: then nothing is forced.
    Returns {steps, units, sources, saturation, free: [rows], forced: [rows] or None}. A row:
    {step, state: {max_abs, rms} of port - original, rho_port and rho_original: largest |side -
    oracle|/B, bound: largest B of the step, gates: {name: max_abs} of port - oracle or None}. B is
    lam sigma: in `free` from the covariance carried from step to step, in `forced` from the step's
    own errors alone. rho_original is None where the original's state was not recorded. Raises
    CannotRun for a GRU that runs backwards, or a port whose states are of another shape.
    """
    if layer.config.get("go_backwards"):
        raise CannotRun(
            f"layer {layer.name}: a GRU that runs backwards is not looked into step by step"
        )
    sequence = layer._replace(config={**layer.config, "return_sequences": True})
    case = layer_case(sequence, params, given, "")
    judge = case.witness
    block = judge.block((slice(None),) * 3)
    truth, bound = (a.reshape(judge.shape) for a in (block.o, np.sqrt(block.bound2)))
    is_recorded = bool(layer.config.get("return_sequences"))
    original = (
        expected.astype(np.float64)
        if is_recorded
        else np.concatenate([truth[:, :-1], expected[:, None]], axis=1)
    )
    before = _before(original)
    at_original = list(recurrent.steps_of(case, before))
    last = given.shape[1] - 1
    known = [is_recorded or t == last for t in range(given.shape[1])]

    if inside["state"].shape != original.shape:
        raise CannotRun(
            f"layer {layer.name}: the port's states are {inside['state'].shape} instead "
            f"of {original.shape}"
        )
    free = _rows(inside, original, truth, bound, at_original, known)
    forced = None
    if force:
        local, own = _one_step(at_original, original.size)
        known = [is_recorded or last == 0] * len(known)
        forced = _rows(force(before), original, local, own, at_original, known)
    return {
        "steps": given.shape[1],
        "units": original.shape[2],
        "sources": {
            "states_original": RECORDED if is_recorded else LAST_ONLY,
            "gates_original": GATES_FROM,
            "port": "float32, states and gates" if "z" in inside else "float32, states only",
        },
        "saturation": saturation(at_original),
        "free": free,
        "forced": forced,
    }


def states(layer, step, given):
    """The states (B, T, units) of a port's GRU `step`; where it gives the last one only, from runs
    on ever longer beginnings.
    """
    if layer.config.get("return_sequences"):
        return step(given)
    return np.stack(
        [step(np.ascontiguousarray(given[:, :length])) for length in range(1, given.shape[1] + 1)],
        axis=1,
    )


def saturation(steps):
    """{gate: {shut, open, open_by_step, shut_by_step}}: shares of the hard sigmoids at exactly 0
    and 1, whose slope is 0 there.
    """
    found = {}
    for gate in "zr":
        sums = np.stack([step[f"a_{gate}"] for step in steps])  # (T, B, units)
        shut, opened = (np.mean(side, axis=(1, 2)) for side in (sums <= -EDGE, sums >= EDGE))
        found[gate] = {
            "shut": float(shut.mean()),
            "open": float(opened.mean()),
            "shut_by_step": shut.tolist(),
            "open_by_step": opened.tolist(),
        }
    return found


def _before(states):
    """The float32 states (B, T, units) before each step: zeros, then those after the step
    before.
    """
    return np.concatenate([np.zeros_like(states[:, :1]), states[:, :-1]], axis=1).astype(np.float32)


def _one_step(steps, elements):
    """(values, bounds), each (B, T, units): one step from the given states, and what its own
    roundings may do.
    """
    local = [recurrent.step_errors(step)[1] for step in steps]
    return np.stack([step["after"] for step in steps], axis=1), tail_factor(elements) * np.sqrt(
        np.stack(local, axis=1)
    ) + FLUSHED


def _rows(inside, original, truth, bound, at_original, known):
    return [
        _row(
            t,
            {name: values[:, t].astype(np.float64) for name, values in inside.items()},
            original[:, t],
            truth[:, t],
            bound[:, t],
            at_original[t],
            known[t],
        )
        for t in range(original.shape[1])
    ]


def _row(t, inside, original, truth, bound, gates, is_known):
    state = inside["state"]
    drift = state - original
    of_gates = {
        name: float(np.abs(inside[name] - gates[of]).max())
        for name, of in GATES.items()
        if name in inside
    }
    return {
        "step": t + 1,
        "state": {"max_abs": float(np.abs(drift).max()), "rms": float(np.sqrt(np.mean(drift**2)))},
        "rho_port": float(np.max(np.abs(state - truth) / bound)),
        "bound": float(bound.max()),
        "rho_original": float(np.max(np.abs(original - truth) / bound)) if is_known else None,
        "gates": of_gates or None,
    }
