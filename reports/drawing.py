"""An SVG of vl-convert made small: no wrappers, no roles, no numbers finer than can be seen; what
looks alike is drawn at once.

A chart of 28 layers is 57 kB as it comes and 7 kB after this. Colours are CSS variables of the
page and pass untouched.
"""

import re
from itertools import groupby
from xml.etree import ElementTree

SVG = "{http://www.w3.org/2000/svg}"
STYLE = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
    "font-size",
    "font-weight",
    "text-anchor",
)
IMPLIED = {
    ("stroke-width", "1"),
    ("opacity", "1"),
    ("font-weight", "normal"),
    ("fill", "transparent"),
    ("text-anchor", "start"),
    ("stroke-dasharray", "1,0"),
}
MOVE = re.compile(r"(translate|rotate)\(([^)]*)\)")
COMMAND = re.compile(r"([A-DF-Za-df-z])([^A-DF-Za-df-z]*)")  # e is the exponent of a number
NUMBER = re.compile(r"-?\d*\.?\d+(?:e[+-]?\d+)?")


def small(text):
    """(width, height, markup of everything inside) of the SVG `text`."""
    root = ElementTree.fromstring(text)
    leaves = [leaf for child in root for leaf in _leaves(child, 0.0, 0.0, {})]
    drawn = (
        _together(dict(style), [body for _, body in group])
        for style, group in groupby(leaves, key=lambda leaf: leaf[0])
    )
    return float(root.get("width")), float(root.get("height")), "".join(drawn)


def _leaves(element, x, y, inherited):
    """Yield (style, markup or path data) of all that is drawn in `element`, at its place in the
    whole picture.
    """
    x, y, turn = _moved(element.get("transform", ""), x, y)
    style = inherited | {key: element.get(key) for key in STYLE if element.get(key)}
    kind = element.tag.removeprefix(SVG)
    if kind == "g":
        for child in element:
            yield from _leaves(child, x, y, style)
    elif kind == "text":
        text = element.text or ""
        if text and style.get("opacity") != "0":
            yield _of_text(style), _text(element, x, y, turn, text)
    elif kind in PATHS and _seen(style):
        yield _of_path(style), _placed(PATHS[kind](element), x, y)


def _moved(transform, x, y):
    turn = ""
    for what, values in MOVE.findall(transform):
        numbers = [float(value) for value in NUMBER.findall(values)]
        if what == "translate":
            x, y = x + numbers[0], y + (numbers[1] if len(numbers) > 1 else 0)
        elif numbers[0]:
            turn = _short(numbers[0])
    return x, y, turn


def _seen(style):
    painted = {style.get("fill", "none"), style.get("stroke", "none")} - {"none", "transparent"}
    return bool(painted) and style.get("opacity") != "0" and "#ddd" not in painted


def _of_text(style):
    kept = {
        key: style[key].removesuffix("px")
        for key in ("fill", "font-size", "font-weight", "text-anchor")
        if key in style
    }
    return tuple(item for item in {**kept, "of": "text"}.items() if item not in IMPLIED)


def _of_path(style):
    outline = "stroke" in style and style["stroke"] != style.get(
        "fill"
    )  # a filled mark needs none of its own colour
    return tuple(
        (key, style[key])
        for key in STYLE[:8]
        if key in style
        and (key, style[key]) not in IMPLIED
        and (outline or not key.startswith("stroke"))
    )


def _text(element, x, y, turn, text):
    x, y = x + float(element.get("x", 0)), y + float(element.get("y", 0))
    turned = f' transform="rotate({turn} {_short(x)} {_short(y)})"' if turn else ""
    return f'<text x="{_short(x)}" y="{_short(y)}"{turned}>{_escaped(text)}</text>'


def _rectangle(element):
    x, y, width, height = (float(element.get(key, 0)) for key in ("x", "y", "width", "height"))
    return f"M{x},{y}h{width}v{height}h{-width}Z"


def _line(element):
    x1, y1, x2, y2 = (float(element.get(key, 0)) for key in ("x1", "y1", "x2", "y2"))
    return f"M{x1},{y1}L{x2},{y2}"


PATHS = {"path": lambda element: element.get("d", ""), "rect": _rectangle, "line": _line}


def _placed(data, x, y):
    """Path data moved by (x, y), every point in tenths from the last, which is shorter than from
    the corner.
    """
    written, at, start = [], (0, 0), (0, 0)
    for command, arguments in COMMAND.findall(data):
        numbers = [float(value) for value in NUMBER.findall(arguments)]
        if command == "Z":
            written.append("Z")
            at = start
            continue
        head, point = numbers[:-2] if command == "A" else [], _point(command, numbers, at, x, y)
        start = point if command == "M" else start
        written.append(_step(command, head, at, point))
        at = point
    return "".join(written)


def _point(command, numbers, at, x, y):
    """Where a command of Vega's leads, in tenths of a pixel from the corner of the picture."""
    if command in "hv":
        across, down = (numbers[0], 0) if command == "h" else (0, numbers[0])
        return at[0] + round(10 * across), at[1] + round(10 * down)
    if command not in "MLA":
        raise ValueError(f"a path command {command!r}, which Vega did not use before")
    return round(10 * (numbers[-2] + x)), round(10 * (numbers[-1] + y))


def _step(command, head, at, point):
    if command == "M":
        return "M" + _pair(*point)
    across, down = point[0] - at[0], point[1] - at[1]
    if command == "A":
        return f"a{','.join(map(_short, head))},{_pair(across, down)}".replace(",-", "-")
    if not down:
        return "h" + _short(across / 10)
    return "v" + _short(down / 10) if not across else "l" + _pair(across, down)


def _pair(x, y):
    return f"{_short(x / 10)},{_short(y / 10)}".replace(",-", "-")


def _together(style, bodies):
    attributes = "".join(
        f' {key}="{_escaped(value)}"' for key, value in style.items() if key != "of"
    )
    if style.get("of") == "text":
        return f"<g{attributes}>{''.join(bodies)}</g>"
    unfilled = "" if "fill" in style else ' fill="none"'
    return f'<path{attributes}{unfilled} d="{"".join(bodies)}"/>'


def _short(value):
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text


def _escaped(text):
    return (
        text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
    )
