"""What ports get wrong in recurrent layers, and what other frameworks compute there."""

import itertools
from collections.abc import Callable
from typing import Any

from parity.kinds.api import Change, LayerCase, Maker, Params, Variant
from parity.kinds.recurrent.formula import (
    ACTIVATIONS,
    BACKWARDS,
    CARRIED,
    GATES,
    LAST,
    UNMASKED,
    ZEROED,
    Recurrent,
    form_of,
    mask_of,
    parameters,
)

Changes = Callable[[Params], dict[str, Any]]


def _each(name: str, change: Change) -> Changes:
    """Parameters with those of one sort (W, U, b) changed."""
    return lambda p: {key: change(a) if key[0] == name else a for key, a in p.items()}


def _of(gate: str, change: Change) -> Changes:
    """One gate's bias changed."""
    return lambda p: {**p, f"b_{gate}": change(p[f"b_{gate}"])}


def _swapped(one: str, other: str) -> Changes:
    """Two gates with each other's parameters."""
    swap = {one: other, other: one}
    return lambda p: {key: p[key[:2] + swap.get(key[2], key[2])] for key in p}


SAME: Changes = dict
CHANGES: dict[str, Changes] = {
    "bias on both products (added twice)": _each("b", lambda a: 2 * a),
    "recurrent matrices transposed": _each("U", lambda a: a.T),
    "bias left out": _each("b", lambda a: 0 * a),
    "no recurrence": _each("U", lambda a: 0 * a),
}
FAULTS = (BACKWARDS, CARRIED, LAST)


def _variant(form: dict[str, Any], change: Changes, fault: str) -> Maker:
    def make(s: LayerCase) -> Variant:
        one, masked = not s.config.get("return_sequences"), mask_of(s) is not None
        own = form_of(s)
        if (
            (fault == LAST and one)
            or (fault == CARRIED and len(s.x) < 2)
            or (fault in (UNMASKED, ZEROED) and not masked)
            or (form and own == own._replace(**form))
        ):
            return None
        return Recurrent(s, change(parameters(s)), own._replace(**form), fault)

    return make


def _returns(sequences: bool) -> Maker:
    """The other setting of return_sequences: another shape."""
    return lambda s: (
        None
        if bool(s.config.get("return_sequences")) == sequences
        else s.but(config={"return_sequences": sequences})
    )


def _table(forms: dict[str, Any], changes: dict[str, Changes]) -> dict[str, Maker]:
    """{name: maker} of one fault each."""
    return {
        **{name: _variant(form, SAME, "") for name, form in forms.items()},
        **{name: _variant({}, change, "") for name, change in changes.items()},
        **{fault: _variant({}, SAME, fault) for fault in (*FAULTS, UNMASKED, ZEROED)},
        "the last state only, without the sequence": _returns(False),
        "the whole sequence instead of its last state": _returns(True),
    }


ACTIVATED = {
    f"{name.replace('_', ' ')} as the activation": {"outer": GATES[name]} for name in ACTIVATIONS
}
TRUE, SWAP, TWICE = "true sigmoid gates", "z and 1 - z swapped", next(iter(CHANGES))
INNER = {
    TRUE: {"inner": GATES["sigmoid"]},
    "hard sigmoid gates": {"inner": GATES["hard_sigmoid"]},
    "hard sigmoid of slope 1/6": {"inner": GATES["hard sigmoid of slope 1/6"]},
}
SIMPLE = _table(ACTIVATED, CHANGES)
LSTM = _table(
    {
        **ACTIVATED,
        **INNER,
        "forget gate of 1 - i": {"coupled": True},
        "no activation of the cell at the output": {"bare": True},
    },
    {
        **CHANGES,
        **{
            f"{one} and {other} swapped": _swapped(one, other)
            for one, other in itertools.combinations("ifco", 2)
        },
        "1 added to the forget gate's bias": _of("f", lambda b: b + 1),
        "1 taken from the forget gate's bias": _of("f", lambda b: b - 1),
    },
)

# of a GRU, ports are known to make several faults at once
SWAPPED, RESET = {"keeps_z": False}, {"late_reset": True}
Z_R: dict[str, Changes] = {"z and r swapped": _swapped("z", "r")}
CHOICES: tuple[dict[str, Any], ...] = (
    {"": {}, **{name: INNER[name] for name in INNER if name != "hard sigmoid gates"}},
    {"": {}, SWAP: SWAPPED},
    {"": {}, "reset after the product": RESET},
    {"": SAME, **Z_R, **CHANGES},
    {fault: fault for fault in ("", *FAULTS)},
)
KNOWN = {
    frozenset({TRUE, SWAP}): "Chainer's own GRU (true sigmoid, z and 1 - z swapped)",
    frozenset({TRUE, SWAP, TWICE}): (
        "Chainer's own GRU (true sigmoid, z and 1 - z swapped, bias on both products)"
    ),
    frozenset({TRUE, "reset after the product"}): (
        "cuDNN's GRU, PyTorch's and Keras 2's reset_after (true sigmoid, reset after the product)"
    ),
}


def _combinations(most: int) -> dict[str, Maker]:
    """{name: maker} of every combination of at most so many of the faults above."""
    made = {}
    for choice in itertools.product(*(each.items() for each in CHOICES)):
        parts = [name for name, _ in choice if name]
        if 0 < len(parts) <= most:
            gate, swapped, reset, change, fault = (value for _, value in choice)
            name = KNOWN.get(frozenset(parts), " and ".join(parts))
            made[name] = _variant({**gate, **swapped, **reset}, change, fault)
    return made


GRU = {
    **_combinations(1),
    **_table({**ACTIVATED, "hard sigmoid gates": INNER["hard sigmoid gates"]}, {}),
}
COMBINED = {name: make for name, make in _combinations(3).items() if name not in GRU}
