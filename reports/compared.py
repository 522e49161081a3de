"""Two runs side by side: what changed between them in verdicts, drift, weights and stacks, as one
record.
"""

import json
import math

from parity.reports import figures, html, summary
from parity.reports.verdicts import CELLS, MODELS, MODES

MAIN = {
    "isolated": "rho_port",
    "chained": "max_abs",
}  # the figure of each mode whose ratio is shown
FIGURES = {"isolated": html.ISOLATED, "chained": html.CHAINED}
ORDER = [*CELLS, *MODELS]  # either kind of word, from light to grave
# what is no difference (when, and how long it took), and what has a place of its own on the page
RUN_ASIDE = {"format", "created", "command", "verdict", "environment", "models"}
MODEL_ASIDE = {
    "name",
    "seconds",
    "verdict",
    "worst",
    "final",
    "layers",
    "stack",
    "weights",
    "clips",
    "oracle_truth",
    "first_divergence",
}
LONGEST = 80  # letters of a setting that has no words of its own


def compare(before, after):
    """What differs between two documents of format 1, as plain data; when they were made, and how
    long it took, is no difference.

    Returns {runs: [{data, verdict, created, command, port}, the same], settings: [{what, before,
    after}], models: [{name, only,
    verdict: [before, after], final, layers, of, also}]}. only: `before` or `after` where the other
    run has no such model; then
    nothing else is told of it. settings: all of a run or a model but its figures that is not the
    same. final: [{label, figure, ratio}]; layers: [{name, kind, isolated, chained, also}], only
    those with a change, a changed verdict first, then by ratio;
    isolated and chained: {verdict: [before, after], figure: [before, after], ratio} of MAIN; also:
    what else changed; of: how many layers there are. A layer that only one run has gets None on
    the other side. Ratios are after/before, None where there is none.
    """
    pairs = _paired(before["models"], after["models"])
    return {
        "runs": [
            {key: run[key] for key in ("data", "verdict", "created", "command", "port")}
            for run in (before, after)
        ],
        "settings": _settings(before, after, pairs),
        "models": [_model(name, *pair) for name, pair in pairs.items()],
    }


def is_same(found):
    """Whether nothing changed."""
    return not found["settings"] and not any(is_changed(model) for model in found["models"])


def is_changed(model):
    """Whether anything changed in a model of the comparison."""
    return bool(
        model["layers"]
        or model["final"]
        or model["also"]
        or model["only"]
        or model["verdict"][0] != model["verdict"][1]
    )


def turn(before, after):
    """`better`, `worse` or `other` of two verdict words; empty where they are the same or one has
    no partner.
    """
    if before is None or after is None or before == after:
        return ""
    first, second = (ORDER.index(word.partition("(")[0]) for word in (before, after))
    return "other" if first == second else "better" if second < first else "worse"


def fails(layer):
    """Whether a layer of the comparison does not hold in the later run."""
    return any(
        word not in (None, "EXACT", "ROUNDING")
        for word in (layer[mode]["verdict"][1] for mode in MODES)
    )


def _paired(before, after):
    """{name: (record or None, record or None)}, the order of `after`, then what only `before`
    has.
    """
    sides = [{record["name"]: record for record in records} for records in (before, after)]
    return {
        name: tuple(side.get(name) for side in sides)
        for name in (*sides[1], *(name for name in sides[0] if name not in sides[1]))
    }


def _settings(before, after, pairs):
    sides = (before, after)
    rows = [("data", *map(summary.data_sentence, sides))]
    rows += [
        (key, *(_word(run.get(key)) for run in sides))
        for key in _keys(*sides)
        if key not in {*RUN_ASIDE, "data"}
    ]
    rows += [
        (key, *(_word(run["environment"].get(key)) for run in sides))
        for key in _keys(*(run["environment"] for run in sides))
    ]
    for name, pair in pairs.items():
        rows += [
            (f"{what} of {name}", *map(tell, pair)) for what, tell in OF_A_MODEL if None not in pair
        ]
    return [
        dict(zip(("what", "before", "after"), row, strict=True)) for row in rows if row[1] != row[2]
    ]


