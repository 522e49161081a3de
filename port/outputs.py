"""Tag scores as text: a table as the published port prints it, JSON, or CSV."""

import csv
import io
import json

from port.sentences import shown
from port.tagging import percent_of, ranked_rows

PER_LINE = 5  # the published port prints five tags per line
COLUMNS = ("file", "frame", "rank", "tag", "score", "percent", "weights")
MEANINGLESS = "MEANINGLESS: stand-in weights, which know nothing of music"


class Table:
    """Lines for people: one paragraph per frame."""

    def __init__(self, tagger, weights, top, unit, is_stand_in):
        self.tags, self.top, self.unit, self.is_stand_in = tagger.tags, top, unit, is_stand_in
        self.head = f"* top {top} tags of {tagger.model}, {'percent of the sum' if unit == 'percent' else 'scores'} *"

    def begin(self):
        return self.head + (f"\n{MEANINGLESS}" if self.is_stand_in else "")

    def track(self, scored):
        lines = []
        for frame, rows in _frames(self.tags, scored, self.top):
            lines.append(shown(scored.path) + ("" if frame == "centre" else f"  [{frame}]"))
            cells = [f"{row['tag']} {row[self.unit]:.3f}" for row in rows]
            lines += ["  " + ", ".join(cells[at : at + PER_LINE]) for at in range(0, len(cells), PER_LINE)]
        return "\n".join(lines)

    def end(self, errors):
        return None


class Csv:
    """One line per tag, with a header."""

    def __init__(self, tagger, weights, top, unit, is_stand_in):
        self.tags, self.top, self.weights = tagger.tags, top, MEANINGLESS if is_stand_in else weights

    def begin(self):
        return _csv_line(COLUMNS)

    def track(self, scored):
        rows = ranked_rows(self.tags, scored, self.top)
        return "\n".join(_csv_line((row | {"weights": self.weights})[column] for column in COLUMNS) for row in rows)

    def end(self, errors):
        return None


class Json:
    """One document with everything, the failed files included."""

    def __init__(self, tagger, weights, top, unit, is_stand_in):
        self.tags, self.top = tagger.tags, top
        self.document = {"model": tagger.model, "keras": tagger.keras, "weights": weights, "meaningless": is_stand_in, "tracks": []}

    def begin(self):
        return None

    def track(self, scored):
        frames = [
            {"frame": frame, "tags": [{key: row[key] for key in ("tag", "score", "percent")} for row in rows]}
            for frame, rows in _frames(self.tags, scored, self.top)
        ]
        self.document["tracks"].append({"file": _encodable(scored.path), "frames": frames})

    def end(self, errors):
        return json.dumps(self.document | {"failed": [shown(error) for error in errors]}, indent=1, ensure_ascii=False)


FORMATS = {"table": Table, "json": Json, "csv": Csv}


def _frames(tags, scored, top):
    rows = ranked_rows(tags, scored, top)
    return [(frame, [row for row in rows if row["frame"] == frame]) for frame, _ in scored.by_frame()]


def _csv_line(cells):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(_encodable(cell) for cell in cells)
    return stream.getvalue()


def _encodable(cell):
    # A file name of bytes that are no utf-8 has to be printable somehow.
    return cell if isinstance(cell, (int, float)) else str(cell).encode("utf-8", "backslashreplace").decode()


def bars(tagger, tracks, top, unit, is_stand_in):
    """An SVG picture (str): for each Scored a panel of bars, the mean's where there are frames."""
    from port.pictures import bar_panels

    panels = []
    for scored in tracks:
        _, scores = scored.by_frame()[-1]
        values = percent_of(scores) if unit == "percent" else scores
        best = sorted(zip(values.tolist(), tagger.tags, strict=True), reverse=True)[:top]
        panels.append((shown(scored.path), [(tag, value) for value, tag in best]))
    return bar_panels(panels, 100.0 if unit == "percent" else 1.0, MEANINGLESS if is_stand_in else f"{tagger.model}, {unit}")
