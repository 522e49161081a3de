"""The two pictures on a layer's card: how its residuals spread, and what each channel does.

Drawn here and not by vl-convert: a page has over a hundred of them, and 50 ms for each would take
all of the page's time.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from markupsafe import Markup

from parity.errors import visible
from parity.reports import Record
from parity.reports.drawing import fitted, short, width

WIDTH, HEIGHT = 280, 104  # of a picture
LEFT, RIGHT, TOP, BOTTOM = 58, 4, 6, 20  # its margins, for labels
ACROSS, DOWN, FOOT = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM, HEIGHT - BOTTOM
REACH, BINS = 5, 41  # sigmas on either side of the spread, and bins, as parity.json has it
NORMAL = "page:normal"  # its id in the page
DECADES = 6  # of shares of the elements, below 1
FAR = 3.0  # times the limit, from where on the limits are too near each other to be labelled
MARKS_MOST = 64  # of a chart of channels, a bar each up to here and a hair from here on
Rung = tuple[float, str]  # a place on an axis and its label
_Text = tuple[float, float, str, str]  # x, y, anchor, words


def spread(residuals: Record | None, label: str) -> Markup:
    """Shares of (side - oracle)/sigma per bin: port filled, original dashed, normal dotted."""
    if not residuals:
        return Markup("")
    looks = {"port": "spread", "original": "original"}
    paths = [
        (look, _steps(_shares(residuals[side]), closed=side == "port"))
        for side, look in looks.items()
        if residuals[side]
    ]
    ticks = [
        (LEFT + ACROSS * (REACH + at) / (2 * REACH), str(at).replace("-", "−"))
        for at in (-REACH, 0, REACH)
    ]
    rungs = [(_level(10.0**-at), f"1e-{at}" if at else "1") for at in range(0, DECADES + 1, 2)]
    grid = ("grid", _rules(y for y, _ in rungs))
    normal = f'<use href="#{NORMAL}"/>'
    return _picture(label, [grid, *paths], ticks, rungs, "error / sigma", normal)


def definitions() -> Markup:
    """What every picture of a spread shows, drawn once for the page: the normal distribution."""
    points = [
        (LEFT + ACROSS * (at + 0.5) / BINS, _level(normal_share(at, BINS))) for at in range(BINS)
    ]
    curve = "M" + "L".join(f"{short(x)},{short(y)}" for x, y in points if y < FOOT)
    path = f'<path id="{NORMAL}" class="normal" d="{curve}"/>'
    return Markup(
        f'<svg width="0" height="0" class="defined" aria-hidden="true"><defs>{path}</defs></svg>'
    )


def tails(residuals: Record | None) -> dict[str, tuple[int, int]]:
    """{side: (elements beyond five sigma, elements counted)} for each side that has a spread."""
    return {
        side: (counts["below"] + counts["above"], _total(counts))
        for side, counts in (residuals or {}).items()
        if counts
    }


def _total(counts: Record) -> int:
    return int(sum(map(int, counts["inside"].split())) + counts["below"] + counts["above"])


def channels(shares: Sequence[float], count: int, axis: str, label: str) -> Markup:
    """Each channel's gain or offset as a share of what rounding may do, -1 to 1 dashed.

    shares: of the channels or of groups of neighbours; count: of the channels; axis: what they
    are, "channel" or "time frame".
    """
    if not shares:
        return Markup("")
    most = max(1.0, *map(abs, shares))
    middle, room, each = TOP + DOWN / 2, DOWN / 2, ACROSS / len(shares)
    heights = [short(-room * share / most) for share in shares]
    bars = "".join(
        f"M{short(LEFT + (at + 0.5) * each)},{short(middle)}v{height}"
        for at, height in enumerate(heights)
        if height != "0"
    )
    paths = [
        (f"bars{' hairs' * (len(shares) > MARKS_MOST)}", bars),
        ("limit", _rules(middle - side * room / most for side in (1, -1))),
        ("axis", _rules([middle])),
    ]
    height, said = (
        (1, "100 %") if most < FAR else (most, f"{most:{'.3g' if most < 1e3 else '.0e'}} ×")
    )
    rungs = [(middle - room * height / most, said), (middle + room * height / most, f"−{said}")]
    ends = [(LEFT, "0"), (WIDTH - RIGHT, str(count - 1))]
    return _picture(label, paths, ends[: 1 + (count > 1)], rungs, axis)


# effect: the keys of a layer's evidence that hold its values and its limits
EFFECTS = {"gain": ("gain_u", "gain_limit_u"), "offset": ("offset", "offset_limit")}


def channel_shares(found: Record, effect: str) -> list[float]:
    """The gains or offsets of a layer's evidence, each as a share of its limit."""
    values, limits = (_series(found, key) for key in EFFECTS[effect])
    return [value / limit if limit else 0.0 for value, limit in zip(values, limits, strict=True)]


