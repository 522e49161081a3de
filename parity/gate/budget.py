"""The first limit: the verdict rules on a fresh run alone. No baseline moves it.

A known difference, a cell accepted by name and with a reason, does not count here and stays listed.
"""

import sys
from collections.abc import Collection, Iterator
from dataclasses import replace

from parity import results
from parity.compare import verdict
from parity.document import model_verdict
from parity.gate.baseline import number
from parity.gate.outcome import WHOLE, Json, Pairs
from parity.reports import probes
from parity.reports.summary import PROBED
from parity.results import ALLOWED, EXACT, HELD, INHERITED, NOT_COMPARED, ROUNDING, Model
from parity.schema import typed

Cell = tuple[str, str, str]  # layer, mode, verdict
RULES = {
    "isolated": {
        "rho_port": verdict.RHO_MOST,
        "q_port": verdict.Q_MOST,
        "rho_reference": verdict.RHO_MOST,
    },
    "chained": {"rho_local": verdict.RHO_MOST},
}
# Where probes have shown the function, real inputs may stray up to the certain bound.
PROVED = {"rho_det": 1.0, "rho_port": sys.float_info.max}
# The cell under which a final drift beyond its allowance is accepted.
FINAL: Cell = ("final", "final", "over budget")


def budget(record: Json, known: Collection[Cell] = ()) -> list[tuple[str, str]]:
    """(layer, what is wrong) of a model's record; `known` cells were accepted."""
    found, excused = [], False
    for cell, fault in _faults(record):
        if cell in known:
            excused = True
        elif not (excused and cell[2] == INHERITED):
            found.append((cell[0], fault))
    found += [*_oracle(record), *(() if FINAL in known else _final(record))]
    call = (record.get("probes") or {}).get("call")
    if call and record["verdict"] != HELD:
        found.append((WHOLE, call))
    says = model_verdict(typed(Model, record))
    if not found and not excused and {record["verdict"], says} != {HELD}:
        other = "" if says == record["verdict"] else f", and its figures say {says}"
        found.append((WHOLE, f"the run's verdict is {record['verdict']}{other}"))
    return found


def broken_cells(record: Json, layer: str) -> list[Cell]:
    """The cells that break the budget at `layer`, "final" for the final scores."""
    if layer == "final":
        return [FINAL for _ in _final(record)]
    return [cell for cell, _ in _faults(record) if cell[0] == layer]


def _faults(record: Json) -> Iterator[tuple[Cell, str]]:
    """Every cell that breaks the budget, and why. A word alone passes nothing: figures count."""
    upstream_holds = True
    for layer, found in zip(record["layers"], typed(Model, record).layers, strict=True):
        for mode, limits in RULES.items():
            cell = layer[mode]
            word, figures = cell["verdict"], getattr(found, mode)
            if word == ALLOWED:
                limits = {"rho_transform": 1.0}
            if cell.get("proved"):
                limits = {**limits, **PROVED}
                limits.pop("q_port", None)
            over = ", ".join(
                f"{key} {_short(cell[key])} (at most {most:g})"
                for key, most in limits.items()
                if not number(cell[key]) <= most
            )
            says = _verdict_of(figures, upstream_holds or mode == "isolated")
            better = verdict.severity(word) < verdict.severity(says)
            beyond = cell["beyond"] if number(cell["rho_port"]) <= verdict.RHO_MOST else 0
            if word in (ROUNDING, ALLOWED) or better or beyond:
                over = over or (f"its figures say {says}" if better else "")
                over = over or (f"{beyond:,} elements beyond, and no rho is" if beyond else "")
                why = over and f"{word}, but {over}"
            else:
                why = word != EXACT and "; ".join(filter(None, (word, cell.get("message") or over)))
            if why:
                yield (layer["name"], mode, word), f"{mode}: {why}"
        if probes.fails(layer):
            word = probes.word(layer)
            why = "; ".join(probes.faults(layer["probed"])) or word
            yield (layer["name"], PROBED, word), f"probed: {why}"
        upstream_holds &= verdict.holds(found.chained.verdict)


def _verdict_of(cell: results.Cell, upstream_holds: bool) -> str:
    """What a cell's figures amount to, whatever its word."""
    exact = bool(cell.bitwise_equal) or cell.rho_port == 0  # the original's, or the oracle's own
    try:
        return verdict.judge(replace(cell, exact=exact, fault=cell.fault or ""), upstream_holds)
    except TypeError:  # a figure is not there
        return NOT_COMPARED


def _short(figure: object) -> str:
    return f"{figure:.3g}" if isinstance(figure, (int, float)) else str(figure)


def _oracle(record: Json) -> Pairs:
    """Every other verdict rests on the oracle being what the original computes in float64."""
    worst = record["oracle_truth"]
    if not number(worst["ratio"]) <= 1:
        far = _short(worst["ratio"])
        yield (
            worst["layer"] or WHOLE,
            f"the oracle is {far} times as far from the float64 original as is allowed",
        )


def _final(record: Json) -> Pairs:
    """An unexplained run does not say what rounding explains; its last layer's cells do."""
    final = record["final"]
    most = sys.float_info.max if final.get("allowed") is None else number(final["allowed"])
    if not number(final["port_reference"]) <= most:
        drift = _short(final["port_reference"])
        yield (
            "final",
            f"final scores are {drift} from the original's, rounding explains {_short(most)}",
        )
