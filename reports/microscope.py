"""What the page draws from microscope.json; a figure that is not in it is a dash, never a zero."""

import math
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from markupsafe import Markup

from parity.reports import Record, figures, small_charts
from parity.reports.charts import Point
from parity.reports.document import Kind

MICROSCOPE = Kind("microscope.json", "microscope.schema.json", "make microscope")
read, validate = MICROSCOPE.read, MICROSCOPE.validate
GATES = {"z": "gate z", "r": "gate r", "candidate": "candidate"}
AVERAGES = {"running_mean": "running mean", "running_std": "running std"}
CHANNELS_MOST = 256  # of a picture of channels


class Found(NamedTuple):
    """What was found at one layer of one model."""

    model: str
    layer: str
    found: Record


def found_at(key: str, models: Iterable[Record]) -> Iterator[Found]:
    """What `key` of each model says, layer by layer."""
    for model in models:
        for layer, found in (model.get(key) or {}).items():
            yield Found(model["name"], layer, found)


def _in_run(document: Record) -> list[Record]:
    """What every run measures by itself: recurrent layers' states, the kernels' asymmetry."""
    return [{**(each.get("microscope") or {}), "name": each["name"]} for each in document["models"]]


def grus(document: Record, microscope: Record | None) -> list[Found]:
    """Every recurrent layer: from microscope.json, which has gates, else from the run itself."""
    inside = {each["name"]: each["gru"] for each in (microscope or {}).get("models", ())}
    models = (
        {**each, "gru": inside.get(each["name"]) or each.get("gru")} for each in _in_run(document)
    )
    return list(found_at("gru", models))


def gru_points(rows: list[Record] | None) -> list[Point]:
    """Drift per time step and gate beside its bound."""
    steps = [(row["step"], row, row["gates"] or {}) for row in rows or ()]
    return [
        *((step, row["state"]["max_abs"], "state, port to original") for step, row, _ in steps),
        *((step, row["bound"], "rounding allows the state") for step, row, _ in steps),
        *(
            (step, gates.get(gate), f"{title}, port to oracle")
            for gate, title in GATES.items()
            for step, _, gates in steps
        ),
    ]


def saturation_points(saturation: Record) -> list[Point]:
    """Share of the hard sigmoids that are shut or open at each time step, in percent."""
    return [
        (step, 100 * share, f"{gate} {way}")
        for gate, found in saturation.items()
        for way in ("shut", "open")
        for step, share in enumerate(found[f"{way}_by_step"], start=1)
    ]


def gains_picture(of: Found) -> Markup:
    """Gain of port to original as a share of what rounded parameters may do, if there is any."""
    limit = of.found["worst"]["gain_limit_u"]
    values = [figures.number(value) or 0.0 for value in of.found["gain_u"]["drift"]]
    if not limit or not any(values):
        return Markup("")
    every = -(-len(values) // CHANNELS_MOST)
    groups = (values[start : start + every] for start in range(0, len(values), every))
    shares = [max(group, key=abs) / limit for group in groups]
    label = f"{of.model} / {of.layer}: gain of port to original in each channel"
    return small_charts.channels(shares, len(values), "channel", label)


def training_points(phase: Record, average: str) -> list[Point]:
    """Distance of a moving average from that Keras after each update, one series for each side."""
    return [
        (row["update"], side[average], name)
        for row in phase["updates"]
        for name, side in row["sides"].items()
    ]


def convolutions(document: Record, microscope: Record | None) -> list[tuple[Found, Record]]:
    """(what was found, asymmetry) of every convolution; the run itself only has the asymmetry."""
    if microscope:
        every = found_at("convolution", microscope["models"])
        return [(each, each.found["asymmetry"]) for each in every]
    found = found_at("convolution", _in_run(document))
    return [(each._replace(found={}), each.found) for each in found]


FLIPS = {"unflipped": "without the flip", "flipped": "with it, as the port has it"}


def flip_points(convolution: Record) -> list[Point]:
    """Largest difference from the original with and without the flip, layer by layer."""
    return [
        (layer, each[way]["max_abs"], title)
        for way, title in FLIPS.items()
        for layer, each in convolution.items()
    ]


# --- the worth of each fix ---


def _whole(model: Record) -> dict[str, Record]:
    """{drift: its trial at all of its layers}, the last of that drift."""
    return {trial["drift"]: trial for trial in model["worth"]}


def worth_tables(model: Record) -> list[tuple[str, list[Record]]]:
    """(title, rows) of the trials at all layers of a kind, and of those at one layer."""
    whole = _whole(model)
    single = [trial for trial in model["worth"] if whole[trial["drift"]] is not trial]
    clean = figures.number(model["clean"]["max_abs"])
    return [
        ("at all layers of a kind", [_worth_row(trial, clean) for trial in whole.values()]),
        ("layer by layer", [_worth_row(trial, clean) for trial in single]),
    ]


def _worth_row(trial: Record, clean: float | None) -> Record:
    layers, end = trial["layers"], figures.number(trial["final"]["max_abs"])
    costs = (cost["max_abs"] for cost in trial["at_layer"].values())
    return {
        "drift": trial["drift"],
        "where": layers[0] if len(layers) == 1 else f"{len(layers)} layers",
        "at_layer": max(costs, key=figures.size, default=None),
        "final": end,
        "times": None if end is None or not clean else end / clean,
        "tags": "; ".join(map(_tag_text, trial["tags"])),
    }


def _tag_text(tag: Record) -> str:
    """`jazz → pop, top 5 alike 43 %`."""
    first = f"{tag['expected']} {'→ ' + tag['actual'] if tag['changed'] else 'stays'}"
    return f"{first}, top {tag['k']} alike {figures.percent(tag['jaccard'])}"


def worth_points(model: Record) -> list[Point]:
    """Largest difference of the final scores for each drift, beside the port's own."""
    ends = {"the port": model["clean"]} | {
        drift: trial["final"] for drift, trial in _whole(model).items()
    }
    return [(name, end["max_abs"], "scores") for name, end in ends.items()]


def worth_caption(model: Record) -> str:
    """What the chart of the worth shows, and which trials have no bar."""
    without = [name for name, end, _ in worth_points(model) if not math.isfinite(figures.size(end))]
    told = f" Without a bar, as the scores are not finite: {', '.join(without)}." if without else ""
    return f"Largest difference of the final scores, each fix left out at all of its layers.{told}"
