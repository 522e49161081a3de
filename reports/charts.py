"""The report's charts: declared with Altair, drawn by vl-convert when the page is built, coloured
by the page's own variables.

Every series has a colour, a dash and a shape of its own, so that none is told by colour alone. On
a logarithmic axis what is exactly zero stands at the axis's foot, marked "0".
"""

import math
from functools import lru_cache

from parity.reports import figures
from parity.reports.drawing import small

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
INK, SOFT, LINE = "var(--ink)", "var(--soft)", "var(--line)"
CHECKED = False
KEPT = 256  # charts
TINY, HUGE = (
    1e-300,
    1e300,
)  # what is smaller stands as 0, what is larger is left out: no axis has room for it
# as measured; the page draws 11.5 (charts.css), which leaves room for fonts wider than vl-convert's
FONT = 13
ROOM = 0.2  # decades at least below the smallest value, so that its bar has a height
LABEL_PIXELS = 230  # of a name on an axis; longer ones are cut with an ellipsis
TICKED = 12  # whole numbers on an axis that each have a tick
STEP, WIDTH_LEAST, WIDTH_MOST = 32, 480, 1600  # of a chart with a place per name, in pixels


def lines(points, *, label, x, y, log=True, order=None, unit=None, height=220, loose=()):
    """A line chart as inline SVG, its legend before it; "" where there is nothing to draw.

    points: (x, y, series); x a name or a number, y a number, a word for one that is not finite, or
    None, both left out.
    label: what the chart shows, for those who do not see it; x, y: titles of the axes; order: the
    names on the x axis, None where it is of numbers; unit: of y; loose: series whose points are
    not joined.
    """
    order = None if order is None else tuple(order)
    return _draw(
        "lines", tuple(points), label, *_titles(x, y, unit), log, order, height, tuple(loose)
    )


def bars(points, *, label, x, y, order, log=False, unit=None, height=220):
    """A bar chart, one bar per series beside the other; everything else as in `lines`."""
    return _draw("bars", tuple(points), label, *_titles(x, y, unit), log, tuple(order), height, ())


def _titles(x, y, unit):
    """The axes' titles. Every text has to be visible: vl-convert takes the whole process down at a
    control character.
    """
    return None if x is None else _name(x), _name(f"{y}, {unit}" if unit else y)


@lru_cache(maxsize=KEPT)
def _draw(kind, points, label, x, y, log, order, height, loose):
    """The legend and the chart; those drawn before are kept, as two runs that are compared have
    many in common.
    """
    rows, foot = _rows(points, log)
    if not rows:
        return ""
    names = list(dict.fromkeys(row["series"] for row in rows))
    if order is not None:
        order = [_name(name) for name in order]
    width = WIDTH_LEAST if order is None else min(WIDTH_MOST, max(WIDTH_LEAST, STEP * len(order)))
    with unchecked():
        chart = MARKS[kind](rows, names, _x(rows, x, order), _y(rows, y, log, foot), loose)
        return _legend(names, loose, kind == "bars") + svg(
            chart.properties(width=width, height=height), label
        )


def unchecked():
    """Without Altair's own check of every part against Vega's schema, which takes longer than
    drawing: our tests do it.
    """
    from altair.utils.schemapi import debug_mode

    return debug_mode(CHECKED)


def svg(chart, label):
    """An Altair chart as one inline <svg>, the same bytes for the same chart."""
    from markupsafe import Markup
    from vl_convert import vegalite_to_svg

    width, height, inside = small(
        vegalite_to_svg(chart.configure(**_theme()).to_dict(validate=CHECKED))
    )
    frame = Markup(
        '<svg class="chart" role="img" viewBox="0 0 {w:.0f} {h:.0f}" width="{w:.0f}" '
        'height="{h:.0f}" aria-label="{label}">'
    )
    return (
        frame.format(w=width, h=height, label=figures.visible(label))
        + Markup(inside)
        + Markup("</svg>")
    )


def _rows(points, log):
    """(rows for Vega, the value that stands for zero on a logarithmic axis or None); what has no
    finite y is left out.
    """
    numbers = [(where, figures.number(y), series) for where, y, series in points]
    known = [(where, y, series) for where, y, series in numbers if y is not None and abs(y) < HUGE]
    sizes = [abs(y) for _, y, _ in known if abs(y) > TINY]
    foot = None
    if log and len(sizes) < len(known):
        foot = 10.0 ** (math.floor(math.log10(min(sizes))) - 1) if sizes else 1.0
    return [
        {
            "x": where if isinstance(where, (int, float)) else _name(where),
            "series": _name(series),
            "y": y if not log else abs(y) if abs(y) > TINY else foot,
        }
        for where, y, series in known
    ], foot


