"""An SVG of vl-convert made small: no wrappers, no roles, no numbers finer than can be seen; what
looks alike is drawn at once.

A chart of 28 layers is 57 kB as it comes and 7 kB after this. Colours are CSS variables of the
page and pass untouched.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from html import escape
from itertools import groupby
from xml.etree.ElementTree import Element, fromstring

SVG = "{http://www.w3.org/2000/svg}"
OF_PATH = (
    "fill",
    "stroke",
    "stroke-width",
    "stroke-dasharray",
    "stroke-linecap",
    "opacity",
    "fill-opacity",
    "stroke-opacity",
)
OF_TEXT = ("fill", "font-size", "font-weight", "text-anchor")
IMPLIED = {
    "stroke-width": "1",
    "opacity": "1",
    "font-weight": "normal",
    "fill": "transparent",
    "text-anchor": "start",
    "stroke-dasharray": "1,0",
}
MOVE = re.compile(r"(translate|rotate)\(([^)]*)\)")
COMMAND = re.compile(r"([A-DF-Za-df-z])([^A-DF-Za-df-z]*)")  # e is the exponent of a number
NUMBER = re.compile(r"-?\d*\.?\d+(?:e[+-]?\d+)?")
Style = dict[str, str]
Leaf = tuple[bool, Style, str]  # is it text; its style; its markup or path data


def small(text: str) -> tuple[float, float, str]:
    """(width, height, markup of everything inside) of the SVG `text`."""
    root = fromstring(text)
    leaves = [leaf for child in root for leaf in _leaves(child, 0.0, 0.0, {})]
    drawn = (
        _together(is_text, style, "".join(body for *_, body in group))
        for (is_text, style), group in groupby(leaves, key=lambda leaf: leaf[:2])
    )
    return float(root.get("width", 0)), float(root.get("height", 0)), "".join(drawn)


def _leaves(element: Element, x: float, y: float, inherited: Style) -> Iterator[Leaf]:
    """All that is drawn in `element`, at its place in the whole picture."""
    x, y, turn = _moved(element.get("transform", ""), x, y)
    style = inherited | {
        key: element.get(key, "") for key in {*OF_PATH, *OF_TEXT} & set(element.attrib)
    }
    kind = element.tag.removeprefix(SVG)
    if kind == "g":
        for child in element:
            yield from _leaves(child, x, y, style)
    elif kind == "text":
        if element.text and style.get("opacity") != "0":
            yield True, _kept(style, OF_TEXT), _text(element, x, y, turn)
    elif kind in PATHS and _seen(style):
        # a filled mark needs no outline of its own colour
        outlined = style.get("stroke", style.get("fill")) != style.get("fill")
        keys = [key for key in OF_PATH if outlined or not key.startswith("stroke")]
        yield False, _kept(style, keys), _placed(PATHS[kind](element), x, y)


def _moved(transform: str, x: float, y: float) -> tuple[float, float, str]:
    turn = ""
    for what, values in MOVE.findall(transform):
        across, *down = [float(value) for value in NUMBER.findall(values)]
        if what == "translate":
            x, y = x + across, y + sum(down)
        elif across:
            turn = short(across)
    return x, y, turn


def _seen(style: Style) -> bool:
    painted = {style.get("fill", "none"), style.get("stroke", "none")} - {"none", "transparent"}
    return bool(painted) and style.get("opacity") != "0" and "#ddd" not in painted


def _kept(style: Style, keys: Sequence[str]) -> Style:
    found = {key: style[key].removesuffix("px") for key in keys if style.get(key)}
    return {key: value for key, value in found.items() if IMPLIED.get(key) != value}


def _numbers(element: Element, *keys: str) -> list[float]:
    return [float(element.get(key, 0)) for key in keys]


def _text(element: Element, x: float, y: float, turn: str) -> str:
    at = [
        short(start + moved)
        for start, moved in zip(_numbers(element, "x", "y"), (x, y), strict=True)
    ]
    turned = f' transform="rotate({turn} {at[0]} {at[1]})"' if turn else ""
    return f'<text x="{at[0]}" y="{at[1]}"{turned}>{_escaped(element.text or "")}</text>'


def _rectangle(element: Element) -> str:
    x, y, width, height = _numbers(element, "x", "y", "width", "height")
    return f"M{x},{y}h{width}v{height}h{-width}Z"


def _line(element: Element) -> str:
    x1, y1, x2, y2 = _numbers(element, "x1", "y1", "x2", "y2")
    return f"M{x1},{y1}L{x2},{y2}"


PATHS: dict[str, Callable[[Element], str]] = {
    "path": lambda element: element.get("d", ""),
    "rect": _rectangle,
    "line": _line,
}


def _placed(data: str, x: float, y: float) -> str:
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
        point = _point(command, numbers, at, x, y)
        start = point if command == "M" else start
        written.append(_step(command, numbers[:-2], at, point))
        at = point
    return "".join(written)


def _point(
    command: str, numbers: list[float], at: tuple[int, int], x: float, y: float
) -> tuple[int, int]:
    """Where a command of Vega's leads, in tenths of a pixel from the corner of the picture."""
    if command in "hv":
        step = round(10 * numbers[0])
        return at[0] + step * (command == "h"), at[1] + step * (command == "v")
    if command not in "MLA":
        raise ValueError(f"a path command {command!r}, which Vega did not use before")
    return round(10 * (numbers[-2] + x)), round(10 * (numbers[-1] + y))


def _step(command: str, head: list[float], at: tuple[int, int], point: tuple[int, int]) -> str:
    if command == "M":
        return "M" + _pair(*point)
    across, down = point[0] - at[0], point[1] - at[1]
    if command == "A":
        return f"a{','.join(map(short, head))},{_pair(across, down)}".replace(",-", "-")
    if not down:
        return "h" + short(across / 10)
    return "v" + short(down / 10) if not across else "l" + _pair(across, down)


def _pair(x: int, y: int) -> str:
    return f"{short(x / 10)},{short(y / 10)}".replace(",-", "-")


def _together(is_text: bool, style: Style, body: str) -> str:
    attributes = "".join(f' {key}="{_escaped(value)}"' for key, value in style.items())
    if is_text:
        return f"<g{attributes}>{body}</g>"
    unfilled = "" if "fill" in style else ' fill="none"'
    return f'<path{attributes}{unfilled} d="{body}"/>'


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace('"', "&quot;")


def short(value: float) -> str:
    """A coordinate in tenths of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
