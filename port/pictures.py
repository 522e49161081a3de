"""Pictures as SVG, which needs no library: bars per track, and a confusion matrix."""

from html import escape

WIDTH, LABEL, ROW, HEAD = 640, 150, 20, 34  # pixels
CELL = 44
STYLE = "font-family:sans-serif;font-size:12px"
INK = "#234f8c"


def bar_panels(panels, full, title):
    """[(track, [(tag, value), ..]), ..] -> SVG text: one panel per track, bars on a scale from 0 to `full`."""
    parts, y = [_text(10, 20, title)], HEAD
    for track, bars in panels:
        parts.append(_text(10, y + 14, track, "font-weight:bold"))
        y += ROW
        for tag, value in bars:
            parts.append(_bar(y, tag, value, value / full))
            y += ROW
        y += ROW
    return _svg(WIDTH, y, parts)


def _bar(y, tag, value, share):
    width = share * (WIDTH - LABEL - 80)
    return (
        _text(LABEL - 8, y + 14, tag, "text-anchor:end")
        + f'<rect x="{LABEL}" y="{y + 3}" width="{width:.1f}" height="{ROW - 6}" fill="{INK}"/>'
        + _text(LABEL + width + 6, y + 14, f"{value:.3f}")
    )


def matrix(names, counts, title):
    """Square table of counts, rows = true name -> SVG text, each cell as dark as its share of the row."""
    parts = [_text(10, 20, title)]
    for i, name in enumerate(names):
        across, down = LABEL + i * CELL, HEAD + 60 + i * CELL
        parts.append(_text(LABEL - 8, down + 27, name, "text-anchor:end"))
        parts.append(f'<g transform="rotate(-45 {across + 22} {HEAD + 54})">{_text(across + 22, HEAD + 54, name)}</g>')
        whole = max(1, sum(counts[i]))
        parts += [_cell(LABEL + j * CELL, down, count, count / whole) for j, count in enumerate(counts[i])]
    return _svg(LABEL + len(names) * CELL + 60, HEAD + 80 + len(names) * CELL, parts)


def _cell(x, y, count, share):
    ink = "#fff" if share > 0.5 else "#000"
    return (
        f'<rect x="{x}" y="{y}" width="{CELL}" height="{CELL}" fill="{INK}" fill-opacity="{share:.3f}" stroke="#ccc"/>'
        + _text(x + CELL / 2, y + 27, count, f"text-anchor:middle;fill:{ink}")
    )


def _text(x, y, text, style=""):
    return f'<text x="{x:.0f}" y="{y:.0f}" style="{STYLE};{style}">{escape(str(text))}</text>'


def _svg(width, height, parts):
    background = f'<rect width="{width}" height="{height}" fill="#fff"/>'
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{background}{"".join(parts)}</svg>\n'
