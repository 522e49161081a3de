"""The run on a terminal: a table with one line per model, then what does not hold. Plain text
where nobody sees colours.
"""

import sys

from parity.reports.ends import final_fault
from parity.reports.figures import visible
from parity.reports.message import cell_message
from parity.reports.summary import (
    MODEL_HEADINGS,
    data_sentence,
    model_row,
    offenders,
    stacks,
    verdict_sentence,
)
from parity.reports.verdicts import describe

COLOURS = {"good": "green", "bad": "red", "missing": "yellow"}
# model, verdict and worst layer are words; the columns after them are figures, aligned to the right
TEXT_COLUMNS = 3


def show(document, stream=None, blocks=3):
    """Print the run to `stream` (standard output by default); at most `blocks` messages about
    cells that do not hold.
    """
    stream = stream or sys.stdout
    if getattr(stream, "isatty", lambda: False)():
        _show_table(document, stream, blocks)
    else:
        say(text(document, blocks), stream)


def say(lines, stream=None):
    """Write text to `stream` (standard output by default); what its encoding cannot hold is
    written out.
    """
    stream = stream or sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(lines.encode(encoding, "backslashreplace").decode(encoding))


def text(document, blocks=3):
    """The same as plain text, no escape codes: data first, then the table, the blocks and the
    verdict.
    """
    rows = [MODEL_HEADINGS, *_rows(document)] if document["models"] else []
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_aligned(row, widths).rstrip() for row in rows]
    verdict = visible(verdict_sentence(document))
    return "\n".join([*_heading(document), *lines, *_blocks(document, blocks), verdict, ""])


def _show_table(document, stream, blocks):
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for at, heading in enumerate(MODEL_HEADINGS):
        table.add_column(
            heading, justify="right" if at > TEXT_COLUMNS - 1 else "left", overflow="fold"
        )
    for model, row in zip(document["models"], _rows(document), strict=True):
        table.add_row(
            row[0], Text(row[1], COLOURS[describe(model["verdict"]).tone]), *map(Text, row[2:])
        )
    console = Console(file=stream, highlight=False, markup=False, emoji=False)
    for line in [*_heading(document), table, *_blocks(document, blocks)]:
        console.print(line, soft_wrap=isinstance(line, str))
    tone = describe(document["verdict"]).tone
    console.print(
        Text(visible(verdict_sentence(document)), f"bold {COLOURS[tone]}"), soft_wrap=True
    )


def _heading(document):
    return [
        data_sentence(document),
        visible(f"{document['port']} against {', '.join(stacks(document)) or 'no original'}"),
        "",
    ]


def _rows(document):
    return [[visible(cell) for cell in model_row(model)] for model in document["models"]]


def _aligned(row, widths):
    cells = enumerate(zip(row, widths, strict=True))
    return "  ".join(
        cell.ljust(width) if at < TEXT_COLUMNS else cell.rjust(width) for at, (cell, width) in cells
    )


def _blocks(document, most):
    """The first offender of each model first, then the others, at most `most`; what is left is
    counted.
    """
    by_model = [offenders(model) for model in document["models"]]
    ordered = [found[0] for found in by_model if found] + [
        cell for found in by_model for cell in found[1:]
    ]
    shown = [cell_message(*cell) for cell in ordered[:most]]
    faults = [
        visible(f"{model['name']} (end to end): {why}")
        for model in document["models"]
        if (why := final_fault(model))
    ]
    more = [f"{len(ordered) - most} more in parity.html"] if len(ordered) > most else []
    return [line for block in [*shown, *faults, *more] for line in ("", block)] + [""]
