"""What a cell says: how many elements, worst, where, allowed, whose fault, what to run."""

import math
import shlex

from parity.errors import visible
from parity.reports import Record, figures, probes
from parity.reports.figures import drift, number, ratio
from parity.reports.summary import original
from parity.reports.verdicts import Q_MOST, RHO_MOST, cause_name, meaning, passes

LISTED = 8  # channels named in a message
AGAIN = "reports/out/again"  # where a run goes that asks one layer again
EXCESS = "EXCESS ROUNDING"
# (at most this unit roundoff of the operands, what has it)
OPERANDS = ((2.0**-10, "TF32 or half precision"), (2.0**-8, "bfloat16"))
OPERANDS_LEAST = 2.0**-12
HEADLINES = {
    "NOT COMPARED": "was not compared with {original}",
    "INCOMPARABLE": "cannot be compared with {original}",
    "ORACLE-SUSPECT": "the oracle does not explain {original}, so the port is not judged",
    "MISBEHAVES": "the port agrees with {original}, and misbehaves",
    "NOT PROBED": "was not asked",
    "INHERITED": "the port's drift comes from an earlier layer, not from this one",
}


def cell_message(model: Record, layer: Record, mode: str) -> str:
    """The block about one cell, without a final newline; model, layer: records of parity.json."""
    verdict = probes.word(layer) if mode == "probed" else layer[mode]["verdict"]
    differs = HEADLINES.get(verdict, "the port differs from {original}")
    says = f"{verdict}, the port agrees with {{original}}" if passes(verdict) else differs
    lines = [
        f"{model['name']} / {layer['name']} ({mode}): {says.format(original=original(model))}",
        *_body(model, layer, mode),
        *([accepted(model, layer)] if verdict == EXCESS and mode != "probed" else []),
        f"reproduce: {reproduce(model, layer)}",
    ]
    return "\n  ".join(visible(line) for line in lines)


def _body(model: Record, layer: Record, mode: str) -> list[str]:
    if mode == "probed":
        asked, answers = probes.counts(layer["probed"])
        return [f"{answers:,} answers to {asked:,} questions", *probes.notes(layer["probed"])]
    cell, tensor = layer[mode], f"shape {figures.shape(layer['shape'])} {layer['dtype']}"
    if cell["verdict"] in ("NOT COMPARED", "INCOMPARABLE"):
        return [_reason(cell) or "no reason was recorded", *([tensor] if layer["shape"] else [])]
    lines = _isolated(layer, cell, tensor) if mode == "isolated" else _chained(cell, tensor)
    blame = [] if passes(cell["verdict"]) else _blame(model, layer, mode)
    remarks = [habit["text"] for habit in layer.get("habits", []) if not habit["fault"]]
    said = [cell["message"]] if cell.get("message") else []
    return lines + blame + said + [f"remark: it {text}" for text in remarks]


def _reason(cell: Record) -> str:
    """What the run itself said of a cell; empty where it said nothing."""
    return cell.get("message") or cell.get("fault") or ""


def _isolated(layer: Record, cell: Record, tensor: str) -> list[str]:
    elements = math.prod(layer["shape"] or [0])
    if cell["verdict"] == "EXACT":
        signed = cell.get("signed_zeros")
        zeros = f" ({signed} differ in the sign of zero)" if signed else ""
        return [f"all {elements} elements equal the original's{zeros}, {tensor}"]
    actual, expected = number(cell["worst_actual"]), number(cell["worst_expected"])
    worst = cell["max_abs"]
    if actual is not None and expected is not None:
        worst = abs(actual - expected)
    port, reference = figures.pair(actual, expected)
    return [
        f"{figures.cell(cell['beyond'])} of {elements} elements beyond rounding "
        f"({figures.percent(cell['beyond_share'])}), {tensor}",
        f"worst {drift(worst)} at {figures.place(cell['worst_index'], layer.get('axes'))}: port "
        f"{port}, original {reference}, rounding allows {drift(cell['worst_allowed'])} "
        f"(rho {ratio(cell['rho_port'])})",
    ]


def _chained(cell: Record, tensor: str) -> list[str]:
    return [
        f"drift at most {drift(cell['max_abs'])} (rms {drift(cell['rms'])}), the original's own "
        f"noise {drift(cell.get('noise_max_abs'))}, {tensor}",
        f"inherited {drift(cell['inherited'])}, made here {drift(cell['local'])} "
        f"(rho {ratio(cell['rho_local'])} of this layer alone)",
    ]


