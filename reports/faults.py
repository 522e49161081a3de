"""The planted faults as text and as GitHub Markdown, drawn from faults.json alone."""

from parity.reports import document as documents
from parity.reports.figures import ABSENT, drift, percent, ratio, visible

FAULTS = documents.Kind("faults.json", "faults.schema.json", "make faults")
HEADINGS = (
    "Model",
    "Layer",
    "Fault",
    "Kind",
    "Verdict",
    "Found at",
    "Cause",
    "Outcome",
    "Blamed at the end",
)
IMPROVED_HEADINGS = (
    "Model",
    "Layer",
    "Verdict",
    "Cause",
    "Share of the drift",
    "Scores off, published formulas",
    "Scores off, ours",
)
REORDERING_HEADINGS = ("Model", "Layer", "Reordering", "Verdict", "Outcome")
PROMISE_HEADINGS = ("Promise", "Figure", "Outcome")


def read(path):
    """The document in `path`. Raises ReportError where it is missing, cut short or not valid by
    faults.schema.json.
    """
    return documents.read(path, FAULTS)


def validate(document, path=None):
    """Raise ReportError naming the first place where `document` departs from its schema."""
    documents.validate(document, path, FAULTS)


def sentence(document):
    """The totals in a sentence."""
    t, chosen = document["totals"], document["selection"]
    return (
        ("" if chosen is None else f"A selection of {len(chosen)}, not the whole table: ")
        + f"{t['faults']} faults planted ({document['data']} weights): {t['caught']} of "
        f"{t['decidable']} decidable ones caught, "
        f"{t['located']} located, {t['named']} named; {t['undecidable']} undecidable; "
        f"{t['survivors']} survive. "
        f"Largest share of the final drift at the planted layer: {t['attributed']} of "
        f"{t['attributable']}; apart stand "
        f"{t['below_rounding']} below rounding at the end, {t['no_end']} that do not reach it, "
        f"{t['several_layers']} at several layers. "
        f"{t['quiet']} of {t['harmless']} harmless reorderings left alone{_idle(t)}."
    )


def _idle(totals):
    idle = totals.get("unchanged")
    return (
        f" ({idle} more changed no bit and {'proves' if idle == 1 else 'prove'} nothing)"
        if idle
        else ""
    )


def promise_rows(document):
    """One row per promise, under PROMISE_HEADINGS."""
    words = {True: "holds", False: "BROKEN", None: "not tried"}
    return [
        (
            promise["text"],
            ABSENT if promise["figure"] is None else f"{promise['figure']:.4g}",
            words[promise["holds"]],
        )
        for promise in document.get("promises", ())
    ]


def outcome(record):
    """What became of a fault, in a word or two."""
    if record["undecidable"]:
        return f"undecidable (D = {ratio(record['observability'])})"
    if not record["located"]:
        return "SURVIVES" if not record["caught"] else "MISPLACED"
    return "named" if record["named"] else "located"


def blamed(record):
    """The layer with the largest share of the final drift and that share, or why there is none to
    be blamed.
    """
    share = record["attribution"]
    if record["apart"]:
        return record["apart"] + (
            f" ({ratio(share['above_rounding'])})" if record["apart"] == "below rounding" else ""
        )
    return (
        f"{'' if record['attributed'] else 'WRONG: '}{share['blamed_layer']} "
        f"{percent(share['blamed_share'])}"
    )


def rows(document):
    """One row per fault, under HEADINGS."""
    return [
        (
            record["model"],
            record["layer"],
            _fault_name(record),
            record["kind"],
            record["verdict"],
            record["located_layer"] or ABSENT,
            (record["cause"] or {}).get("hypothesis") or ABSENT,
            outcome(record),
            blamed(record),
        )
        for record in document["faults"]
    ]


def reordering_rows(document):
    """One row per harmless reordering, under REORDERING_HEADINGS."""
    return [
        (record["model"], record["layer"], _fault_name(record), record["verdict"], _heard(record))
        for record in document["harmless"]
    ]


def _heard(record):
    if not record["quiet"]:
        return "FALSE ALARM"
    return "quiet" if record.get("changed_layers", True) else "no bit changed"


def improved_rows(document):
    """One row per layer at which the published port's formulas are found out, under
    IMPROVED_HEADINGS.
    """
    return [
        (
            record["model"],
            layer["layer"],
            *_found_out(layer),
            percent(layer["share"]),
            drift(record["final"]),
            drift(record["sound_final"]),
        )
        for record in document["improved"]
        for layer in record["layers"]
    ]


def _found_out(layer):
    """(verdict, cause): a verdict is not called unnamed beside the name."""
    cause = (layer["cause"] or {}).get("hypothesis")
    return (
        (layer["verdict"].removesuffix("(unnamed)"), cause) if cause else (layer["verdict"], ABSENT)
    )


def _tables(document, form):
    return filter(
        None,
        (
            form(HEADINGS, rows(document)),
            form(REORDERING_HEADINGS, reordering_rows(document)),
            form(IMPROVED_HEADINGS, improved_rows(document)),
            form(PROMISE_HEADINGS, promise_rows(document)),
        ),
    )


def text(document):
    """Plain text for a terminal: the tables, then the totals."""
    return "\n\n".join([*_tables(document, _aligned), sentence(document)]) + "\n"


def markdown(document):
    """The same as GitHub Markdown. Holds no time, so the same verdicts give the same text."""
    return "\n\n".join([f"**{_plain(sentence(document))}**", *_tables(document, _piped)]) + "\n"


def _fault_name(record):
    return record["id"].removeprefix(f"{record['model']}-{record['layer']}-")


def _aligned(headings, found):
    table = [headings, *([visible(cell) for cell in row] for row in found)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
    return "\n".join(lines) if found else ""


def _piped(headings, found):
    table = [headings, ["---"] * len(headings), *([_plain(cell) for cell in row] for row in found)]
    return "\n".join(f"| {' | '.join(row)} |" for row in table) if found else ""


def _plain(cell):
    """A cell without anything Markdown would obey."""
    return "".join(f"&#{ord(c)};" if c in "|*_<>&[]`\\^~" else c for c in visible(cell))
