"""The two pictures on every layer's card: how its residuals spread, and what each channel does.

Drawn here and not by vl-convert: a page has over a hundred of them, and 50 ms for each would take
all of the page's time.
"""

import math

from parity.reports import figures

WIDTH, HEIGHT = 280, 104  # of a picture
LEFT, RIGHT, TOP, BOTTOM = 40, 4, 6, 20  # its margins, for labels
REACH, BINS = 5, 41  # sigmas on either side of the spread, and bins, as parity.json has it
NORMAL = "page:normal"  # its id in the page
DECADES = 6  # of shares of the elements, below 1
FAR = 3.0  # times the limit, from where on the limits are too near each other to be labelled
MARKS_MOST = 64  # of a chart of channels, a bar each up to here and a hair from here on


def spread(residuals, label):
    """Shares of (side - oracle)/sigma per bin, logarithmic: port filled, original dashed, a normal
    distribution dotted; an <svg> or "".

    residuals: {port, original} of a layer's evidence; label: what it shows, for those who do not
    see it.
    """
    if not residuals:
        return ""
    sides = {side: _shares(counts) for side, counts in residuals.items() if counts}
    paths = [("spread", _steps(sides["port"], closed=True))] if "port" in sides else []
    paths += [("original", _steps(sides["original"]))] if "original" in sides else []
    ticks = [
        (_across(REACH + at, 2 * REACH), str(at).replace("-", "−")) for at in (-REACH, 0, REACH)
    ]
    rungs = [
        (_down(10.0**-power), f"1e-{power}" if power else "1") for power in range(0, DECADES + 1, 2)
    ]
    return _picture(
        label,
        [("grid", _rules(y for y, _ in rungs)), *paths],
        ticks,
        rungs,
        "error / sigma",
        f'<use href="#{NORMAL}"/>',
    )


def definitions():
    """What every picture of a spread shows, drawn once for the page: the normal distribution."""
    from markupsafe import Markup

    curve = _curve([_normal(at, BINS) for at in range(BINS)])
    path = f'<path id="{NORMAL}" class="normal" d="{curve}"/>'
    return Markup(
        f'<svg width="0" height="0" class="defined" aria-hidden="true"><defs>{path}</defs></svg>'
    )


def tails(residuals):
    """(count of elements beyond the picture's five sigma, of how many counted) for each side that
    has a spread.
    """
    return {
        side: (
            counts["below"] + counts["above"],
            sum(map(int, counts["inside"].split())) + counts["below"] + counts["above"],
        )
        for side, counts in (residuals or {}).items()
        if counts
    }


def channels(shares, count, axis, label):
    """Each channel's gain or offset as a share of what rounding may do, -1 to 1 dashed; an <svg>,
    "" where there is none.

    shares: of the channels or of groups of neighbours; count: of the channels; axis: what they
    are, "channel" or "time frame".
    """
    if not shares:
        return ""
    most = max(1.0, *map(abs, shares))
    middle, room = TOP + (HEIGHT - TOP - BOTTOM) / 2, (HEIGHT - TOP - BOTTOM) / 2
    width = (WIDTH - LEFT - RIGHT) / len(shares)
    heights = [_n(-room * share / most) for share in shares]
    bars = [
        f"M{_n(LEFT + (at + 0.5) * width)},{_n(middle)}v{height}"
        for at, height in enumerate(heights)
        if height != "0"
    ]
    limits, axis_line = (
        _rules(middle - side * room / most for side in sides) for sides in ((1, -1), (0,))
    )
    paths = [
        (f"bars{' hairs' * (len(shares) > MARKS_MOST)}", "".join(bars)),
        ("limit", limits),
        ("axis", axis_line),
    ]
    rungs = [
        (middle - side * room * height / most, f"{'−' * (side < 0)}{said}")
        for side in (1, -1)
        for height, said in [(1, "100 %") if most < FAR else (most, f"{most:.3g} ×")]
    ]
    last = count - 1
    ticks = [(LEFT, "0"), (WIDTH - RIGHT, str(last))] if last else [(LEFT, "0")]
    return _picture(label, paths, ticks, rungs, axis)


