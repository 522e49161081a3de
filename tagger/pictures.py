"""Pictures as SVG or PNG: bars per track, and a confusion matrix.

Texts are drawn in the system's fonts, so a name in Japanese needs a font that has it.
"""

import struct
import unicodedata
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from parity.drawing import vl_convert
from parity.errors import visible
from parity.files import FilePath
from tagger.tagging import Scored, percent_of

if TYPE_CHECKING:
    import altair

WIDTH, ROW, CELL = 480, 20, 44  # pixels
NAME_COLUMNS = 70  # of a track's name, a wide character counting two
INK, FONT_PX = "#234f8c", 12
KINDS = (".svg", ".png")
PNG_HEAD_BYTES = 33  # magic and IHDR
PNG_SCALE = 2  # pixels of a PNG for each of the drawing
PNG_MOST = 32767  # pixels of its height: many viewers show no more, and it takes 120 MB to draw


def check_kind(path: FilePath) -> None:
    """Raise ValueError where pictures are not written as a file of that name."""
    if Path(path).suffix.lower() not in KINDS:
        raise ValueError(
            f"{path}: pictures are written as svg or png; give a name that ends in "
            f"{' or '.join(KINDS)}"
        )


def check_height(path: FilePath, tracks: int, top: int) -> None:
    """Raise ValueError where `path` is a png that `top` bars of so many tracks make too high."""
    height = PNG_SCALE * tracks * (top + 2) * ROW
    if Path(path).suffix.lower() == ".png" and height > PNG_MOST:
        raise ValueError(
            f"{path}: {tracks} tracks make a png of {height:,} pixels in height, "
            f"and {PNG_MOST:,} is the most; "
            "give a name that ends in .svg, fewer tracks or a smaller --top"
        )


def bars(
    path: FilePath,
    tags: tuple[str, ...],
    tracks: list[Scored],
    top: int,
    unit: str,
    titles: list[str],
) -> bytes:
    """A panel of bars for each track, the mean's where there are frames, as path's kind of file.

    unit : "percent" or "score".
    """
    import altair as alt

    full, rows = (100 if unit == "percent" else 1), []
    for number, track in enumerate(tracks):
        _, scores = track.by_frame()[-1]
        values = percent_of(scores) if unit == "percent" else scores
        best = sorted(zip(values.tolist(), tags, strict=True), reverse=True)[:top]
        # Names may be alike; the number keeps panels apart and in order.
        panel = f"{number:06}{shortened(visible(track.path))}"
        rows += [
            {"panel": panel, "rank": rank, "tag": tag, "value": value}
            for rank, (value, tag) in enumerate(best)
        ]
    base = alt.Chart().encode(y=alt.Y("rank:O", axis=None))
    text = {"baseline": "middle", "fontSize": FONT_PX}
    x = alt.X("value:Q", axis=None, scale=alt.Scale(domain=(0, full)))
    panels = alt.layer(
        base.mark_bar(color=INK).encode(x=x),
        base.mark_text(align="right", dx=-8, **text).encode(
            x=alt.XDatum(0, axis=None), text="tag:N"
        ),
        base.mark_text(align="left", dx=6, **text).encode(
            x=x, text=alt.Text("value:Q", format=".3f")
        ),
        data=alt.Data(values=rows),
    ).properties(width=WIDTH, height={"step": ROW})
    header = alt.Header(
        title=None,
        labelExpr="slice(datum.label, 6)",
        labelAnchor="start",
        labelFontSize=FONT_PX,
        labelFontWeight="bold",
        labelLimit=0,
        labelOrient="top",
        labelPadding=4,
    )
    return _drawn(path, panels.facet(row=alt.Row("panel:N", header=header), spacing=ROW), titles)


def matrix(path: FilePath, names: list[str], counts: list, titles: list[str]) -> bytes:
    """A square table of counts, rows = true name, each cell as dark as its share of the row."""
    import altair as alt

    rows = [
        {"true": i, "predicted": j, "count": count, "share": count / max(1, sum(counts[i]))}
        for i in range(len(names))
        for j, count in enumerate(counts[i])
    ]
    for row in rows:
        row |= {"true": names[row["true"]], "predicted": names[row["predicted"]]}
    axis = {
        "title": None,
        "domain": False,
        "ticks": False,
        "labelFontSize": FONT_PX,
        "labelLimit": 0,
    }
    base = alt.Chart(alt.Data(values=rows)).encode(
        x=alt.X("predicted:N", sort=names, axis=alt.Axis(orient="top", labelAngle=-45, **axis)),
        y=alt.Y("true:N", sort=names, axis=alt.Axis(**axis)),
    )
    shade = alt.Scale(domain=(0, 1), range=("#ffffff", INK), interpolate="rgb")
    cells = base.mark_rect(stroke="#cccccc").encode(
        color=alt.Color("share:Q", scale=shade, legend=None)
    )
    ink = alt.condition("datum.share > 0.5", alt.value("#ffffff"), alt.value("#000000"))
    numbers = base.mark_text(fontSize=FONT_PX).encode(text="count:Q", color=ink)
    return _drawn(
        path, (cells + numbers).properties(width={"step": CELL}, height={"step": CELL}), titles
    )


def shortened(name: str) -> str:
    """`name`, or its end after an ellipsis: the end of a path is what tells files apart."""
    columns, kept = 0, ""
    for character in reversed(name):
        columns += 2 if unicodedata.east_asian_width(character) in "WF" else 1
        if columns > NAME_COLUMNS:
            return "…" + kept
        kept = character + kept
    return kept


def _drawn(path: FilePath, chart: "altair.TopLevelMixin", titles: list[str]) -> bytes:
    title = {
        "text": titles,
        "anchor": "start",
        "fontSize": FONT_PX,
        "fontWeight": "normal",
        "offset": 10,
    }
    chart = chart.properties(title=title, background="#ffffff", padding=10)
    spec = chart.configure_view(stroke=None).to_dict()
    if Path(path).suffix.lower() == ".png":
        return _signed(vl_convert().vegalite_to_png(spec, scale=PNG_SCALE))
    return vl_convert().vegalite_to_svg(spec).encode()


def _signed(png: bytes) -> bytes:
    """`png` with the name of this program after its first chunk, so that it may be replaced."""
    chunk = b"tEXtSoftware\0music-tagger-parity"
    signature = struct.pack(f">I{len(chunk)}sI", len(chunk) - 4, chunk, zlib.crc32(chunk))
    return png[:PNG_HEAD_BYTES] + signature + png[PNG_HEAD_BYTES:]
