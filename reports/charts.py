"""The report's charts: Vega-Lite specifications as data, drawn by vl-convert in page colours.

Every series has a colour, a dash and a shape of its own, so that none is told by colour alone. On
a logarithmic axis what is exactly zero stands at the axis's foot, marked "0".
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from markupsafe import Markup

from parity.drawing import vl_convert
from parity.errors import visible
from parity.reports import Figure, Record, figures
from parity.reports.drawing import small, width

Point = tuple[Any, Figure, str]  # x: a name or a number; y; series
COLOURS = ("var(--link)", "var(--missing)", "var(--good)", "var(--soft)", "var(--bad)")
DASHES = ([1, 0], [6, 3], [2, 2], [9, 3, 2, 3], [4, 5])
# Vega's names of the shapes, and how the legend draws them
SHAPES = {
    "circle": "M11,5a3,3,0,1,1,6,0a3,3,0,1,1,-6,0",
    "square": "M11,2h6v6h-6Z",
    "triangle-up": "M14,1.5l4,7h-8Z",
    "diamond": "M14,1l4,4l-4,4l-4,-4Z",
    "cross": "M12.5,1h3v2.5h2.5v3h-2.5v2.5h-3v-2.5h-2.5v-3h2.5Z",
}
KEPT = 256  # charts
# What is smaller stands as 0, what is larger is left out: no axis has room for it.
TINY, HUGE = 1e-300, 1e300
ROOM = 0.2  # decades at least below the smallest value, so that its bar has a height
LABEL_PIXELS = 230  # of a name on an axis; longer ones are cut with an ellipsis
TICKED = 12  # whole numbers on an axis that each have a tick
STEP, WIDTH_LEAST, WIDTH_MOST = 32, 480, 1600  # of a chart with a place per name, in pixels
# Vega's configuration. Its fonts are as measured; the page draws 11.5 (charts.css), which leaves
# room for fonts wider than vl-convert's.
CONFIG = json.loads(Path(__file__).with_name("templates").joinpath("charts.json").read_text())


@dataclass(frozen=True)
class Chart:
    """What a chart shows.

    points: what has no finite y is left out; label: said to those who do not see it; x, y: titles
    of the axes; kind: `lines` or `bars`; order: the names on the x axis, None where it is of
    numbers; loose: series whose points are not joined.
    """

    points: tuple[Point, ...]
    label: str
    y: str
    x: str | None = None
    kind: str = "lines"
    log: bool = True
    order: tuple[str, ...] | None = None
    height: int = 220
    loose: tuple[str, ...] = ()


def chart(points: Iterable[Point], **options: Any) -> Markup:
    """A Chart as inline SVG, its legend before it; "" where there is nothing to draw.

    options: the fields of Chart; order and loose may be any iterables.
    """
    lists = {key: tuple(options[key]) for key in ("order", "loose") if options.get(key) is not None}
    return _drawn(Chart(tuple(points), **options | lists))


@lru_cache(maxsize=KEPT)  # two runs that are compared have many charts in common
def _drawn(chart: Chart) -> Markup:
    rows, foot = _rows(chart.points, chart.log)
    if not rows:
        return Markup("")
    names = list(dict.fromkeys(row["series"] for row in rows))
    encoding = {"x": _x(rows, chart), "y": _y(rows, chart, foot)}
    spec = {
        **MARKS[chart.kind](rows, encoding, names, chart.loose),
        "width": _width(chart),
        "height": chart.height,
        "config": CONFIG,
    }
    across, height, inside = small(rendered(spec))
    frame = Markup(
        '<svg class="chart" role="img" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" '
        'height="{h:.0f}" aria-label="{label}">{inside}</svg>'
    )
    label = visible(chart.label)
    svg = frame.format(w=across, h=height, label=label, inside=Markup(inside))
    return _legend(names, chart) + svg


def _width(chart: Chart) -> int:
    return min(WIDTH_MOST, max(WIDTH_LEAST, STEP * len(chart.order or ())))


def rendered(spec: Record) -> str:
    """A Vega-Lite specification as SVG, the same bytes for the same chart."""
    return str(vl_convert().vegalite_to_svg(spec))


def _rows(points: Iterable[Point], log: bool) -> tuple[list[Record], float | None]:
    """(rows for Vega, the value that stands for zero on a logarithmic axis or None)."""
    numbers = [(where, figures.number(y), series) for where, y, series in points]
    known = [(where, y, series) for where, y, series in numbers if y is not None and abs(y) < HUGE]
    sizes = [abs(y) for _, y, _ in known if abs(y) > TINY]
    foot = None
    if log and len(sizes) < len(known):
        foot = 10.0 ** (math.floor(math.log10(min(sizes))) - 1) if sizes else 1.0
    rows = [
        {
            "x": where if isinstance(where, (int, float)) else visible(where),
            "series": visible(series),
            "y": y if not log else abs(y) if abs(y) > TINY else foot,
        }
        for where, y, series in known
    ]
    return rows, foot


def _x(rows: list[Record], chart: Chart) -> Record:
    # Every text must be visible: vl-convert takes the whole process down at a control character.
    field = {"field": "x", "title": None if chart.x is None else visible(chart.x)}
    if chart.order is None:
        scale = {"zero": False, "nice": False, "padding": 12}
        axis = {"grid": False, **_ticks(rows)}
        return {**field, "type": "quantitative", "scale": scale, "axis": axis}
    order = [visible(name) for name in chart.order]
    step = _width(chart) / max(1, len(order))
    axis = {
        "grid": False,
        "ticks": False,
        "labelPadding": 6,
        "labelAngle": 0 if max(map(width, order)) + 8 <= step else -50,
        "labelLimit": LABEL_PIXELS,
        "labelOverlap": len(order) > WIDTH_MOST // STEP,
    }
    return {**field, "type": "nominal", "sort": None, "scale": {"domain": order}, "axis": axis}


def _ticks(rows: list[Record]) -> Record:
    """Whole numbers only where all are whole; each of few, as Vega would write some twice."""
    places = sorted({row["x"] for row in rows})
    if not all(float(at).is_integer() for at in places):
        return {}
    return {"format": "d", **({"values": places} if len(places) <= TICKED else {"tickMinStep": 1})}


def _y(rows: list[Record], chart: Chart, foot: float | None) -> Record:
    field = {"field": "y", "type": "quantitative", "title": visible(chart.y)}
    if not chart.log:
        return {**field, "axis": {"tickCount": 5}}
    low, high = (math.log10(edge(row["y"] for row in rows)) for edge in (min, max))
    low = math.floor(low if foot else low - ROOM)
    high = max(math.ceil(high), low + 1)
    every = -(-(high - low) // 7)
    ticks = {10.0**power for power in range(low, high + 1) if not (power - high) % every}
    zero = f"datum.value < {2 * foot!r} ? '0' : " if foot else ""
    scale = {"type": "log", "domain": [10.0**low, 10.0**high], "nice": False}
    values = sorted({*ticks, *([foot] if foot else [])})
    axis = {"values": values, "labelExpr": f"{zero}format(datum.value, '.0e')"}
    return {**field, "scale": scale, "axis": axis}


def _look(at: int, looks: Sequence[Any]) -> Any:
    """A series' colour, dash or shape; the sixth has the first's colour with another dash."""
    return looks[(at + (0 if looks is COLOURS else at // len(COLOURS))) % len(looks)]


def _by_series(names: list[str], looks: Sequence[Any]) -> Record:
    """An encoding that tells series apart, without Vega's legend, which doubles the time."""
    scale = {"domain": names, "range": [_look(at, looks) for at in range(len(names))]}
    return {"field": "series", "type": "nominal", "title": None, "scale": scale, "legend": None}


