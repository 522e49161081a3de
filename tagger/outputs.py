"""Tag scores as text: a table as the published port prints it, JSON, or CSV; and as a picture.

What each is made for is a tagger.commands.Network; where its weights are stand-ins or a remedy is
on, every one of them says so.
"""

import csv
import io
import json

from parity.port.files import check_writable
from parity.port.sentences import shown
from tagger.tagging import percent_of, ranked_rows, told_by

PER_LINE = 5  # the published port prints five tags per line
COLUMNS = ("file", "frame", "rank", "tag", "score", "percent")
MEANINGLESS = "MEANINGLESS: stand-in weights, which know nothing of music"
REMEDIED = "NOT THE ORIGINAL'S ANSWER: with {}"


def told(network):
    """Lines that have to stand above every result of this network; [] for the published network as
    it is.
    """
    return [MEANINGLESS] * network.is_stand_in + [
        REMEDIED.format(remedy) for remedy in network.tagger.remedies
    ]


class Table:
    """Lines for people: one paragraph per frame."""

    def __init__(self, network, top, unit):
        self.tags, self.top, self.unit = network.tagger.tags, top, unit
        head = (
            f"* top {top} tags of {network.tagger.model}, "
            f"{'percent of the sum' if unit == 'percent' else 'scores'} *"
        )
        self.head = [head, *told(network)]

    def begin(self):
        return "\n".join(self.head)

    def track(self, scored):
        lines = []
        for frame, rows in _frames(self.tags, scored, self.top):
            lines.append(shown(scored.path) + ("" if frame == "centre" else f"  [{frame}]"))
            cells = [f"{row['tag']} {row[self.unit]:.3f}" for row in rows]
            lines += [
                "  " + ", ".join(cells[at : at + PER_LINE]) for at in range(0, len(cells), PER_LINE)
            ]
        return "\n".join(lines)

    def end(self, errors):
        return None


class Csv:
    """One line per tag, with a header; a column `remedies` more where one is on."""

    def __init__(self, network, top, unit):
        self.tags, self.top = network.tagger.tags, top
        self.told = {
            "weights": MEANINGLESS if network.is_stand_in else network.source.name,
            **told_by(network.tagger),
        }

    def begin(self):
        return _csv_line(dict.fromkeys((*COLUMNS, *self.told)))

    def track(self, scored):
        rows = ranked_rows(self.tags, scored, self.top)
        return "\n".join(_csv_line((row | self.told).values()) for row in rows)

    def end(self, errors):
        return None


class Json:
    """One document with everything, the failed files included."""

    def __init__(self, network, top, unit):
        tagger = network.tagger
        self.tags, self.top = tagger.tags, top
        self.document = {
            "model": tagger.model,
            "keras": tagger.keras,
            "weights": network.source.name,
            "meaningless": network.is_stand_in,
            "correction": tagger.correction,
            "calibration": tagger.calibration,
            "tracks": [],
        }

    def begin(self):
        return None

    def track(self, scored):
        frames = [
            {
                "frame": frame,
                "tags": [{key: row[key] for key in ("tag", "score", "percent")} for row in rows],
            }
            for frame, rows in _frames(self.tags, scored, self.top)
        ]
        remarks = {"remarks": list(scored.remarks)} if scored.remarks else {}
        self.document["tracks"].append(
            {"file": _encodable(scored.path), "frames": frames, **remarks}
        )

    def end(self, errors):
        return json.dumps(
            self.document | {"failed": [shown(error) for error in errors]},
            indent=1,
            ensure_ascii=False,
            allow_nan=False,
        )


FORMATS = {"table": Table, "json": Json, "csv": Csv}


def _frames(tags, scored, top):
    rows = ranked_rows(tags, scored, top)
    return [
        (frame, [row for row in rows if row["frame"] == frame]) for frame, _ in scored.by_frame()
    ]


def _csv_line(cells):
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(_encodable(cell) for cell in cells)
    return stream.getvalue()


def _encodable(cell):
    # A file name of bytes that are no utf-8 has to be printable somehow.
    return (
        cell
        if isinstance(cell, (int, float))
        else str(cell).encode("utf-8", "backslashreplace").decode()
    )


def check_picture(path):
    """Raise ValueError where `path` is given and cannot be written, or its name is not of a kind
    that pictures are written as.
    """
    check_writable(path)
    if path:
        from tagger.pictures import writer_of

        writer_of(path)


def check_room(network, path, tracks, top):
    """Raise ValueError where `path` is given and the bars of so many tracks do not fit into a
    picture of its kind.
    """
    if path:
        from tagger.pictures import check_height

        check_height(path, tracks, min(top, len(network.tagger.tags)), 1 + len(told(network)))


def bars(network, tracks, top, unit, path):
    """The bytes of a picture of path's kind: for each Scored a panel of bars, the mean's where
    there are frames.
    """
    from tagger.pictures import bar_panels, writer_of

    tagger, panels = network.tagger, []
    for scored in tracks:
        _, scores = scored.by_frame()[-1]
        values = percent_of(scores) if unit == "percent" else scores
        best = sorted(zip(values.tolist(), tagger.tags, strict=True), reverse=True)[:top]
        panels.append((shown(scored.path), [(tag, value) for value, tag in best]))
    return writer_of(path)(
        bar_panels(
            panels, 100.0 if unit == "percent" else 1.0, [*told(network), f"{tagger.model}, {unit}"]
        )
    )
