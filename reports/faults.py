"""The planted faults as text, as GitHub Markdown and as the page's tables, from faults.json."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from parity.reports import Record
from parity.reports.document import Kind
from parity.reports.figures import ABSENT, drift, percent, ratio
from parity.reports.markdown import paragraphs, plain, table
from parity.reports.terminal import aligned
from parity.reports.verdicts import cause_name

FAULTS = Kind("faults.json", "faults.schema.json", "make faults")
read, validate = FAULTS.read, FAULTS.validate
Row = tuple[str, ...]
FATES = ("caught", "located", "named", "undecidable")
KEPT = {
    True: ("kept", "good", "✓"),
    False: ("broken", "bad", "✗"),
    None: ("not tried", "missing", "∅"),
}


def sentence(document: Record) -> str:
    """The totals in a sentence."""
    t, chosen = document["totals"], document["selection"]
    part = "" if chosen is None else f"A selection of {len(chosen)}, not the whole table: "
    unchanged = t.get("unchanged", 0)
    proves = "proves" if unchanged == 1 else "prove"
    idle = f" ({unchanged} more changed no bit and {proves} nothing)" if unchanged else ""
    return (
        f"{part}{t['faults']} faults planted ({document['data']} weights): {t['caught']} of "
        f"{t['decidable']} decidable ones caught, {t['located']} located, {t['named']} named; "
        f"{t['undecidable']} undecidable; {t['survivors']} survive"
        f"{_alone(t)}. "
        f"Largest share of the final drift at the planted layer: {t['attributed']} of "
        f"{t['attributable']}; counted apart: {t['below_rounding']} below rounding at the end, "
        f"{t['no_end']} that do not reach it, {t['several_layers']} at several layers"
        f"{_unasked(t)}. "
        f"{t['quiet']} of {t['harmless']} harmless reorderings raised no alarm{idle}."
    )


def _alone(totals: Record) -> str:
    alone = totals.get("by_probes_alone", 0)
    return f"; {alone} were caught by probes alone" if alone else ""


def _unasked(totals: Record) -> str:
    unasked = totals.get("not_asked", 0)
    return f", {unasked} that are made for probes" if unasked else ""


def _fault_row(record: Record) -> Row:
    return (
        *_planted(record),
        record["kind"],
        record["verdict"],
        record["located_layer"] or ABSENT,
        cause_name(record) or _told(record) or ABSENT,
        ", ".join(record.get("ways", ())) or ABSENT,
        _outcome(record),
        _blamed(record),
    )


def _told(record: Record) -> str | None:
    """What probes, or the call of the whole, say of it."""
    for each in record.get("probed", ()):
        if said := each["cause"] or each["form"] or each["place"]:
            return str(said)
    return record.get("call")


def _planted(record: Record) -> Row:
    name = record["id"].removeprefix(f"{record['model']}-{record['layer']}-")
    return record["model"], record["layer"], name


def _outcome(record: Record) -> str:
    if record["undecidable"]:
        why = f"; {record['why']}" if record.get("why") else ""
        return f"undecidable (D = {ratio(record['observability'])}{why})"
    if not record["located"]:
        return "MISPLACED" if record["caught"] else "SURVIVES"
    return "named" if record["named"] else "located"


def _blamed(record: Record) -> str:
    """The layer with the largest share of the final drift, or why there is none to be blamed."""
    share, apart = record["attribution"], record["apart"]
    if apart:
        drowned = f" ({ratio(share['above_rounding'])})"
        return f"{apart}{drowned if apart == 'below rounding' else ''}"
    wrong = "" if record["attributed"] else "WRONG: "
    return f"{wrong}{share['blamed_layer']} {percent(share['blamed_share'])}"


def _reordering_row(record: Record) -> Row:
    quiet = "quiet" if record.get("changed_layers", True) else "no bit changed"
    return (*_planted(record), record["verdict"], quiet if record["quiet"] else "FALSE ALARM")


def improved_rows(record: Record) -> Iterator[Row]:
    """One row per layer at which the published port's formulas are found out."""
    ends = drift(record["final"]), drift(record["sound_final"])
    for layer in record["layers"]:
        cause = cause_name(layer)
        verdict = layer["verdict"].removesuffix("(unnamed)") if cause else layer["verdict"]
        share = percent(layer["share"])
        yield record["model"], layer["layer"], verdict, cause or ABSENT, share, *ends


def _promise_row(promise: Record) -> Row:
    figure = ABSENT if promise["figure"] is None else f"{promise['figure']:.4g}"
    return promise["text"], figure, KEPT[promise["holds"]][0]


# (key in faults.json, title on the page, headings, the rows of a record)
TABLES: Sequence[tuple[str, str, str, Callable[[Record], Iterable[Row]]]] = (
    (
        "faults",
        "every planted fault",
        "Model | Layer | Fault | Kind | Verdict | Found at | Cause | Caught by | Outcome | "
        "Blamed at the end",
        lambda record: [_fault_row(record)],
    ),
    (
        "harmless",
        "every harmless reordering",
        "Model | Layer | Reordering | Verdict | Outcome",
        lambda record: [_reordering_row(record)],
    ),
    (
        "improved",
        "what the project improved: the published port's formulas, as the harness detects them",
        "Model | Layer | Verdict | Cause | Share of the drift | Scores off, published formulas | "
        "Scores off, ours",
        improved_rows,
    ),
    ("promises", "", "Promise | Figure | Outcome", lambda record: [_promise_row(record)]),
)


def tables(document: Record) -> list[tuple[str, list[str], list[Row]]]:
    """(title, headings, rows) of all that was planted; without a title where it is text alone."""
    return [
        (
            title,
            headings.split(" | "),
            [row for each in document.get(key, ()) for row in rows(each)],
        )
        for key, title, headings, rows in TABLES
    ]


def text(document: Record) -> str:
    """Plain text for a terminal: the tables, then the totals."""
    drawn = (aligned(headings, rows) for _, headings, rows in tables(document))
    return "\n\n".join([*filter(None, drawn), sentence(document)]) + "\n"


def markdown(document: Record) -> str:
    """The same as GitHub Markdown. Holds no time: the same verdicts give the same text."""
    drawn = (table(headings, rows) for _, headings, rows in tables(document))
    return paragraphs(f"**{plain(sentence(document))}**", *drawn)


def counts(document: Record) -> list[tuple[str, list[int]]]:
    """(kind, [planted, then each of FATES]) for each kind of fault."""
    kinds: dict[str, list[Record]] = {}
    for record in document["faults"]:
        kinds.setdefault(record["kind"], []).append(record)
    return [
        (kind, [len(found), *(sum(record[fate] for record in found) for fate in FATES)])
        for kind, found in kinds.items()
    ]