def _series(found: Record, key: str) -> list[float]:
    """A line of figures; one that all entries share is repeated."""
    values = [float(value) for value in found[key].split()]
    return values * (-(-found["count"] // found["every"]) if len(values) == 1 else 1)


def _shares(counts: Record) -> list[float]:
    total = _total(counts)
    return [int(count) / total if total else 0.0 for count in counts["inside"].split()]


def normal_share(at: int, bins: int) -> float:
    """Share of a standard normal distribution in a bin."""
    below, above = (math.erf(REACH * (2 * edge / bins - 1) / math.sqrt(2)) for edge in (at, at + 1))
    return (above - below) / 2


def _level(share: float) -> float:
    return TOP + DOWN * (1.0 if share <= 0 else min(1.0, -math.log10(share) / DECADES))


def _steps(shares: Sequence[float], closed: bool) -> str:
    """A staircase over the bins, from and to the foot of the picture."""
    drawn, at = [f"M{LEFT},{FOOT}"], float(FOOT)
    for bin_at, share in enumerate(shares):
        level = _level(share)
        rise = f"V{short(level)}" if level != at else ""
        drawn.append(f"{rise}H{short(LEFT + (bin_at + 1) * ACROSS / len(shares))}")
        at = level
    return "".join(drawn) + f"V{FOOT}" + "Z" * closed


def _picture(
    label: str,
    paths: Sequence[tuple[str, str]],
    ticks: Sequence[Rung],
    rungs: Sequence[Rung],
    title: str,
    more: str = "",
) -> Markup:
    drawn = [f'<path class="{look}" d="{data}"/>' for look, data in paths if data]
    sides: dict[float, str] = {LEFT: "start", WIDTH - RIGHT: "end"}
    texts = [(x, FOOT + 14.0, sides.get(x, "middle"), text) for x, text in ticks]
    texts += [(LEFT - 4.0, y + 4, "end", text) for y, text in rungs]
    texts += [_between(title, texts[: len(ticks)])]
    written = [
        Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(short(x), short(y), *rest)
        for x, y, *rest in texts
    ]
    frame = Markup(
        '<svg class="small" role="img" viewBox="0 0 {w} {h}" width="{w}" height="{h}" '
        'aria-label="{label}">{inside}</svg>'
    )
    inside = Markup("".join([*drawn, more, *written]))
    return frame.format(w=WIDTH, h=HEIGHT, label=visible(label), inside=inside)


def _between(title: str, ticks: Sequence[_Text]) -> _Text:
    """The axis's title in the widest gap between the labels of its ticks, cut to what has room."""
    starts = {"start": 0.0, "middle": 0.5, "end": 1.0}
    taken = [(x - starts[anchor] * width(text), width(text)) for x, _, anchor, text in ticks]
    edges = [LEFT, *(edge for left, size in sorted(taken) for edge in (left, left + size))]
    gaps = list(pairwise([*edges, WIDTH - RIGHT]))[::2]
    left, right = max(reversed(gaps), key=lambda gap: gap[1] - gap[0])
    return (left + right) / 2, FOOT + 14.0, "middle", fitted(visible(title), right - left - 12)


def _rules(heights: Iterable[float]) -> str:
    return "".join(f"M{LEFT},{short(y)}h{ACROSS}" for y in heights)