def _blame(model: Record, layer: Record, mode: str) -> list[str]:
    cell = layer[mode]
    if cell["verdict"] == "INHERITED":
        where = model["first_divergence"] or "an earlier layer"
        return [f"this layer agrees where its input does; the fault is in {where}"]
    if cell["verdict"] == "ORACLE-SUSPECT":
        return [
            f"the original itself is beyond its own rounding (rho "
            f"{ratio(layer['isolated']['rho_reference'])}): its formula or stack is not the one "
            "declared"
        ]
    whose = {
        "isolated": "its input agrees, so the fault is in this layer",
        "chained": "made here, whatever its input",
    }
    why = evidence(layer) or f"{cell['verdict']}: {meaning(cell['verdict'])}"
    if cell["verdict"] == EXCESS:
        why += f"; {excess(cell)}"
    structure = cell.get("structure") or {}
    where = cell.get("support") or ""
    told = {
        "where": where["text"] if isinstance(where, dict) else where,
        "structure": structure_text(structure) if structure.get("structured") else "",
    }
    support = [f"{label}: {text}" for label, text in told.items() if text]
    return [f"{whose[mode]}; {why}", *support]


def excess(cell: Record) -> str:
    """A layer that rounds too much: its figures beside their limits, and what it most likely is."""
    q, rho = ratio(cell.get("q_port")), ratio(cell.get("rho_port", cell.get("rho_local")))
    u_in = number(cell.get("u_in")) or 0.0
    formats = [name for most, name in OPERANDS if OPERANDS_LEAST <= u_in <= most]
    likely = "a long sum in one accumulator"
    if formats:
        likely = f"operands of reduced precision ({formats[0]})"
    return f"q {q} (limit {Q_MOST:g}), rho {rho} (limit {RHO_MOST:g}), most likely {likely}"


def accepted(model: Record, layer: Record) -> str:
    """How to let a known difference be."""
    names = f"--model {shlex.quote(model['name'])} --layer {shlex.quote(layer['name'])}"
    return f"meant to be so? parity gate accept {names} --accept-worse --reason WHY"


def cause(layer: Record, mode: str) -> str:
    """Why a cell does not hold: the named formula, the run's words, or the verdict's meaning."""
    if mode == "probed":
        return figures.sentence(probes.cause(layer) or meaning(probes.word(layer)))
    if named := cause_name(layer):
        return f"Explained by: {named}{as_well(layer)}."
    unnamed = "; none of the formulas tried explains it" if layer["cause"] else ""
    return figures.sentence(_reason(layer[mode]) or meaning(layer[mode]["verdict"]) + unnamed)


def cause_in_brief(model: Record, layer: Record, mode: str, most: int) -> str:
    """The same in at most `most` letters; empty for a cell that holds."""
    cell, named = layer[mode], cause_name(layer)
    if passes(cell["verdict"]):
        return ""
    if cell["verdict"] == "INHERITED":
        return f"from {model['first_divergence'] or 'an earlier layer'}"
    if named:
        more = len(layer["cause"].get("survivors") or ()) - 1
        return named + (f" (or {more} more)" if more > 0 else "")
    if cell["verdict"] == EXCESS:
        return figures.short(excess(cell), most)
    tried = cell["verdict"] in ("FORMULA(unnamed)", "GROSS")
    return figures.short(
        _reason(cell) or (UNEXPLAINED if tried else meaning(cell["verdict"])), most
    )


UNEXPLAINED = "no formula tested explains it"


def evidence(layer: Record, others: bool = True) -> str:
    """The named cause of a layer, `explained by: ... (R2 1.000)`, with all others that explain it;
    empty where none is known.
    """
    if not (named := cause_name(layer)):
        return ""
    r2 = number(layer["cause"]["r2"])
    found = f"explained by: {named}" + ("" if r2 is None else f" (R2 {r2:.3f})")
    return found + as_well(layer) * others


def as_well(layer: Record) -> str:
    """The other formulas that explain a layer, once each, as the end of a sentence."""
    survivors = layer["cause"].get("survivors") or ()
    names = dict.fromkeys(each if isinstance(each, str) else each["name"] for each in survivors)
    names.pop(cause_name(layer), None)
    return f"; as well by: {', '.join(names)}" if names else ""


def structure_text(structure: Record) -> str:
    """The gains and offsets that whole channels share."""
    return "; ".join(filter(None, (_effect(structure, each) for each in ("gain", "offset"))))


def _effect(structure: Record, effect: str) -> str:
    strongest, limit, t = (structure.get(effect + end) for end in ("", "_limit", "_t"))
    if strongest is None:
        return ""
    channels = structure.get(f"{effect}_channels") or []
    listed = ", ".join(map(str, channels[:LISTED])) + ", ..." * (len(channels) > LISTED)
    which = figures.counted(len(channels), "channel") + (f" ({listed})" if listed else "")
    return (
        f"{effect} in {which}, strongest {drift(strongest)} (allowed {drift(limit)}, t {ratio(t)})"
    )


def reproduce(model: Record, layer: Record) -> str:
    """The command that compares and asks one layer again, and writes elsewhere."""
    named = f"parity run --out {AGAIN} --model {shlex.quote(model['name'])}"
    seed = f" --seed {model['probes']['seed']}" if model.get("probes") else ""
    return f"{model.get('again') or named} --layer {shlex.quote(layer['name'])}{seed}"