OF_A_MODEL = (
    ("weights", lambda model: f"{model['weights']['file']} {model['weights']['sha256'][:12]}"),
    (
        "stack",
        lambda model: (
            f"Python {model['stack']['python']}, {summary.original(model)}, Theano "
            f"{model['stack']['theano']}, "
            f"{figures.flags(model['stack']['flags'])}"
        ),
    ),
    (
        "clips",
        lambda model: ", ".join(f"{clip['name']} {clip['sha256'][:12]}" for clip in model["clips"]),
    ),
    (
        "oracle against the original",
        lambda model: (
            f"{figures.percent(model['oracle_truth']['ratio'])} of what is allowed"
            f", most at {model['oracle_truth']['layer']}"
        ),
    ),
    ("first divergence", lambda model: model["first_divergence"] or "none"),
)


def _word(value):
    """A setting as text of bounded length; None where there is none."""
    return (
        None
        if value is None
        else figures.short(value if isinstance(value, str) else json.dumps(value), LONGEST)
    )


def _keys(*records):
    """Every key of any of the records, the last one's first and in its order."""
    return list(dict.fromkeys(key for record in reversed(records) for key in record))


def _model(name, before, after):
    sides = (before, after)
    if before is None or after is None:
        return {
            "name": name,
            "only": "after" if before is None else "before",
            "verdict": [side and side["verdict"] for side in sides],
            "of": len((after or before)["layers"]),
            "final": [],
            "layers": [],
            "also": [],
        }
    pairs = _paired(*(side["layers"] for side in sides))
    layers = [_layer(layer, *pair) for layer, pair in pairs.items()]
    final = [
        _figure(side["final"].get(key) for side in sides) | {"label": label}
        for key, label in summary.FINAL
    ]
    return {
        "name": name,
        "only": None,
        "verdict": [side["verdict"] for side in sides],
        "of": len(pairs),
        "final": [row for row in final if row["figure"][0] != row["figure"][1]],
        "layers": sorted(filter(_differs, layers), key=_least_alike),
        "also": [
            key
            for key in _keys(*sides)
            if key not in MODEL_ASIDE and before.get(key) != after.get(key)
        ],
    }


def _layer(name, before, after):
    sides = (before, after)
    cells = {
        mode: {
            "verdict": [side and side[mode]["verdict"] for side in sides],
            **_figure(side and side[mode][MAIN[mode]] for side in sides),
        }
        for mode in MODES
    }
    return {
        "name": name,
        "kind": (after or before)["kind"],
        **cells,
        "also": _also(before, after) if before and after else [],
    }


def _also(before, after):
    """What changed in a layer besides the figures that are shown: the figures' labels, then the
    names of all else.
    """
    told = {mode: {key: label for label, key, _ in FIGURES[mode]} for mode in MODES}
    cells = [
        f"{told[mode].get(key, key)} ({mode})"
        for mode in MODES
        for key in _keys(before[mode], after[mode])
        if key not in ("verdict", MAIN[mode]) and before[mode].get(key) != after[mode].get(key)
    ]
    changed = [
        key
        for key in _keys(before, after)
        if key not in MODES and before.get(key) != after.get(key)
    ]
    return cells + [
        f"{key} {_word(before[key])} → {_word(after[key])}"
        if key in ("kind", "shape", "dtype")
        else key
        for key in changed
    ]


def _differs(layer):
    pairs = [layer[mode][what] for mode in MODES for what in ("verdict", "figure")]
    return bool(layer["also"]) or any(first != second for first, second in pairs)


def _figure(pair):
    before, after = pair
    return {
        "figure": [before, after],
        "ratio": _ratio(figures.number(before), figures.number(after)),
    }


def _ratio(before, after):
    """after/before; 1 where both are 0, `inf` where only before is or it is too large, None where
    either is missing or not finite.
    """
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return None
    ratio = 1.0 if before == after else after / before if before else math.inf
    return ratio if math.isfinite(ratio) else "inf"


def _least_alike(layer):
    turns = [turn(*layer[mode]["verdict"]) for mode in MODES]
    ratios = [
        abs(math.log(ratio)) if ratio else math.inf
        for mode in MODES
        if (ratio := figures.number(layer[mode]["ratio"])) is not None
    ]
    return "worse" not in turns, not any(turns), -max(ratios, default=math.inf)
