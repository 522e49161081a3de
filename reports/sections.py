"""What the sections after the networks draw: rows and charts from microscope.json and faults.json
(the rest is in findings).

Each document is drawn as it came; a figure that is not in it is a dash, never a zero.
"""

import math
from typing import NamedTuple

from parity.reports import charts, faults, figures, small_charts

GATES = {"z": "gate z", "r": "gate r", "candidate": "candidate"}
AVERAGES = {"running_mean": "running mean", "running_std": "running std"}
ROWS_OPEN = 12  # of a table that stands open
CHANNELS_MOST = 256  # of a picture of channels


class Gru(NamedTuple):
    """One GRU of one model as the page shows it."""

    model: str
    layer: str
    found: dict


# --- GRU ---


def grus(document, microscope):
    """Every GRU looked into: from microscope.json, which shows gates, else what every run measures
    of the states.
    """
    inside = {model["name"]: model["gru"] for model in (microscope or {}).get("models", ())}
    every = (
        (
            model["name"],
            inside.get(model["name"]) or (model.get("microscope") or {}).get("gru") or {},
        )
        for model in document["models"]
    )
    return [Gru(name, layer, found) for name, layers in every for layer, found in layers.items()]


def gru_chart(gru, way):
    """Drift per time step and gate beside its bound; way: "free" or "forced"."""
    rows = gru.found.get(way) or ()
    points = [(row["step"], row["state"]["max_abs"], "state, port to original") for row in rows]
    points += [(row["step"], row["bound"], "rounding allows the state") for row in rows]
    points += [
        (row["step"], (row["gates"] or {}).get(gate), f"{title}, port to oracle")
        for gate, title in GATES.items()
        for row in rows
    ]
    label = f"{gru.model} / {gru.layer}: drift per time step, {way}"
    return charts.lines(points, label=label, x="time step", y="largest difference", height=170)


def saturation_chart(gru):
    """Share of the hard sigmoids that are shut or open at each time step, in percent."""
    found = gru.found["saturation"]
    points = [
        (step + 1, 100 * share, f"{gate} {way}")
        for gate in found
        for way in ("shut", "open")
        for step, share in enumerate(found[gate][f"{way}_by_step"])
    ]
    return charts.lines(
        points,
        label=f"{gru.model} / {gru.layer}: saturated gates per time step",
        x="time step",
        y="saturated",
        unit="%",
        log=False,
        height=130,
    )


# --- batch normalisation ---


def normalisations(microscope):
    """(model, layer, what was found) of every batch normalisation."""
    return [
        (model["name"], layer, found)
        for model in microscope["models"]
        for layer, found in model["batch_normalization"].items()
    ]


