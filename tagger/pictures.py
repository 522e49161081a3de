"""Pictures, drawn once as boxes and texts and written as SVG or PNG: bars per track, and a
confusion matrix.
"""

import io
import math
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import NamedTuple

from parity.port.files import FilePath
from parity.port.sentences import shown
from tagger.fonts import estimated_px, fitted, written

WIDTH, LABEL, ROW, HEAD = 640, 150, 20, 34  # pixels
CELL = 44
FONT_PX = 12
INK, BLACK, WHITE, RULE = "#234f8c", "#000000", "#ffffff", "#cccccc"
PNG_SCALE = 2  # pixels of a PNG for each of the drawing
PNG_MOST = 32767  # pixels of its height: many viewers show no more, and it takes 120 MB to draw


class Text(NamedTuple):
    """A line of text; (x, y) is where its baseline starts, ends or has its middle; it may turn
    about that point.
    """

    x: float
    y: float
    text: str
    anchor: str = "start"
    ink: str = BLACK
    is_bold: bool = False
    turned_degrees: int = 0
    room: float = math.inf  # pixels; of what is wider the end is shown


class Box(NamedTuple):
    """A filled rectangle; `strength` from 0 (white) to 1 (ink) is how dark it is."""

    x: float
    y: float
    width: float
    height: float
    strength: float = 1.0
    has_rule: bool = False


class Drawing(NamedTuple):
    """Marks on a white ground, in pixels, y downwards; later ones lie above earlier ones."""

    width: int
    height: int
    marks: list


def bar_panels(panels: list, full: float, titles: list[str]) -> Drawing:
    """[(track, [(tag, value), ..]), ..]: one panel per track, bars on a scale from 0 to `full`; a
    line for each title.
    """
    marks, y = _titles(titles)
    for track, bars in panels:
        marks.append(Text(10, y + 14, track, is_bold=True, room=WIDTH - 20))
        y += ROW
        for tag, value in bars:
            marks += _bar(y, tag, value, value / full)
            y += ROW
        y += ROW
    return Drawing(WIDTH, y, marks)


def check_height(path: FilePath, panels: int, bars: int, titles: int) -> None:
    """Raise ValueError where `path` is a png and so many panels of so many bars, under so many
    titles, make it too high.
    """
    height = PNG_SCALE * (HEAD + (titles - 1) * ROW + panels * (bars + 2) * ROW)
    if writer_of(path) is png and height > PNG_MOST:
        raise ValueError(
            f"{shown(path)}: {panels} tracks make a png of {height:,} pixels in height, "
            f"and {PNG_MOST:,} is the most; "
            "give a name that ends in .svg, fewer tracks or a smaller --top"
        )


def _titles(titles):
    """Marks of the title lines, and where the drawing goes on below them."""
    return [Text(10, 20 + i * ROW, title) for i, title in enumerate(titles)], HEAD + (
        len(titles) - 1
    ) * ROW


def _bar(y, tag, value, share):
    width = share * (WIDTH - LABEL - 80)
    box = Box(LABEL, y + 3, width, ROW - 6)
    return Text(LABEL - 8, y + 14, tag, "end"), box, Text(LABEL + width + 6, y + 14, f"{value:.3f}")


def matrix(names: list[str], counts: list, titles: list[str]) -> Drawing:
    """Square table of counts, rows = true name, each cell as dark as its share of the row; a line
    for each title.
    """
    marks, top = _titles(titles)
    for i, name in enumerate(names):
        across, down = LABEL + i * CELL, top + 60 + i * CELL
        marks += (
            Text(LABEL - 8, down + 27, name, "end"),
            Text(across + 22, top + 54, name, turned_degrees=-45),
        )
        whole = max(1, sum(counts[i]))
        for j, count in enumerate(counts[i]):
            marks += _cell(LABEL + j * CELL, down, count, count / whole)
    return Drawing(max(WIDTH, LABEL + len(names) * CELL + 60), top + 80 + len(names) * CELL, marks)


