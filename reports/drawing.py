"""An SVG of vl-convert made small: no wrappers, no roles, no numbers finer than can be seen; what
looks alike is drawn at once.

A chart of 28 layers is 57 kB as it comes and 7 kB after this. Colours are CSS variables of the
page and pass untouched.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby
from unicodedata import east_asian_width
from xml.etree.ElementTree import Element, fromstring

SVG = "{http://www.w3.org/2000/svg}"
OF_PATH = (
    "fill stroke stroke-width stroke-dasharray stroke-linecap opacity fill-opacity stroke-opacity"
).split()
OF_TEXT = "fill font-size font-weight text-anchor".split()
IMPLIED = {
    "stroke-width": "1",
    "opacity": "1",
    "font-weight": "normal",
    "fill": "transparent",
    "text-anchor": "start",
    "stroke-dasharray": "1,0",
}
# what is drawn as a path: its data, from the element's attributes
PATHS = {
    "path": "{d}",
    "rect": "M{x},{y}h{width}v{height}h-{width}Z",
    "line": "M{x1},{y1}L{x2},{y2}",
}
MOVE = re.compile(r"(translate|rotate)\(([^)]*)\)")
COMMAND = re.compile(r"([A-DF-Za-df-z])([^A-DF-Za-df-z]*)")  # e is the exponent of a number
NUMBER = re.compile(r"-?\d*\.?\d+(?:e[+-]?\d+)?")
Style = dict[str, str]
Leaf = tuple[bool, Style, str]  # is it text; its style; its markup or path data


def small(text: str) -> tuple[float, float, str]:
    """(width, height, markup of everything inside) of the SVG `text`."""
    root = fromstring(text)
    leaves = [leaf for child in root for leaf in _leaves(child, 0j, {})]
    drawn = (
        _together(is_text, style, "".join(body for *_, body in group))
        for (is_text, style), group in groupby(leaves, key=lambda leaf: leaf[:2])
    )
    width, height = _numbers(root, "width", "height")
    return width, height, "".join(drawn)


def _leaves(element: Element, at: complex, inherited: Style) -> Iterator[Leaf]:
    """All that is drawn in `element`; at: its place in the whole picture, x + jy."""
    at, turn = _moved(element.get("transform", ""), at)
    style = {**inherited, **element.attrib}
    kind = element.tag.removeprefix(SVG)
    if kind == "g":
        for child in element:
            yield from _leaves(child, at, style)
    elif kind == "text":
        if element.text and style.get("opacity") != "0":
            yield True, _kept(style, OF_TEXT), _text(element, at, turn)
    elif kind in PATHS and _seen(style):
        # a filled mark needs no outline of its own colour
        outlined = style.get("stroke", style.get("fill")) != style.get("fill")
        keys = [key for key in OF_PATH if outlined or not key.startswith("stroke")]
        yield (
            False,
            _kept(style, keys),
            _placed(PATHS[kind].format_map(defaultdict(int, element.attrib)), at),
        )


def _moved(transform: str, at: complex) -> tuple[complex, str]:
    turn = ""
    for what, values in MOVE.findall(transform):
        across, *down = [float(value) for value in NUMBER.findall(values)]
        if what == "translate":
            at += complex(across, sum(down))
        elif across:
            turn = short(across)
    return at, turn


def _seen(style: Style) -> bool:
    painted = {style.get("fill", "none"), style.get("stroke", "none")} - {"none", "transparent"}
    return bool(painted) and style.get("opacity") != "0" and "#ddd" not in painted


def _kept(style: Style, keys: Sequence[str]) -> Style:
    found = {key: style[key].removesuffix("px") for key in keys if style.get(key)}
    return {key: value for key, value in found.items() if IMPLIED.get(key) != value}


def _numbers(element: Element, *keys: str) -> list[float]:
    return [float(element.get(key, 0)) for key in keys]


def _text(element: Element, at: complex, turn: str) -> str:
    at += complex(*_numbers(element, "x", "y"))
    x, y = short(at.real), short(at.imag)
    turned = f' transform="rotate({turn} {x} {y})"' if turn else ""
    return f'<text x="{x}" y="{y}"{turned}>{_escaped(element.text or "")}</text>'


def _placed(data: str, shift: complex) -> str:
    """Path data moved by `shift`, every point in tenths from the last, which is shortest."""
    written, at, start = "", 0j, 0j
    for command, arguments in COMMAND.findall(data):
        numbers = [float(value) for value in NUMBER.findall(arguments)]
        point = start if command == "Z" else _point(command, numbers, at, shift)
        start = point if command == "M" else start
        written += _step(command, numbers[:-2], point, point - at)
        at = point
    return written


def _point(command: str, numbers: list[float], at: complex, shift: complex) -> complex:
    """Where a command of Vega's leads, in tenths of a pixel from the corner of the picture."""
    if command in "hv":
        return at + round(10 * numbers[0]) * (1 if command == "h" else 1j)
    if command not in "MLA":
        raise ValueError(f"a path command {command!r}, which Vega did not use before")
    return complex(round(10 * (numbers[-2] + shift.real)), round(10 * (numbers[-1] + shift.imag)))


def _step(command: str, head: list[float], point: complex, step: complex) -> str:
    if command == "A":
        return f"a{','.join(map(short, head))},{_pair(step)}".replace(",-", "-")
    if command in "MZ":
        return "Z" if command == "Z" else "M" + _pair(point)
    if not step.imag:
        return "h" + short(step.real / 10)
    return "l" + _pair(step) if step.real else "v" + short(step.imag / 10)


def _pair(point: complex) -> str:
    return f"{short(point.real / 10)},{short(point.imag / 10)}".replace(",-", "-")


def _together(is_text: bool, style: Style, body: str) -> str:
    attributes = "".join(f' {key}="{_escaped(value)}"' for key, value in style.items())
    if is_text:
        return f"<g{attributes}>{body}</g>"
    unfilled = "" if "fill" in style else ' fill="none"'
    return f'<path{attributes}{unfilled} d="{body}"/>'


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace('"', "&quot;")


def width(text: str, size: float = 11) -> float:
    """About how wide a text is in letters of `size` pixels, rather too wide."""
    return sum(size * (1.1 if east_asian_width(each) in "WF" else 0.62) for each in text)


def fitted(text: str, room: float, size: float = 11) -> str:
    """A text, or as much of its beginning as has room."""
    if width(text, size) <= room:
        return text
    while text and width(f"{text}…", size) > room:
        text = text[:-1]
    return f"{text}…"


def short(value: float) -> str:
    """A coordinate in tenths of a pixel."""
    text = f"{value:.1f}".removesuffix(".0")
    return "0" if text == "-0" else text
