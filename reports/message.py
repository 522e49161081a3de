"""What one cell says when it does not hold: a block that tells how many, worst, where, allowed,
whose fault and what to run.
"""

import math
import shlex

from parity.reports import figures
from parity.reports.figures import visible
from parity.reports.summary import original
from parity.reports.verdicts import meaning, passes

LISTED = 8  # channels named in a message
HEADLINES = {
    "NOT COMPARED": "was not compared with {original}",
    "INCOMPARABLE": "cannot be compared with {original}",
    "ORACLE-SUSPECT": "the oracle does not explain {original}, so the port is not judged",
    "INHERITED": "the port's drift comes from an earlier layer, not from this one",
}


def cell_message(model, layer, mode):
    """The block about one cell, no final newline; `model` and `layer` are records of parity.json,
    mode isolated or chained.
    """
    cell = layer[mode]
    lines = [
        _headline(model, layer, mode),
        *_body(model, layer, mode, cell),
        f"reproduce: {reproduce(model, layer)}",
    ]
    return "\n  ".join(visible(line) for line in lines)


def _headline(model, layer, mode):
    verdict = layer[mode]["verdict"]
    agrees = f"{verdict}, the port agrees with {{original}}"
    says = agrees if passes(verdict) else HEADLINES.get(verdict, "the port differs from {original}")
    return f"{model['name']} / {layer['name']} ({mode}): {says.format(original=original(model))}"


def _body(model, layer, mode, cell):
    if cell["verdict"] in ("NOT COMPARED", "INCOMPARABLE"):
        reason = cell.get("message") or cell.get("fault") or "no reason was recorded"
        return [reason, *([_tensor(layer)] if layer["shape"] else [])]
    lines = _isolated(layer, cell) if mode == "isolated" else _chained(layer, cell)
    blame = [] if passes(cell["verdict"]) else _blame(model, layer, mode, cell)
    return lines + blame + ([cell["message"]] if cell.get("message") else [])


def _isolated(layer, cell):
    elements = math.prod(layer["shape"] or [0])
    if cell["verdict"] == "EXACT":
        zeros = (
            f" ({cell['signed_zeros']} differ in the sign of zero)"
            if cell.get("signed_zeros")
            else ""
        )
        return [f"all {elements} elements equal the original's{zeros}, {_tensor(layer)}"]
    actual, expected = figures.pair(cell["worst_actual"], cell["worst_expected"])
    return [
        f"{figures.count(cell['beyond'])} of {elements} elements beyond rounding "
        f"({figures.percent(cell['beyond_share'])}), {_tensor(layer)}",
        f"worst {figures.drift(_difference(cell))} at "
        f"{figures.place(cell['worst_index'], layer['kind'])}: port {actual}, "
        f"original {expected}, rounding allows {figures.drift(cell['worst_allowed'])} "
        f"(rho {figures.ratio(cell['rho_port'])})",
    ]


def _difference(cell):
    """|port - original| where rounding explains least; the largest anywhere, if that place is not
    known.
    """
    actual, expected = figures.number(cell["worst_actual"]), figures.number(cell["worst_expected"])
    return cell["max_abs"] if actual is None or expected is None else abs(actual - expected)


def _chained(layer, cell):
    return [
        f"drift at most {figures.drift(cell['max_abs'])} (rms "
        f"{figures.drift(cell['rms'])}), the original's own noise "
        f"{figures.drift(cell.get('noise_max_abs'))}, {_tensor(layer)}",
        f"inherited {figures.drift(cell['inherited'])}, made here {figures.drift(cell['local'])} "
        f"(rho {figures.ratio(cell['rho_local'])} of this layer alone)",
    ]


def _tensor(layer):
    return f"shape {figures.shape(layer['shape'])} {layer['dtype']}"


def _blame(model, layer, mode, cell):
    if cell["verdict"] == "INHERITED":
        return [
            (
                "this layer agrees where its input does; the fault is in "
                f"{model['first_divergence'] or 'an earlier layer'}"
            )
        ]
    if cell["verdict"] == "ORACLE-SUSPECT":
        rho = figures.ratio(layer["isolated"]["rho_reference"])
        return [
            (
                f"the original itself is beyond its own rounding (rho {rho}): its formula or "
                "stack is not the one declared"
            )
        ]
    whose = (
        "its input agrees, so the fault is in this layer"
        if mode == "isolated"
        else "made here, whatever its input"
    )
    why = evidence(layer) or f"{cell['verdict']}: {meaning(cell['verdict'])}"
    return [f"{whose}; {why}", *_support(cell)]


def cause(layer, mode):
    """Why a cell does not hold, in a sentence: the named formula, what the run said of it, or what
    its verdict means.
    """
    named, said = (
        (layer["cause"] or {}).get("hypothesis"),
        layer[mode].get("message") or layer[mode].get("fault"),
    )
    if named:
        return f"Explained by: {named}."
    means = meaning(layer[mode]["verdict"]) + (
        "; none of the formulas tried explains it" if layer["cause"] else ""
    )
    return figures.sentence(said or means)


def evidence(layer):
    """The named cause of a layer, `explained by: ... (R2 1.000)`; empty where none is known."""
    cause = layer["cause"]
    if not cause or not cause["hypothesis"]:
        return ""
    r2 = figures.number(cause["r2"])
    return f"explained by: {cause['hypothesis']}" + ("" if r2 is None else f" (R2 {r2:.3f})")


def _support(cell):
    """Where the difference sits and what pattern hides under the allowance, as the run described
    them.
    """
    said = (
        ("where", support_text(cell)),
        ("structure", structure_text(cell) if structured(cell) else ""),
    )
    return [f"{label}: {text}" for label, text in said if text]


def support_text(cell):
    """Where the elements beyond rounding are, in words; empty where there are none."""
    support = cell.get("support") or ""
    return support["text"] if isinstance(support, dict) else support


def structured(cell):
    """Whether whole channels share a gain or an offset that rounding would have averaged out."""
    return bool((cell.get("structure") or {}).get("structured"))


def structure_text(cell):
    """The gains and offsets that whole channels share: how many, which, the strongest against its
    limit; and a weight that is off.
    """
    return "; ".join(
        filter(
            None,
            (
                *(_effect(cell["structure"], effect) for effect in ("gain", "offset")),
                _tap(cell["structure"]),
            ),
        )
    )


def _tap(structure):
    tap = structure.get("tap")
    if not tap:
        return ""
    kernel, channel, row, column = tap["at"]
    return (
        f"one weight off (filter {kernel}, channel {channel}, row {row}, column {column}) "
        f"by {figures.drift(tap['change'])}, "
        f"t {figures.ratio(tap['t'])}"
    )


def _effect(structure, effect):
    strongest, limit = structure.get(effect), structure.get(f"{effect}_limit")
    channels = structure.get(f"{effect}_channels") or []
    if strongest is None:
        return ""
    listed = ", ".join(map(str, channels[:LISTED])) + (", ..." if len(channels) > LISTED else "")
    which = f"in {len(channels)} channel{'s' * (len(channels) != 1)}" + (
        f" ({listed})" if listed else ""
    )
    t = figures.ratio(structure.get(f"{effect}_t"))
    return (
        f"{effect} {which}, strongest {figures.drift(strongest)} (allowed "
        f"{figures.drift(limit)}, t {t})"
    )


def reproduce(model, layer):
    """The command that compares one layer again."""
    return f"make parity MODEL={shlex.quote(model['name'])} LAYER={shlex.quote(layer['name'])}"