def _cell(x, y, count, share):
    ink = WHITE if share > 0.5 else BLACK
    return Box(x, y, CELL, CELL, share, has_rule=True), Text(
        x + CELL / 2, y + 27, str(count), "middle", ink
    )


def svg(drawing: Drawing) -> bytes:
    """The drawing as SVG, in utf-8."""
    width, height, marks = drawing
    ground = f'<rect width="{width}" height="{height}" fill="{WHITE}"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    parts = "".join(SVG_OF[type(mark)](mark) for mark in marks)
    style = f"font-family:sans-serif;font-size:{FONT_PX}px"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} style="{style}">{ground}{parts}</svg>\n'
    ).encode()


def _svg_text(text):
    said = fitted(text.text, text.room, lambda part: estimated_px(part, FONT_PX))
    weight = ' font-weight="bold"' if text.is_bold else ""
    turn = (
        f' transform="rotate({text.turned_degrees} {text.x:.0f} {text.y:.0f})"'
        if text.turned_degrees
        else ""
    )
    place = f'x="{text.x:.0f}" y="{text.y:.0f}" text-anchor="{text.anchor}" fill="{text.ink}"'
    return f"<text {place}{weight}{turn}>{escape(said)}</text>"


def _svg_box(box):
    rule = f' stroke="{RULE}"' if box.has_rule else ""
    place = f'x="{box.x:.0f}" y="{box.y:.0f}" width="{box.width:.1f}" height="{box.height:.1f}"'
    return f'<rect {place} fill="{INK}" fill-opacity="{box.strength:.3f}"{rule}/>'


def png(drawing: Drawing) -> bytes:
    """The drawing as PNG, the same bytes every time, in the font that Pillow brings where that has
    all characters (port/fonts.py).
    """
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (drawing.width * PNG_SCALE, drawing.height * PNG_SCALE), WHITE)
    canvas = ImageDraw.Draw(image)
    for mark in drawing.marks:
        PNG_OF[type(mark)](mark, image, canvas)
    stream = io.BytesIO()
    image.save(stream, "PNG", optimize=True)
    return stream.getvalue()


def _png_text(text, image, canvas):
    from PIL import Image, ImageDraw

    font, said = written(text.text, FONT_PX * PNG_SCALE)
    said = fitted(said, text.room * PNG_SCALE, font.getlength)
    place, anchor = (
        (text.x * PNG_SCALE, text.y * PNG_SCALE),
        {"start": "ls", "middle": "ms", "end": "rs"}[text.anchor],
    )
    bold = {"stroke_width": 0.5, "stroke_fill": text.ink} if text.is_bold else {}
    if not text.turned_degrees:
        canvas.text(place, said, text.ink, font, anchor, **bold)
        return
    mask = Image.new("L", image.size)  # turned about the text's own point, as SVG turns it
    ImageDraw.Draw(mask).text(place, said, 255, font, anchor)
    image.paste(
        text.ink, mask=mask.rotate(-text.turned_degrees, Image.Resampling.BICUBIC, center=place)
    )


def _png_box(box, image, canvas):
    from PIL import ImageColor

    ink = tuple(round(255 - box.strength * (255 - value)) for value in ImageColor.getrgb(INK))
    left, top, right, bottom = (
        round(at * PNG_SCALE) for at in (box.x, box.y, box.x + box.width, box.y + box.height)
    )
    if right > left:
        canvas.rectangle((left, top, right - 1, bottom - 1), ink, RULE if box.has_rule else None)


SVG_OF = {Text: _svg_text, Box: _svg_box}
PNG_OF = {Text: _png_text, Box: _png_box}
WRITERS = {".svg": svg, ".png": png}


def writer_of(path: FilePath) -> Callable[[Drawing], bytes]:
    """What turns a Drawing into the bytes of a file of that name; ValueError for a name of another
    kind.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in WRITERS:
        raise ValueError(
            f"{shown(path)}: pictures are written as svg or png; give a name that ends in "
            f"{' or '.join(WRITERS)}"
        )
    return WRITERS[suffix]