def channel_shares(found, effect):
    """The gains or offsets of a layer's evidence, each as a share of its limit."""
    values, limits = (
        _series(found, {"gain": "gain_u", "offset": "offset"}[effect]),
        _series(found, LIMITS[effect]),
    )
    return [value / limit if limit else 0.0 for value, limit in zip(values, limits, strict=True)]


LIMITS = {"gain": "gain_limit_u", "offset": "offset_limit"}


def _series(found, key):
    """A line of figures as numbers; one that all entries share, as often as there are entries."""
    entries = -(-found["count"] // found["every"])
    values = [float(value) for value in found[key].split()]
    return values * entries if len(values) == 1 else values


def _shares(counts):
    inside = [int(count) for count in counts["inside"].split()]
    total = sum(inside) + counts["below"] + counts["above"]
    return [count / total if total else 0.0 for count in inside]


def _normal(at, bins):
    """Share of a standard normal distribution in a bin."""
    edges = (REACH * (2 * edge / bins - 1) / math.sqrt(2) for edge in (at, at + 1))
    below, above = (math.erf(edge) for edge in edges)
    return (above - below) / 2


def _across(at, of):
    return LEFT + (WIDTH - LEFT - RIGHT) * at / of


def _down(share):
    room = HEIGHT - TOP - BOTTOM
    return TOP + room * (1.0 if share <= 0 else min(1.0, -math.log10(share) / DECADES))


def _steps(shares, closed=False):
    """A staircase over the bins, from and to the foot of the picture."""
    foot, width = HEIGHT - BOTTOM, (WIDTH - LEFT - RIGHT) / len(shares)
    drawn, at = [f"M{LEFT},{foot}"], float(foot)
    for bin_at, share in enumerate(shares):
        level = _down(share)
        drawn.append(
            (f"V{_n(level)}" if level != at else "") + f"H{_n(LEFT + (bin_at + 1) * width)}"
        )
        at = level
    return "".join(drawn) + f"V{foot}" + "Z" * closed


def _curve(shares):
    """A line through the middles of the bins that are above the foot."""
    points = [(_across(at + 0.5, len(shares)), _down(share)) for at, share in enumerate(shares)]
    return "M" + "L".join(f"{_n(x)},{_n(y)}" for x, y in points if y < HEIGHT - BOTTOM)


def _picture(label, paths, ticks, rungs, title, more=""):
    from markupsafe import Markup

    foot = HEIGHT - BOTTOM
    drawn = [f'<path class="{look}" d="{data}"/>' for look, data in paths if data]
    texts = [
        f'<text x="{_n(x)}" y="{foot + 14}" text-anchor="{_anchor(x)}">{text}</text>'
        for x, text in ticks
    ]
    texts += [
        f'<text x="{LEFT - 4}" y="{_n(y + 4)}" text-anchor="end">{text}</text>' for y, text in rungs
    ]
    said = Markup('<text x="{}" y="{}" text-anchor="middle">{}</text>')
    said = said.format(_n(_across(0.75, 1)), foot + 14, figures.visible(title))
    frame = Markup(
        '<svg class="small" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        'aria-label="{label}">{inside}</svg>'
    )
    return frame.format(
        w=WIDTH,
        h=HEIGHT,
        label=figures.visible(label),
        inside=Markup("".join([*drawn, more, *texts])) + said,
    )


def _rules(heights):
    return "".join(f"M{LEFT},{_n(y)}h{WIDTH - LEFT - RIGHT}" for y in heights)


def _anchor(x):
    return "start" if x <= LEFT else "end" if x >= WIDTH - RIGHT else "middle"


def _n(value):
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
