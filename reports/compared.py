"""Two runs side by side: what changed between them in verdicts, drift, weights and stacks; as one record, as text and as a page."""

import math

from reports import figures, html, summary
from reports.figures import counted, visible
from reports.verdicts import CELLS, MODELS, MODES

MAIN = {"isolated": "rho_port", "chained": "max_abs"}  # the figure of each mode whose ratio is shown
FIGURES = {"isolated": html.ISOLATED, "chained": html.CHAINED}
NOTHING = "nothing changed"
ORDER = [*CELLS, *MODELS]  # either kind of word, from light to grave


def compare(before, after):
    """What differs between two documents of format 1, as plain data; when they were made, and how long it took, is no difference.

    Returns {runs: [{data, verdict, created, command, port}, the same], settings: [{what, before, after}], models: [{name,
    verdict: [before, after], final, layers, of}]}. settings: data, port, weights, stacks, clips and environment that are not the
    same. final: [{label, before, after, ratio}]; layers: [{name, kind, isolated, chained, also}], only those with a change, a
    changed verdict first, then by ratio; isolated and chained: {verdict: [before, after], figure: [before, after], ratio} of
    MAIN; also: labels of other figures that changed; of: how many layers there are. A name that only one run has gets None on
    the other side. Ratios are after/before, None where there is none.
    """
    pairs = _paired(before["models"], after["models"])
    return {"runs": [{key: run[key] for key in ("data", "verdict", "created", "command", "port")} for run in (before, after)],
            "settings": _settings(before, after, pairs), "models": [_model(name, *pair) for name, pair in pairs.items()]}


def is_same(found):
    """Whether nothing changed."""
    return not found["settings"] and not any(_is_changed(model) for model in found["models"])


def turn(before, after):
    """`better`, `worse` or `other` of two verdict words; empty where they are the same or one has no partner."""
    if before is None or after is None or before == after:
        return ""
    first, second = (ORDER.index(word.partition("(")[0]) for word in (before, after))
    return "other" if first == second else "better" if second < first else "worse"


def sentence(found):
    """The whole comparison in a sentence."""
    layers = counted(sum(model["of"] for model in found["models"]), "layer")
    if is_same(found):
        return f"{NOTHING}: {counted(len(found['models']), 'model')}, {layers}, the same verdicts, figures, weights and stacks."
    pairs = [layer[mode]["verdict"] for model in found["models"] for layer in model["layers"] for mode in MODES]
    changed = [turn(*pair) for pair in pairs if pair[0] != pair[1]]
    first, second = (run["verdict"] for run in found["runs"])
    return "; ".join([
        f"{first} in both" if first == second else f"{first} before, {second} after",
        f"{counted(len(changed), 'verdict')} changed" + _turns(changed),
        f"figures changed in {sum(len(model['layers']) for model in found['models'])} of {layers}",
        f"{counted(len(found['settings']), 'setting')} changed."])


def _turns(changed):
    """` (1 better, 2 worse)`; empty where no verdict changed."""
    told = ", ".join(f"{changed.count(word)} {word}" for word in ("better", "worse") if word in changed)
    return f" ({told})" if told else ""


def text(found, most=12):
    """A few lines for a terminal: the sentence, the settings, then the layers, at most `most`."""
    settings = [f"{row['what']}: {row['before'] or figures.ABSENT} -> {row['after'] or figures.ABSENT}" for row in found["settings"]]
    layers = [_line(model, layer) for model in found["models"] for layer in model["layers"]]
    more = [f"{counted(len(layers) - most, 'more layer')} in the page"] if len(layers) > most else []
    return "\n".join(map(visible, [sentence(found), *settings, *layers[:most], *more])) + "\n"


def page(found):
    """The comparison as one self-contained page, byte-identical for the same two documents."""
    return html.draw("compared.html.j2", found, "compared.json", found=found, sentence=sentence(found), is_same=is_same(found),
                     is_changed=_is_changed, turn=turn, main=MAIN)


def _paired(before, after):
    """{name: (record or None, record or None)}, the order of `after`, then what only `before` has."""
    sides = [{record["name"]: record for record in records} for records in (before, after)]
    return {name: tuple(side.get(name) for side in sides) for name in (*sides[1], *(name for name in sides[0] if name not in sides[1]))}