def _name(text):
    return figures.visible(text)


def _x(rows, title, order):
    import altair as alt

    if order is None:
        return alt.X(
            "x:Q",
            title=title,
            scale=alt.Scale(zero=False, nice=False, padding=12),
            axis=alt.Axis(grid=False, **_ticks(rows)),
        )
    angle = 0 if max(map(len, order)) * len(order) < 75 else -50
    return alt.X(
        "x:N",
        title=title,
        sort=None,
        scale=alt.Scale(domain=order),
        axis=alt.Axis(
            grid=False,
            ticks=False,
            labelPadding=6,
            labelAngle=angle,
            labelLimit=LABEL_PIXELS,
            labelOverlap=len(order) > WIDTH_MOST // STEP,
        ),
    )


def _ticks(rows):
    """Whole numbers only where all are whole; each of few, as Vega would write some of them
    twice.
    """
    places = sorted({row["x"] for row in rows})
    if not all(float(at).is_integer() for at in places):
        return {}
    return {"format": "d", **({"values": places} if len(places) <= TICKED else {"tickMinStep": 1})}


def _y(rows, title, log, foot):
    import altair as alt

    if not log:
        return alt.Y("y:Q", title=title, axis=alt.Axis(tickCount=5))
    low, high = (math.log10(edge(row["y"] for row in rows)) for edge in (min, max))
    low, high = math.floor(low if foot else low - ROOM), max(math.ceil(high), math.floor(low) + 1)
    every = -(-(high - low) // 7)
    ticks = [10.0**power for power in range(low, high + 1) if not (power - high) % every]
    ticks = sorted({*ticks, *([foot] if foot else [])})
    shown = f"datum.value < {2 * foot!r} ? '0' : " if foot else ""
    return alt.Y(
        "y:Q",
        title=title,
        scale=alt.Scale(type="log", domain=[10.0**low, 10.0**high], nice=False),
        axis=alt.Axis(values=ticks, labelExpr=f"{shown}format(datum.value, '.0e')"),
    )


def _look(at, looks):
    """The colour, dash or shape of the series at that place; from the sixth on a colour comes back
    with another dash and shape.
    """
    return looks[(at + (0 if looks is COLOURS else at // len(COLOURS))) % len(looks)]


def _told_apart(names):
    """The encodings that tell series apart. They have no legend of Vega's, which takes as long as
    all the rest: see `_legend`.
    """
    import altair as alt

    def of(channel, looks):
        scale = alt.Scale(domain=names, range=[_look(at, looks) for at in range(len(names))])
        return channel("series:N", title=None, scale=scale, legend=None)

    return {
        "color": of(alt.Color, COLOURS),
        "shape": of(alt.Shape, tuple(SHAPES)),
        "strokeDash": of(alt.StrokeDash, DASHES),
    }


def _legend(names, loose, is_bars):
    """What the series look like, as HTML that wraps where the page is narrow; nothing for a single
    one.
    """
    from markupsafe import Markup

    if len(names) < 2:
        return Markup("")
    key = Markup(
        '<span><svg class="key" viewBox="0 0 28 10" width="28" height="10" '
        'aria-hidden="true">{}</svg> <bdi>{}</bdi></span> '
    )
    keys = [
        key.format(Markup(_key(at, name in loose, is_bars)), name) for at, name in enumerate(names)
    ]
    return Markup('<p class="legend">{}</p>').format(Markup("").join(keys))


def _key(at, is_loose, is_bar):
    colour, dash = _look(at, COLOURS), " ".join(map(str, _look(at, DASHES)))
    if is_bar:
        return f'<path fill="{colour}" d="M6,0h16v10h-16Z"/>'
    line = (
        ""
        if is_loose
        else f'<path stroke="{colour}" stroke-width="1.5" stroke-dasharray="{dash}" d="M0,5h28"/>'
    )
    return f'{line}<path fill="{colour}" d="{SHAPES[_look(at, tuple(SHAPES))]}"/>'


def _lines(rows, names, x, y, loose):
    import altair as alt

    look, joined = (
        _told_apart(names),
        [{**row, "joined": row["series"] not in loose} for row in rows],
    )
    path = (
        alt.Chart()
        .mark_line(strokeWidth=1.5)
        .encode(x=x, y=y, color=look["color"], strokeDash=look["strokeDash"])
    )
    marks = (
        alt.Chart()
        .mark_point(filled=True, opacity=1, size=22)
        .encode(x=x, y=y, color=look["color"], shape=look["shape"])
    )
    return alt.layer(path.transform_filter("datum.joined"), marks, data=alt.Data(values=joined))


def _bars(rows, names, x, y, loose):
    import altair as alt

    more = (
        {"xOffset": alt.XOffset("series:N", scale=alt.Scale(domain=names))}
        if len(names) > 1
        else {}
    )
    low = y.to_dict().get("scale", {}).get("domain", [None])[0]
    if low is not None:  # a logarithmic axis has no zero for a bar to stand on
        more["y2"] = alt.Y2Datum(low)
    return (
        alt.Chart(alt.Data(values=rows))
        .mark_bar()
        .encode(x=x, y=y, color=_told_apart(names)["color"], **more)
    )


def _theme():
    """Vega's configuration: the page's colours, no frame, no background."""
    text = {
        "labelColor": INK,
        "titleColor": SOFT,
        "labelFontSize": FONT,
        "titleFontSize": FONT,
        "titleFontWeight": "normal",
        "labelFontWeight": "normal",
        "titlePadding": 9,
    }
    return {
        "background": "transparent",
        "aria": False,
        "view": {"stroke": None},
        "font": "sans-serif",
        "axis": {**text, "domainColor": SOFT, "tickColor": SOFT, "gridColor": LINE},
    }


MARKS = {"lines": _lines, "bars": _bars}


# --- the charts of parity.json ---

# an allowance this much smaller than every drift (1e-38: a saturated gate may not round) would
# flatten the chart
BELOW = 100
ALLOWED = "rounding allows the layer alone, where it is worst"
DRIFT = (
    ("port to original, largest", lambda layer: layer["chained"]["max_abs"]),
    ("original's own noise, largest", lambda layer: layer["chained"].get("noise_max_abs")),
    ("port to original, rms", lambda layer: layer["chained"]["rms"]),
    (ALLOWED, lambda layer: layer["isolated"].get("worst_allowed")),
)


def drift(model):
    """Drift through the network, layer by layer, beside the original's own noise and what rounding
    allows.
    """
    layers = model["layers"]
    points = [
        (layer["name"], figures.number(read(layer)), series)
        for series, read in DRIFT
        for layer in layers
    ]
    points = [point for point in points if point[2] != ALLOWED or point[0] not in too_small(model)]
    return lines(
        points,
        label=f"drift through {model['name']}, layer by layer",
        x=None,
        y="absolute difference",
        order=[layer["name"] for layer in layers],
        loose=(ALLOWED,),
    )


def too_small(model):
    """Names of the layers whose allowance the chart of the drift leaves out, as it would flatten
    the rest.
    """
    drawn = [
        figures.number(read(layer))
        for series, read in DRIFT
        if series != ALLOWED
        for layer in model["layers"]
    ]
    least = min(filter(None, drawn), default=0) / BELOW
    allowed = {
        layer["name"]: figures.number(layer["isolated"].get("worst_allowed"))
        for layer in model["layers"]
    }
    return [name for name, value in allowed.items() if value and value < least]


def drift_caption(model):
    """What the chart of the drift shows, and which allowances it leaves out."""
    names = too_small(model)
    left_out = (
        f" Too small for this chart is what rounding allows {', '.join(names)}." if names else ""
    )
    return (
        "Drift through the network, layer by layer, and what the original's own compiler "
        "does to it. 0 is bit for bit; a point alone"
        f" is what rounding allows a layer of its own.{left_out}"
    )


def shares(model):
    """Each layer's share of the final drift, in percent, for layers that have any."""
    found = [
        (layer["name"], figures.number(layer["chained"].get("share"))) for layer in model["layers"]
    ]
    points = [(name, 100 * share, "share") for name, share in found if share]
    return bars(
        points,
        label=f"shares of {model['name']}'s final drift by layer",
        x=None,
        y="share of the final drift",
        unit="%",
        order=[name for name, _, _ in points],
        height=150,
    )
