"""The first limit: the verdict rules on a fresh document alone. No baseline moves it.

A known difference, a cell accepted by name and with a reason, does not count here, and stays
listed (see baseline.py).
"""

import sys

from parity.compare import verdict
from parity.gate.figures import number
from parity.gate.finding import WHOLE, Finding

RULES = {
    "isolated": {
        "rho_port": verdict.RHO_MOST,
        "q_port": verdict.Q_MOST,
        "rho_reference": verdict.RHO_MOST,
    },
    "chained": {"rho_local": verdict.RHO_MOST},
}
FINAL = (
    "final",
    "final",
    "over budget",
)  # the cell under which a final drift beyond its allowance is accepted


def budget(model, known=()):
    """Findings of one model's record, in parity.json's form. known : cells (layer, mode, verdict)
    which were accepted.
    """
    found, excused = [], False
    for layer in model["layers"]:
        for mode in RULES:
            cell = (layer["name"], mode, layer[mode]["verdict"])
            fault = _fault(layer, mode)
            excused = excused or bool(fault and cell in known)
            if fault and cell not in known and not (excused and cell[2] == verdict.INHERITED):
                found.append(Finding(model["name"], layer["name"], "budget", fault))
    found += _oracle(model) + ([] if FINAL in known else _final(model))
    if model["verdict"] != "HOLDS" and not found and not excused:
        found.append(
            Finding(model["name"], WHOLE, "budget", f"the run's verdict is {model['verdict']}")
        )
    return found


def broken_cells(model, layer):
    """(layer, mode, verdict) of what breaks the budget at `layer`, "final" for the final scores:
    what can be known.
    """
    if layer == "final":
        return [FINAL] if _final(model) else []
    records = [record for record in model["layers"] if record["name"] == layer]
    return [
        (layer, mode, record[mode]["verdict"])
        for record in records
        for mode in RULES
        if _fault(record, mode)
    ]


def _fault(layer, mode):
    """Why a cell breaks the budget, or None. Figures are looked at again: a word alone passes
    nothing.
    """
    cell, limits = layer[mode], RULES[mode]
    if cell["verdict"] == verdict.EXACT:
        return None
    over = {key: most for key, most in limits.items() if not number(cell[key]) <= most}
    if cell["verdict"] == verdict.ROUNDING:
        return f"{mode}: ROUNDING, but {_figures(cell, over)}" if over else None
    why = cell.get("message") or _figures(cell, over)
    return "; ".join(part for part in (f"{mode}: {cell['verdict']}", why) if part)


def _figures(cell, limits):
    return ", ".join(
        f"{key} {_short(cell[key])} (at most {most:g})" for key, most in limits.items()
    )


def _short(figure):
    return f"{figure:.3g}" if isinstance(figure, (int, float)) else str(figure)


def _oracle(model):
    """The oracle has to be what the original computes in float64: on it every other verdict
    rests.
    """
    worst = model["oracle_truth"]
    if number(worst["ratio"]) <= 1:
        return []
    text = (
        f"the oracle is {_short(worst['ratio'])} times as far from the float64 original as is "
        "allowed"
    )
    return [Finding(model["name"], worst["layer"] or WHOLE, "budget", text)]


def _final(model):
    """What rounding explains at the end is known of a run that was explained; of another, the last
    layer's cells speak for it.
    """
    final = model["final"]
    most = sys.float_info.max if final.get("allowed") is None else number(final["allowed"])
    if number(final["port_reference"]) <= most:
        return []
    text = (
        f"final scores are {_short(final['port_reference'])} from the original's, rounding "
        f"explains {_short(most)}"
    )
    return [Finding(model["name"], "final", "budget", text)]
