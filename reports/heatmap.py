"""Where a port differs, as a picture of a few hundred bytes: the map of a layer's evidence as a
palette PNG in a data: URI.
"""

import io
from base64 import b64encode
from functools import cache

from parity.reports import figures

LEVELS = (
    "0123456789abcdef"  # as parity.json has them: 0 nothing, 1 to f from the least to the largest
)
# Anchors of viridis (matplotlib, CC0), whose brightness rises evenly: readable in grey, on paper
# and by the colour-blind.
ANCHORS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
# (upwards, across) of a tensor's last two axes, by how many it has
AXES = {4: ("mel band", "time frame"), 3: ("time step", "unit")}
SCALE = 4.375  # CSS pixels on the page for a block: 64 make the width of the pictures beside it


def colours():
    """An (r, g, b) for each level but 0, which is transparent."""
    count = len(LEVELS) - 1
    return [_between((len(ANCHORS) - 1) * at / (count - 1)) for at in range(count)]


def image(found):
    """The map as `data:image/png;base64,...`: the first row below, as mel bands are drawn."""
    from PIL import Image

    rows = found["rows"][::-1]
    if len(set(map(len, rows))) > 1:
        raise ValueError("the rows of a map are not equally long")
    pixels = bytes(LEVELS.index(level) for row in rows for level in row)
    picture = Image.frombytes("P", (len(rows[0]), len(rows)), pixels)
    picture.putpalette([0, 0, 0, *(part for colour in colours() for part in colour)])
    written = io.BytesIO()
    picture.save(written, "PNG", bits=4, transparency=0, optimize=True)
    return f"data:image/png;base64,{b64encode(written.getvalue()).decode('ascii')}"


def size(found):
    """(width, height) on the page, in whole CSS pixels."""
    return round(SCALE * len(found["rows"][0])), round(SCALE * len(found["rows"]))


def axes(layer):
    """(across, up) of a layer's map, in words; the dimensions' numbers where they are not known."""
    shape = layer["shape"] or []
    up, across = AXES.get(len(shape), ("last axis but one", "last axis"))
    return across, up


def alternative(layer, found):
    """What the picture says, for those who do not see it."""
    (across, up), (rows, columns) = axes(layer), found["shape"]
    where = _hottest(found)
    return (
        f"{found['mode']} difference by {up} (0 to {rows - 1}, upwards) and {across} (0 "
        f"to {columns - 1}): at most "
        f"{figures.drift(found['largest'])}, largest at {up} {where[0]}, {across} {where[1]}"
    )


def _hottest(found):
    """The first block of the highest level, as text: `33` or `32 to 35`, for both axes."""
    highest = max(max(row) for row in found["rows"])
    at = next(
        (row, column)
        for row, levels in enumerate(found["rows"])
        for column, level in enumerate(levels)
        if level == highest
    )
    return [
        _span(place, block, end)
        for place, block, end in zip(at, found["block"], found["shape"], strict=True)
    ]


def _span(at, block, end):
    first, last = at * block, min(end, (at + 1) * block) - 1
    return str(first) if first == last else f"{first} to {last}"


@cache
def legend():
    """The colours as a CSS gradient, least to largest."""
    return f"linear-gradient(90deg, {', '.join('#' + bytes(colour).hex() for colour in colours())})"


def _between(position):
    low = min(int(position), len(ANCHORS) - 2)
    share = position - low
    return tuple(
        round(a + share * (b - a)) for a, b in zip(ANCHORS[low], ANCHORS[low + 1], strict=True)
    )
