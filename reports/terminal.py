"""The run on a terminal: a line per model, then what does not hold; colours where they show."""

import sys
from collections.abc import Sequence
from typing import TextIO

from parity.errors import visible
from parity.reports import Record, summary
from parity.reports.message import cell_message
from parity.reports.verdicts import describe

COLOURS = {"good": "green", "bad": "red", "missing": "yellow"}
HEADINGS = ("model", "verdict", "worst layer", "used", "drift", "noise", "error", "own error")
LEGEND = (
    "used: of what rounding allows there; at the end: drift: port to original, noise: original\n"
    "to itself, rewritten; error and own error: port and original to the same in float64"
)


def show(document: Record, stream: TextIO | None = None, blocks: int = 3) -> None:
    """Print the run to `stream` (standard output by default), with at most `blocks` messages."""
    stream = stream or sys.stdout
    if getattr(stream, "isatty", lambda: False)():
        _show_coloured(document, stream, blocks)
    else:
        say(text(document, blocks), stream)


def say(lines: str, stream: TextIO | None = None) -> None:
    """Write text; what the stream's encoding cannot hold is written out."""
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(lines.encode(encoding, "backslashreplace").decode(encoding))


def text(document: Record, blocks: int = 3) -> str:
    """The same as plain text: data, table, messages, verdict."""
    table = aligned(
        HEADINGS,
        [summary.model_row(model) for model in document["models"]],
        summary.WORD_COLUMNS,
    )
    verdict = visible(summary.verdict_sentence(document))
    rows = [table, LEGEND] if table else []
    shown = [*rows, *_probes(document), *_blocks(document, blocks)]
    parts = [*_heading(document), *shown, verdict, ""]
    return "\n".join(parts)


def aligned(headings: Sequence[str], rows: Sequence[Sequence[str]], words: int = 99) -> str:
    """A table, its first `words` columns to the left, the rest to the right; "" without a row."""
    table = [headings, *([visible(cell) for cell in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    sides = [str.ljust if at < words else str.rjust for at in range(len(widths))]
    lines = (
        "  ".join(side(cell, width) for side, cell, width in zip(sides, row, widths, strict=True))
        for row in table
    )
    return "\n".join(line.rstrip() for line in lines) if rows else ""


def _show_coloured(document: Record, stream: TextIO, blocks: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for at, heading in enumerate(HEADINGS):
        figures = at >= summary.WORD_COLUMNS
        table.add_column(heading, justify="right" if figures else "left", overflow="fold")
    for model in document["models"]:
        name, verdict, *rest = summary.model_row(model)
        colour = COLOURS[describe(model["verdict"]).tone]
        table.add_row(name, Text(verdict, colour), *map(Text, rest))
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    shown = [table, Text(LEGEND, "dim"), *_probes(document), *_blocks(document, blocks)]
    for line in [*_heading(document), *shown]:
        console.print(line, soft_wrap=isinstance(line, str))
    colour = COLOURS[describe(document["verdict"]).tone]
    if colour == "green" and document["data"] == "seeded":
        colour = COLOURS["missing"]
    told = Text(visible(summary.verdict_sentence(document)), f"bold {colour}")
    console.print(told, soft_wrap=True)


def _heading(document: Record) -> list[str]:
    return [
        summary.data_sentence(document),
        visible(f"{document['port']} against {summary.stacks(document)}"),
        *(visible(remark) for remark in summary.remarks(document)),
        "",
    ]


def _probes(document: Record) -> list[str]:
    said = filter(None, (summary.probes_sentence(document), summary.experiment_sentence(document)))
    return [line for each in said for line in ("", visible(each))]


def _blocks(document: Record, most: int) -> list[str]:
    """The first offender of each model, then the others, at most `most`; the rest is counted."""
    others = [cell for model in document["models"] for cell in summary.offenders(model)[1:]]
    ordered = [*summary.first_offenders(document), *others]
    shown = [cell_message(*cell) for cell in ordered[:most]]
    faults = [
        visible(f"{model['name']} (end to end): {why}")
        for model, why in summary.final_faults(document)
    ]
    faults += [
        visible(f"{model['name']} (as users call it): {note}")
        for model in document["models"]
        if (note := summary.call_note(model)) and note not in (summary.final_fault(model) or "")
    ]
    more = [f"{len(ordered) - most} more in parity.html"] if len(ordered) > most else []
    return [line for block in [*shown, *faults, *more] for line in ("", block)] + [""]
