"""Where a port differs: the map of a layer's evidence as a palette PNG in a data: URI."""

import io
from base64 import b64encode
from functools import cache

from parity.reports import Record, figures

# As parity.json has them: 0 is nothing, 1 to f run from the least to the largest.
LEVELS = "0123456789abcdef"
# Anchors of viridis (matplotlib, CC0), whose brightness rises evenly: readable in grey, on paper
# and by the colour-blind.
ANCHORS = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))
SCALE = 4.375  # CSS pixels on the page for a block: 64 make the width of the pictures beside it


@cache
def colours() -> tuple[bytes, ...]:
    """The red, green and blue of each level but 0, which is transparent."""
    count, gaps = len(LEVELS) - 1, len(ANCHORS) - 1
    return tuple(_between(gaps * at / (count - 1)) for at in range(count))


def _between(position: float) -> bytes:
    low = min(int(position), len(ANCHORS) - 2)
    pairs, share = zip(ANCHORS[low], ANCHORS[low + 1], strict=True), position - low
    return bytes(round(a + share * (b - a)) for a, b in pairs)


def gradient() -> str:
    """The colours as a CSS gradient, least to largest."""
    return f"linear-gradient(90deg, {', '.join('#' + colour.hex() for colour in colours())})"


def heat_map(model: Record, layer: Record) -> Record | None:
    """What the card's picture of the layer's map needs; None where there is no map."""
    found = (layer.get("evidence") or {}).get("map")
    if not found:
        return None
    return {
        "source": image(found),
        "size": [round(SCALE * count) for count in (len(found["rows"][0]), len(found["rows"]))],
        "alternative": f"{model['name']} / {layer['name']}: {_alternative(layer, found)}",
        "caption": _caption(layer, found),
        "range": f"{figures.drift(found['least'])} to {figures.drift(found['largest'])}",
    }


def image(found: Record) -> str:
    """The map as `data:image/png;base64,...`, the first row below, as mel bands are drawn."""
    from PIL import Image

    rows = found["rows"][::-1]
    if len(set(map(len, rows))) > 1:
        raise ValueError("the rows of a map are not equally long")
    pixels = bytes(LEVELS.index(level) for row in rows for level in row)
    picture = Image.frombytes("P", (len(rows[0]), len(rows)), pixels)
    picture.putpalette([0, 0, 0, *b"".join(colours())])
    written = io.BytesIO()
    picture.save(written, "PNG", bits=4, transparency=0, optimize=True)
    return f"data:image/png;base64,{b64encode(written.getvalue()).decode('ascii')}"


def _axes(layer: Record) -> tuple[str, str]:
    """(upwards, across) of a layer's map."""
    names = layer.get("axes", [])
    return (names[-2], names[-1]) if len(names) > 1 else ("last axis but one", "last axis")


def _alternative(layer: Record, found: Record) -> str:
    """What the picture says, for those who do not see it."""
    (up, across), (rows, columns) = _axes(layer), found["shape"]
    at_row, at_column = _hottest(found)
    return (
        f"{found['mode']} difference by {up} (0 to {rows - 1}, upwards) and {across} (0 to "
        f"{columns - 1}): at most {figures.drift(found['largest'])}, largest at {up} {at_row}, "
        f"{across} {at_column}"
    )


def _hottest(found: Record) -> list[str]:
    """The first block of the highest level, `33` or `32 to 35`, on both axes."""
    levels = "".join(found["rows"])
    places = divmod(levels.index(max(levels)), len(found["rows"][0]))
    spans = (
        (at * block, min(end, (at + 1) * block) - 1)
        for at, block, end in zip(places, found["block"], found["shape"], strict=True)
    )
    return [" to ".join(map(str, dict.fromkeys(span))) for span in spans]


def _caption(layer: Record, found: Record) -> str:
    axes = _axes(layer)
    up, across = axes
    over = " and ".join(f"{axis}s" for axis in layer.get("axes", [])[:-2]) or "the other axes"
    blocks = map(figures.counted, found["block"], axes)
    single = found["block"] == [1, 1]
    place = f"at each {up} and {across}" if single else f"in blocks of {' by '.join(blocks)}"
    return (
        f"|port − original|, {found['mode']}, largest over {over} {place}; {up} 0 is at the "
        "bottom; empty where nothing differs."
    )