def gains_picture(model, layer, found):
    """Gain of port - original in each channel as a share of what rounded parameters may do; ""
    where port and original agree.
    """
    limit = found["worst"]["gain_limit_u"]
    values = [figures.number(value) or 0.0 for value in found["gain_u"]["drift"]]
    if not limit or not any(values):
        return ""
    every = -(-len(values) // CHANNELS_MOST)
    shares = [
        max(values[start : start + every], key=abs) / limit
        for start in range(0, len(values), every)
    ]
    return small_charts.channels(
        shares,
        len(values),
        "channel",
        f"{model} / {layer}: gain of port to original in each channel",
    )


def training_chart(phase, average):
    """Moving averages of the train phase: distance from that Keras after each update, one line for
    each side.
    """
    points = [
        (row["update"], side[average], name)
        for row in phase["updates"]
        for name, side in row["sides"].items()
    ]
    return charts.lines(
        points,
        label=f"Keras {phase['keras']}: {AVERAGES[average]} after each update",
        x="update",
        y="largest difference",
        height=150,
    )


# --- convolution ---


def convolutions(document, microscope):
    """(model, layer, what was found, asymmetry) of every convolution; the third None where only
    the kernels were looked at.
    """
    if microscope:
        return [
            (model["name"], layer, found, found["asymmetry"])
            for model in microscope["models"]
            for layer, found in model["convolution"].items()
        ]
    return [
        (model["name"], layer, None, asymmetry)
        for model in document["models"]
        for layer, asymmetry in ((model.get("microscope") or {}).get("convolution") or {}).items()
    ]


FLIPS = (("unflipped", "without the flip"), ("flipped", "with it, as the port has it"))


def flip_chart(model):
    """Largest difference from the original with and without the flip of the kernels, layer by
    layer.
    """
    found = model["convolution"]
    points = [
        (layer, each[way]["max_abs"], title)
        for way, title in FLIPS
        for layer, each in found.items()
    ]
    return charts.lines(
        points,
        label=f"{model['name']}: convolutions with and without the flip",
        x=None,
        y="largest difference",
        order=list(found),
        height=150,
    )


# --- the worth of each fix ---


def worth_tables(model):
    """(title, rows) of the trials at all layers of a kind, and of those at one layer where all
    were tried as well.
    """
    whole = {
        trial["drift"]: trial for trial in model["worth"]
    }  # the last of a drift is at all of its layers
    single = [trial for trial in model["worth"] if whole[trial["drift"]] is not trial]
    return [
        ("at all layers of a kind", worth_rows(model, whole.values())),
        ("layer by layer", worth_rows(model, single)),
    ]


def worth_rows(model, trials):
    """(drift, where, largest difference there, at the end, times the port's own, tags) of every
    trial.
    """
    clean = figures.number(model["clean"]["max_abs"])
    ends = [(trial, trial["final"]["max_abs"]) for trial in trials]
    return [
        (trial["drift"], _where(trial), _largest(trial), end, _times(end, clean), trial["tags"])
        for trial, end in ends
    ]


def _where(trial):
    return trial["layers"][0] if len(trial["layers"]) == 1 else f"{len(trial['layers'])} layers"


def _largest(trial):
    return max(
        (cost["max_abs"] for cost in trial["at_layer"].values()),
        key=lambda value: _size(value),
        default=None,
    )


def _size(value):
    number = figures.number(value)
    return -1.0 if number is None or number != number else abs(number)


def magnitude(value):
    """A difference of any size: `3.8e-06`, `0.575`, `644`, `3920`."""
    number = figures.number(value)
    return (
        figures.drift(value)
        if number is None or not 0.01 <= abs(number) < 1e5
        else f"{float(f'{number:.3g}'):g}"
    )


def _times(value, clean):
    value = figures.number(value)
    return None if value is None or not clean else value / clean


def worth_chart(model):
    """Largest difference of the final scores for each drift at all of its layers, beside the
    port's own.
    """
    whole = {
        trial["drift"]: trial for trial in model["worth"]
    }  # the last of a drift is at all of its layers
    costs = {
        "the port": model["clean"],
        **{drift: trial["final"] for drift, trial in whole.items()},
    }
    points = [(name, cost["max_abs"], "scores") for name, cost in costs.items()]
    return charts.bars(
        points,
        label=f"{model['name']}: what stock Chainer costs at the end",
        x=None,
        y="largest difference of scores",
        order=list(costs),
        height=170,
        log=True,
    )


def worth_caption(model):
    """What the chart of the worth shows, and which trials have no bar as their scores are not
    finite.
    """
    ends = {trial["drift"]: figures.number(trial["final"]["max_abs"]) for trial in model["worth"]}
    without = [drift for drift, end in ends.items() if end is None or not math.isfinite(end)]
    told = f" Without a bar, as the scores are not finite: {', '.join(without)}." if without else ""
    return f"Largest difference of the final scores, each fix left out at all of its layers.{told}"


def tags_text(tags):
    """What became of each clip's first tag and of its top tags, as text: `jazz → pop, 43 % of the
    top 5 stay`.
    """
    return "; ".join(
        f"{tag['expected']} {'→ ' + tag['actual'] if tag['changed'] else 'stays'}, top "
        f"{tag['k']} alike "
        f"{figures.percent(tag['jaccard'])}"
        for tag in tags
    )


# --- tags ---


def tag_sd(row):
    """How far the port's logit is from the original's, in units of the standard deviation that
    rounding gives it; None if unknown.
    """
    sides = [figures.number(row.get(key)) for key in ("logit_actual", "logit_expected", "sd")]
    return None if None in sides or not sides[2] else (sides[0] - sides[1]) / sides[2]


def tag_chart(model):
    """Distance of the port's logits from the original's by rank, in standard deviations of
    rounding; a line of points per clip.
    """
    several = len(model["tags"]) > len(charts.COLOURS)
    points = [
        (
            row.get("rank_expected"),
            tag_sd(row),
            f"{len(model['tags'])} clips" if several else clip["clip"],
        )
        for clip in model["tags"]
        for row in clip["top"]
        if row.get("rank_expected")
    ]
    series = tuple({name for _, _, name in points})
    return charts.lines(
        points,
        label=f"{model['name']}: port to original by the original's rank of the tag",
        x="original's rank",
        y="logit, port − original",
        unit="sd",
        log=False,
        height=130,
        loose=series,
    )


def ends_text(model):
    """How much of what rounding explains the farthest logit of any tag uses, to end a sentence."""
    ratio = ((model.get("attribution") or {}).get("ends") or {}).get("ratio")
    return (
        "."
        if ratio is None
        else (
            f". The farthest of all tags uses {figures.allowance(ratio)} of what rounding explains."
        )
    )


# --- planted faults ---


def fault_counts(document):
    """(kind, [planted, caught, located, named, undecidable]) for each kind of fault."""
    kinds = dict.fromkeys(record["kind"] for record in document["faults"])
    of_kind = {
        kind: [record for record in document["faults"] if record["kind"] == kind] for kind in kinds
    }
    return [
        (kind, [len(found), *(sum(record[key] for record in found) for key in FATES)])
        for kind, found in of_kind.items()
    ]


FATES = ("caught", "located", "named", "undecidable")
fault_sentence = faults.sentence


def fault_tables(document):
    """(title, headings, rows) of what was planted and of what was only reordered."""
    return [
        ("every planted fault", faults.HEADINGS, faults.rows(document)),
        ("every harmless reordering", faults.REORDERING_HEADINGS, faults.reordering_rows(document)),
        (
            "what the project improved: the published port's formulas, found out",
            faults.IMPROVED_HEADINGS,
            faults.improved_rows(document),
        ),
    ]


def promises(document):
    """(verdict, its tone and mark, text, figure) of what the project promises of its planted
    faults; [] where nothing is said.
    """
    return [
        (*KEPT[promise["holds"]], promise["text"], figures.ratio(promise["figure"]))
        for promise in document.get("promises", ())
    ]


KEPT = {
    True: ("kept", "good", "✓"),
    False: ("broken", "bad", "✗"),
    None: ("not tried", "missing", "∅"),
}
