"""The run as GitHub Markdown: for the job summary of a CI run, and the README's verdict table."""

from parity.reports.ends import final_fault
from parity.reports.figures import visible
from parity.reports.message import cell_message
from parity.reports.summary import (
    MODEL_HEADINGS,
    data_sentence,
    model_row,
    offenders,
    verdict_sentence,
)

HARMLESS = frozenset(" .,:;()%+-–/=✓✗∅!↓_'")


def markdown(document, blocks=3):
    """Verdict, data, table and the first offenders, as Markdown. Holds no time or date: the same
    figures give the same text.
    """
    first = [found[0] for model in document["models"] if (found := offenders(model))][:blocks]
    faults = [
        plain(f"{model['name']}: {why}")
        for model in document["models"]
        if (why := final_fault(model))
    ]
    parts = [
        f"**{plain(verdict_sentence(document))}**",
        plain(data_sentence(document)),
        verdict_table(document),
        *faults,
    ]
    return (
        "\n\n".join(filter(None, [*parts, *(_fenced(cell_message(*cell)) for cell in first)]))
        + "\n"
    )


def verdict_table(document):
    """One row per model, under the headings of the terminal's table; empty where there is no
    model.
    """
    if not document["models"]:
        return ""
    rule = ["---"] * 3 + ["---:"] * (len(MODEL_HEADINGS) - 3)
    rows = [
        MODEL_HEADINGS,
        rule,
        *([plain(cell) for cell in model_row(model)] for model in document["models"]),
    ]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def plain(text):
    """`text` with everything that Markdown or HTML could obey as character references."""
    return "".join(c if c.isalnum() or c in HARMLESS else f"&#{ord(c)};" for c in visible(text))


def _fenced(block):
    """A code block; hostile backticks in names cannot close it."""
    fence = "```"
    while fence in block:
        fence += "`"
    return f"{fence}text\n{block}\n{fence}"
