"""Runs a port along a recorded original, layer by layer, on the original's own inputs (isolated)
and on its own (chained).
"""

from typing import NamedTuple

import numpy as np


class Side(NamedTuple):
    """What one layer of the port was given and gave; `fault` says why it gave nothing."""

    given: np.ndarray | None
    actual: np.ndarray | None
    fault: str | None = None


class Step(NamedTuple):
    """One layer: the original's input and output, and the port's two answers."""

    layer: object
    given: np.ndarray
    expected: np.ndarray
    isolated: Side
    chained: Side


def walk(reference, steps):
    """Yield a Step per layer of the trace `reference`, in its order, holding one layer's arrays at
    a time.

    steps : ordered mapping layer name -> callable(array) -> array. A missing step, one out of
    order or one that raises becomes a fault of that Step, and the chain stays broken from there
    on.
    """
    names = network_order(reference)
    given = chained = reference.read(reference.layers[names[0]].inbound[0])
    broken = None
    for name in names:
        layer, expected = reference.layers[name], reference.read(name)
        isolated = _apply(steps, name, given)
        broken = broken or _misplaced(name, names, steps)
        if broken:
            alone = Side(None, None, broken)
        else:
            alone = isolated if chained is given else _apply(steps, name, chained)
            broken = alone.fault and f"the chain broke at {name}: {alone.fault}"
        yield Step(layer, given, expected, isolated, alone)
        chained = expected if _same_bits(alone.actual, expected) else alone.actual
        given = expected


def network_order(trace):
    """The layers of a trace in network order, its InputLayer left out."""
    return [name for name, layer in trace.layers.items() if layer.kind != "InputLayer"]


def _apply(steps, name, given):
    if name not in steps:
        return Side(given, None, f"the port has no layer {name}")
    try:
        actual = steps[name](given)
    # whatever a port raises is that layer's failure, and the other layers are still judged
    except Exception as error:
        return Side(given, None, f"the port's {name} raised {type(error).__name__}: {error}")
    if not isinstance(actual, np.ndarray):
        return Side(
            given,
            None,
            f"the port's {name} returned {type(actual).__name__}, expected a NumPy array",
        )
    return Side(given, actual)


def _misplaced(name, names, steps):
    """Why the port cannot run `name` next in a chain, or None: both orders, restricted to shared
    names, have to agree.
    """
    ours = [step for step in steps if step in names]
    theirs = [layer for layer in names if layer in steps]
    if name in steps and ours.index(name) != theirs.index(name):
        return f"the port runs its layers in another order ({' '.join(ours)})"
    return None


def _same_bits(actual, expected):
    return (
        actual is not None
        and actual.shape == expected.shape
        and actual.dtype == expected.dtype
        and np.array_equal(
            np.ascontiguousarray(actual).view(np.uint8),
            np.ascontiguousarray(expected).view(np.uint8),
        )
    )
