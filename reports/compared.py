"""Two runs side by side: what changed between them in verdicts, drift, weights and stacks."""

import json
import math
from collections.abc import Iterable
from typing import Any

from parity.reports import Figure, Record, figures, html, summary
from parity.reports.verdicts import MODES, gravity

MAIN = {"isolated": "rho_port", "chained": "max_abs"}  # the figure of each mode that is shown
# what is no difference (when, and how long it took), and what has a place of its own on the page
RUN_ASIDE = set("format created command verdict environment models data".split())
MODEL_ASIDE = set(
    "name seconds verdict worst final layers stack weights clips oracle_truth "
    "first_divergence again".split()
)
LONGEST = 80  # letters of a setting that has no words of its own
Pair = tuple[Record | None, Record | None]


def compare(before: Record, after: Record) -> Record:
    """What differs between two documents, as plain data.

    runs: [{data, verdict, created, command, port}] of both; settings: [{what, before, after}], all
    of a run or a model but its figures that differs; models: [{name, only, verdict, final, layers,
    of, also}]. only: `before` or `after` where the other run lacks the model; final: [{label,
    figure, ratio}]; layers: [{name, kind, isolated, chained, also}], those that changed, first by
    verdict, then by ratio; isolated, chained: {verdict, figure, ratio} of MAIN; also: names of what
    else changed; of: the number of layers. Verdicts and figures are pairs [before, after], None
    where a run has no such layer. Ratios are after/before, None where there is none.
    """
    pairs = _paired(before["models"], after["models"])
    told = ("data", "verdict", "created", "command", "port")
    return {
        "runs": [{key: run[key] for key in told} for run in (before, after)],
        "settings": _settings(before, after, pairs),
        "models": [_model(name, *pair) for name, pair in pairs.items()],
    }


def is_same(found: Record) -> bool:
    """Whether nothing changed."""
    return not found["settings"] and not any(map(is_changed, found["models"]))


def is_changed(model: Record) -> bool:
    """Whether anything changed in a model of the comparison."""
    first, second = model["verdict"]
    return first != second or any(model[key] for key in ("layers", "final", "also", "only"))


def turn(before: str | None, after: str | None) -> str:
    """`better`, `worse` or `other` of two verdicts; empty where they are equal or one is None."""
    if before is None or after is None or before == after:
        return ""
    first, second = map(gravity, (before, after))
    return "other" if first == second else "better" if second < first else "worse"


def fails(layer: Record) -> bool:
    """Whether a layer of the comparison does not hold in the later run by its own fault."""
    words = (layer[mode]["verdict"][1] for mode in MODES)
    return any(
        word not in (None, "EXACT", "ROUNDING", "ALLOWED TRANSFORM", "INHERITED") for word in words
    )


def state(layer: Record) -> str:
    """What the filter finds it by: `fail`, `holds`, or neither where it only inherits."""
    handed = any(layer[mode]["verdict"][1] == "INHERITED" for mode in MODES)
    return "fail" if fails(layer) else "" if handed else "holds"


def _paired(before: list[Record], after: list[Record]) -> dict[str, Pair]:
    """{name: (record or None, record or None)}, in the order of `after`, then of `before`."""
    first, second = ({record["name"]: record for record in side} for side in (before, after))
    return {name: (first.get(name), second.get(name)) for name in second | first}


def _settings(before: Record, after: Record, pairs: dict[str, Pair]) -> list[Record]:
    sides = (before, after)
    rows: list[tuple[str | None, ...]] = [("data", *map(summary.data_sentence, sides))]
    for records, aside in ((sides, RUN_ASIDE), ([run["environment"] for run in sides], set())):
        keys = (key for key in _keys(*records) if key not in aside)
        rows += [(key, *(_word(record.get(key)) for record in records)) for key in keys]
    for name, pair in pairs.items():
        first, second = map(_told, pair)
        rows += [(f"{what} of {name}", first[what], second[what]) for what in first if second]
    return [
        dict(zip(("what", "before", "after"), row, strict=True)) for row in rows if row[1] != row[2]
    ]


