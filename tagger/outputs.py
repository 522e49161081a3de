"""Tag scores as text: a table as the published port prints it, JSON, or CSV.

Where the weights are stand-ins or a remedy is on, every one of them says so.
"""

import csv
import io
import json

from parity.errors import visible
from tagger.model import Tagger
from tagger.tagging import Scored, ranked_rows

PER_LINE = 5  # the published port prints five tags per line
COLUMNS = ("file", "frame", "rank", "tag", "score", "percent")
MEANINGLESS = "MEANINGLESS: stand-in weights, which know nothing of music"


def told(tagger: Tagger) -> list[str]:
    """Lines above every result; [] where a network's answer is worth what it was published as."""
    remedies = [f"NOT THE ORIGINAL'S ANSWER: with {remedy}" for remedy in tagger.remedies]
    return [MEANINGLESS] * tagger.is_meaningless + remedies + list(tagger.remarks)


class Table:
    """Lines for people: one paragraph per frame, and what is to be known of the track below."""

    is_read = True  # by people; for others the remarks go to standard error too

    def __init__(self, tagger: Tagger, top: int, unit: str) -> None:
        self.tagger, self.top, self.unit = tagger, top, unit

    def begin(self) -> str | None:
        unit = "percent of the sum" if self.unit == "percent" else "scores"
        return "\n".join(
            [f"* top {self.top} tags of {self.tagger.name}, {unit} *", *told(self.tagger)]
        )

    def frames(self, scored: Scored) -> list[tuple[str, list[dict]]]:
        """[(frame, its rows)]."""
        rows = ranked_rows(self.tagger.tags, scored, self.top)
        return [
            (frame, [row for row in rows if row["frame"] == frame])
            for frame, _ in scored.by_frame()
        ]

    def track(self, scored: Scored) -> str | None:
        lines = []
        for frame, rows in self.frames(scored):
            lines.append(visible(scored.path) + ("" if frame == "centre" else f"  [{frame}]"))
            cells = [f"{row['tag']} {row[self.unit]:.3f}" for row in rows]
            for at in range(0, len(cells), PER_LINE):
                lines.append("  " + ", ".join(cells[at : at + PER_LINE]))
        lines += [f"  ! it {remark}" for remark in scored.remarks]
        return "\n".join(lines)

    def end(self, errors: list, passed_over: int = 0) -> str | None:
        return None


class Csv(Table):
    """One line per tag, with a header; a column `remedies` more where one is on."""

    is_read = False

    def __init__(self, tagger: Tagger, top: int, unit: str) -> None:
        super().__init__(tagger, top, unit)
        self.told = {
            "weights": MEANINGLESS if tagger.is_meaningless else tagger.source.name,
            "keras": tagger.network.release,
        }
        if tagger.remedies:
            self.told["remedies"] = "; ".join(tagger.remedies)

    def begin(self) -> str:
        return _csv_line((*COLUMNS, "remarks", *self.told))

    def track(self, scored: Scored) -> str:
        rows = ranked_rows(self.tagger.tags, scored, self.top)
        more = {"remarks": "; ".join((*self.tagger.remarks, *scored.remarks))} | self.told
        return "\n".join(_csv_line((row | more).values()) for row in rows)


class Json(Table):
    """One document with everything, the failed files included."""

    is_read = False

    def __init__(self, tagger: Tagger, top: int, unit: str) -> None:
        super().__init__(tagger, top, unit)
        self.tracks: list[dict] = []

    def begin(self) -> None:
        return None

    def track(self, scored: Scored) -> None:
        frames = [
            {
                "frame": frame,
                "tags": [{key: row[key] for key in ("tag", "score", "percent")} for row in rows],
            }
            for frame, rows in self.frames(scored)
        ]
        remarks = {"remarks": list(scored.remarks)} if scored.remarks else {}
        self.tracks.append({"file": _encodable(scored.path), "frames": frames, **remarks})

    def end(self, errors: list, passed_over: int = 0) -> str:
        tagger = self.tagger
        document = {
            "model": tagger.model,
            "keras": tagger.keras,
            "keras_from": tagger.network.keras_from,
            "weights": tagger.source.name,
            "meaningless": tagger.is_meaningless,
            "correction": tagger.correction,
            "calibration": tagger.calibration,
            "remarks": list(tagger.remarks),
            "tracks": self.tracks,
            "passed_over": passed_over,
            "failed": [visible(error) for error in errors],
        }
        text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
        is_plain = text == visible(text, keep="\n")
        return text if is_plain else json.dumps(document, indent=1, allow_nan=False)


FORMATS = {"table": Table, "json": Json, "csv": Csv}


def _csv_line(cells) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="").writerow(_encodable(cell) for cell in cells)
    return stream.getvalue()


def _encodable(cell: object) -> object:
    # The bytes of a file name may be no utf-8.
    if isinstance(cell, (int, float)):
        return cell
    return str(cell).encode("utf-8", "backslashreplace").decode()