def _settings(before, after, pairs):
    rows = [("data", *(summary.data_sentence(run) for run in (before, after))), ("port", before["port"], after["port"])]
    rows += [(name, *(_word(run["environment"].get(name)) for run in (before, after)))
             for name in sorted({*before["environment"], *after["environment"]})]
    for name, pair in pairs.items():
        for what, tell in OF_A_MODEL:
            rows.append((f"{what} of {name}", *(model and tell(model) for model in pair)))
    return [dict(zip(("what", "before", "after"), row, strict=True)) for row in rows if row[1] != row[2]]


OF_A_MODEL = (
    ("weights", lambda model: f"{model['weights']['file']} {model['weights']['sha256'][:12]}"),
    ("stack", lambda model: f"Python {model['stack']['python']}, {summary.original(model)}, Theano {model['stack']['theano']}, "
                            f"{figures.flags(model['stack']['flags'])}"),
    ("clips", lambda model: ", ".join(f"{clip['name']} {clip['sha256'][:12]}" for clip in model["clips"])),
)


def _word(value):
    return None if value is None else str(value)


def _model(name, before, after):
    sides = [side or {"verdict": None, "layers": [], "final": {}} for side in (before, after)]
    pairs = _paired(*(side["layers"] for side in sides))
    layers = [_layer(layer, *pair) for layer, pair in pairs.items() if _differs(*pair)]
    final = [_figure(side["final"].get(key) for side in sides) | {"label": label} for key, label in summary.FINAL]
    return {"name": name, "verdict": [side["verdict"] for side in sides], "of": len(pairs),
            "final": [row for row in final if row["figure"][0] != row["figure"][1]], "layers": sorted(layers, key=_least_alike)}


def _differs(before, after):
    return before is None or after is None or any(_changed(before, after, mode) or before[mode]["verdict"] != after[mode]["verdict"]
                                                  for mode in MODES)


def _changed(before, after, mode):
    """Labels of the figures of one mode that are not the same."""
    return [label for label, key, _ in FIGURES[mode] if before[mode].get(key) != after[mode].get(key)]


def _layer(name, before, after):
    sides, also = (before, after), []
    if before and after:
        shown = {label for mode in MODES for label, key, _ in FIGURES[mode] if key == MAIN[mode]}
        also = [f"{label} ({mode})" for mode in MODES for label in _changed(before, after, mode) if label not in shown]
    cells = {mode: {"verdict": [side and side[mode]["verdict"] for side in sides],
                    **_figure(side and side[mode][MAIN[mode]] for side in sides)} for mode in MODES}
    return {"name": name, "kind": (after or before)["kind"], **cells, "also": also}


def _figure(pair):
    before, after = pair
    return {"figure": [before, after], "ratio": _ratio(figures.number(before), figures.number(after))}


def _ratio(before, after):
    """after/before; 1 where both are 0, `inf` where only before is, None where either is missing or not finite."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return None
    return 1.0 if before == after else after / before if before else "inf"


def _least_alike(layer):
    turns = [turn(*layer[mode]["verdict"]) for mode in MODES]
    ratios = [abs(math.log(ratio)) if ratio else math.inf for mode in MODES if (ratio := figures.number(layer[mode]["ratio"])) is not None]
    return "worse" not in turns, not any(turns), -max(ratios, default=math.inf)


def _is_changed(model):
    return bool(model["layers"] or model["final"] or model["verdict"][0] != model["verdict"][1])


def _line(model, layer):
    cells = [_cell(mode, layer[mode]) for mode in MODES]
    return f"{model['name']} / {layer['name']}: {'; '.join(cells)}"


def _cell(mode, cell):
    before, after = (figures.ABSENT if word is None else word for word in cell["verdict"])
    words = before if before == after else f"{before} -> {after}"
    write = figures.allowance if mode == "isolated" else figures.drift
    return f"{mode} {words}, {' -> '.join(map(write, cell['figure']))}" + (f" ({figures.times(cell['ratio'])})" if cell["ratio"] else "")
