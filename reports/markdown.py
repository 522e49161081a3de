"""Markdown and GitHub's annotations: the one writer of both, and a run's summary."""

from collections.abc import Iterable, Sequence

from parity.errors import visible
from parity.reports import Record, summary
from parity.reports.message import cell_message

HARMLESS = frozenset(" .,:;()%+-–/=✓✗∅!↓_'")
COMMAND = {"%": "%25", "\r": "%0D", "\n": "%0A"}
PROPERTY = COMMAND | {":": "%3A", ",": "%2C"}


def plain(text: object) -> str:
    """`text` with everything that Markdown or HTML could obey as character references."""
    return "".join(c if c.isalnum() or c in HARMLESS else f"&#{ord(c)};" for c in visible(text))


def table(headings: Sequence[str], rows: Iterable[Sequence[object]], words: int = 99) -> str:
    """A table whose first `words` columns are words, figures follow; empty without a row."""
    cells = [[plain(cell) for cell in row] for row in rows]
    rule = ["---" if at < words else "---:" for at in range(len(headings))]
    lines = (f"| {' | '.join(row)} |" for row in (headings, rule, *cells))
    return "\n".join(lines) if cells else ""


def paragraphs(*parts: str) -> str:
    """A whole document of the parts that are not empty."""
    return "\n\n".join(filter(None, parts)) + "\n"


def fenced(block: str) -> str:
    """A code block; hostile backticks in names cannot close it."""
    fence = "```"
    while fence in block:
        fence += "`"
    return f"{fence}text\n{block}\n{fence}"


def annotation(title: str, text: str, file: object) -> str:
    """An error as GitHub's workflow command, shown beside the file."""
    head = f"file={_escaped(file, PROPERTY)},title={_escaped(title, PROPERTY)}"
    return f"::error {head}::{_escaped(text, COMMAND)}"


def _escaped(text: object, escapes: dict[str, str]) -> str:
    return "".join(escapes.get(c, c) for c in visible(text, keep="\r\n"))


def markdown(document: Record, blocks: int = 3) -> str:
    """A run: verdict, data, table and the first summary.offenders. Holds no time or date."""
    return paragraphs(
        f"**{plain(summary.verdict_sentence(document))}**",
        plain(summary.data_sentence(document)),
        verdict_table(document),
        plain(summary.probes_sentence(document)),
        plain(summary.experiment_sentence(document)),
        *(plain(f"{model['name']}: {why}") for model, why in summary.final_faults(document)),
        *(fenced(cell_message(*cell)) for cell in summary.first_offenders(document)[:blocks]),
    )


def verdict_table(document: Record) -> str:
    """One row per model, under the headings of the terminal's table."""
    return table(
        summary.MODEL_HEADINGS, map(summary.model_row, document["models"]), summary.WORD_COLUMNS
    )