def _lines(rows: list[Record], encoding: Record, names: list[str], loose: Sequence[str]) -> Record:
    coloured = {**encoding, "color": _by_series(names, COLOURS)}
    lines = {
        "mark": {"type": "line", "strokeWidth": 1.5},
        "encoding": {**coloured, "strokeDash": _by_series(names, DASHES)},
        "transform": [{"filter": "datum.joined"}],
    }
    marks = {
        "mark": {"type": "point", "filled": True, "opacity": 1, "size": 22},
        "encoding": {**coloured, "shape": _by_series(names, tuple(SHAPES))},
    }
    values = [{**row, "joined": row["series"] not in loose} for row in rows]
    return {"layer": [lines, marks], "data": {"values": values}}


def _bars(rows: list[Record], encoding: Record, names: list[str], _: Sequence[str]) -> Record:
    more: Record = {"color": _by_series(names, COLOURS)}
    if len(names) > 1:
        more["xOffset"] = {"field": "series", "type": "nominal", "scale": {"domain": names}}
    if "scale" in encoding["y"]:  # a logarithmic axis has no zero for a bar to stand on
        more["y2"] = {"datum": encoding["y"]["scale"]["domain"][0]}
    return {"mark": {"type": "bar"}, "encoding": encoding | more, "data": {"values": rows}}