def _told(model: Record | None) -> dict[str, str]:
    """What a model was measured with, each in words; empty where a run has no such model."""
    if model is None:
        return {}
    stack, truth, weights = model["stack"], model["oracle_truth"], model["weights"]
    versions = f"Python {stack['python']}, {summary.original(model)}, Theano {stack['theano']}"
    return {
        "weights": f"{weights['file']} {weights['sha256'][:12]}",
        "stack": f"{versions}, {figures.flags(stack['flags'])}",
        "clips": ", ".join(f"{clip['name']} {clip['sha256'][:12]}" for clip in model["clips"]),
        "oracle against the original": f"{figures.percent(truth['ratio'])} of what is allowed, "
        f"most at {truth['layer']}",
        "first divergence": model["first_divergence"] or "none",
    }


def _word(value: object) -> str | None:
    """A setting as text of bounded length."""
    if value is None:
        return None
    return figures.short(value if isinstance(value, str) else json.dumps(value), LONGEST)


def _keys(*records: Record) -> list[str]:
    """Every key of any of the records, the last one's first and in its order."""
    return list(dict.fromkeys(key for record in reversed(records) for key in record))


def _model(name: str, before: Record | None, after: Record | None) -> Record:
    sides = (before, after)
    found: Record = {
        "name": name,
        "only": "after" if before is None else "before" if after is None else None,
        "verdict": [side and side["verdict"] for side in sides],
        "of": len((after or before or {})["layers"]),
        "final": [],
        "layers": [],
        "also": [],
    }
    if before is None or after is None:
        return found
    pairs = _paired(before["layers"], after["layers"])
    layers = [_layer(layer, *pair) for layer, pair in pairs.items()]
    final = [
        _figure(before["final"].get(key), after["final"].get(key)) | {"label": label}
        for key, label in summary.FINAL
    ]
    return found | {
        "of": len(pairs),
        "final": [row for row in final if row["figure"][0] != row["figure"][1]],
        "layers": sorted(filter(_differs, layers), key=_least_alike),
        "also": _changed(before, after, MODEL_ASIDE),
    }


def _changed(before: Record, after: Record, aside: Iterable[str]) -> list[str]:
    """The keys of two records whose values are not the same."""
    keys = (key for key in _keys(before, after) if key not in aside)
    return [key for key in keys if before.get(key) != after.get(key)]


def _layer(name: str, before: Record | None, after: Record | None) -> Record:
    sides: list[Any] = [before, after]
    cells = {
        mode: {
            "verdict": [side and side[mode]["verdict"] for side in sides],
            **_figure(*(side and side[mode][key] for side in sides)),
        }
        for mode, key in MAIN.items()
    }
    kind = (after or before or {})["kind"]
    also = _also(before, after) if before and after else []
    return {"name": name, "kind": kind, **cells, "also": also}


def _also(before: Record, after: Record) -> list[str]:
    """What changed in a layer besides the figures that are shown: other figures, then all else."""
    told = {mode: {key: label for label, key, _ in rows} for mode, rows in html.FIGURES.items()}
    cells = [
        f"{told[mode].get(key, key)} ({mode})"
        for mode in MODES
        for key in _changed(before[mode], after[mode], ("verdict", MAIN[mode]))
    ]
    return cells + [
        f"{key} {_word(before[key])} → {_word(after[key])}"
        if key in ("kind", "shape", "dtype")
        else key
        for key in _changed(before, after, MODES)
    ]


def _differs(layer: Record) -> bool:
    pairs = [layer[mode][what] for mode in MODES for what in ("verdict", "figure")]
    return bool(layer["also"]) or any(first != second for first, second in pairs)


def _figure(before: Figure, after: Figure) -> Record:
    ratio = _ratio(figures.number(before), figures.number(after))
    return {"figure": [before, after], "ratio": ratio}


def _ratio(before: float | None, after: float | None) -> Figure:
    """after/before, 1 for 0/0; `inf` beyond all numbers, None where a side is not finite."""
    if before is None or after is None or not (math.isfinite(before) and math.isfinite(after)):
        return None
    ratio = 1.0 if before == after else after / before if before else math.inf
    return ratio if math.isfinite(ratio) else "inf"


def _least_alike(layer: Record) -> tuple[bool, bool, float]:
    turns = [turn(*layer[mode]["verdict"]) for mode in MODES]
    ratios = [figures.number(layer[mode]["ratio"]) for mode in MODES]
    sizes = [abs(math.log(ratio)) if ratio else math.inf for ratio in ratios if ratio is not None]
    return "worse" not in turns, not any(turns), -max(sizes, default=math.inf)