MARKS: dict[str, Callable[..., Record]] = {"lines": _lines, "bars": _bars}


def _legend(names: list[str], chart: Chart) -> Markup:
    """What the series look like, as HTML that wraps where the page is narrow; not for one alone."""
    key = Markup(
        '<span><svg class="key" viewBox="0 0 28 10" width="28" height="10" '
        'aria-hidden="true">{}</svg> <bdi>{}</bdi></span> '
    )
    keys = [key.format(Markup(_key(at, name, chart)), name) for at, name in enumerate(names)]
    legend = Markup('<p class="legend">{}</p>').format(Markup("").join(keys))
    return legend if len(names) > 1 else Markup("")


def _key(at: int, name: str, chart: Chart) -> str:
    colour, dash = _look(at, COLOURS), " ".join(map(str, _look(at, DASHES)))
    if chart.kind == "bars":
        return f'<path fill="{colour}" d="M6,0h16v10h-16Z"/>'
    line = f'<path stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}" d="M0,5h28"/>'
    mark = f'<path fill="{colour}" d="{SHAPES[_look(at, tuple(SHAPES))]}"/>'
    return mark if name in chart.loose else line + mark


# --- the charts of parity.json ---

# series and key of what the chart of the drift draws: all in the chain, all root mean square
DRIFT = (
    ("port to original", "rms"),
    ("original's own noise", "noise_rms"),
    ("rounding allows", "rounding_rms"),
)
DRIFT_CAPTION = (
    "Drift through the chain, root mean square over each layer's output, beside the noise of the "
    "original's own compiler and how far rounding in all layers up to there may part two runs. "
    "0 is equal bit for bit."
)


def drift_points(model: Record) -> list[Point]:
    """Drift layer by layer, beside the original's own noise and what rounding allows there."""
    return [
        (layer["name"], layer["chained"].get(key), series)
        for series, key in DRIFT
        for layer in model["layers"]
    ]


def drift_in_brief(model: Record) -> str:
    """Where the drift of the chain uses most of what rounding allows, and where it ends."""
    used = [
        (rms / allowed, layer["name"])
        for layer in model["layers"]
        if (rms := figures.number(layer["chained"].get("rms"))) is not None
        and (allowed := figures.number(layer["chained"].get("rounding_rms")))
    ]
    ends = f"ends at {figures.drift(model['final']['port_reference'])}"
    most, name = max(used, key=lambda pair: figures.size(pair[0]), default=(None, ""))
    if most is None:
        return ends
    return f"at most {figures.of_allowed(most)}, at {name}; {ends}"


def share_points(model: Record) -> list[Point]:
    """Each layer's share of the final drift, in percent, for layers that have any."""
    found = (
        (layer["name"], figures.number(layer["chained"].get("share"))) for layer in model["layers"]
    )
    return [(name, 100 * share, "share") for name, share in found if share]
