"""The investigation's findings: investigation.json checked, as text, and for the page."""

import textwrap
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from parity.errors import visible
from parity.reports import Record, charts, figures
from parity.reports.document import Kind
from parity.reports.figures import cell, counted

MOST_WORDS = 200
WIDTH = 120
ROWS_MOST = 200  # of a table of evidence; its JSON has them all
UNDECIDED = "not decidable"
# what findings are to the question: the list's title; whether a proved one is good news
LISTS = {
    "cause": ("causes", False),
    "remedy": ("remedies", True),
    "not the cause": ("not the cause", True),
}
NEWS = {True: ("good", "✓"), False: ("bad", "✗"), None: ("missing", "∅")}


def _faults(document: Record) -> Iterator[str]:
    """What no schema can say."""
    findings = [finding for question in document["questions"] for finding in question["findings"]]
    ids = [finding["id"] for finding in findings]
    yield from (f"two findings are called {name!r}" for name in ids if ids.count(name) > 1)
    words = sum(len(sentence["text"].split()) for sentence in document["conclusion"])
    if words > MOST_WORDS:
        yield f"the conclusion has {words} words, at most {MOST_WORDS} are allowed"
    for named in (sentence["finding"] for sentence in document["conclusion"]):
        if named not in ids:
            yield f"the conclusion rests on {named!r}, which is not a finding"
    for finding in findings:
        for table in finding["evidence"]:
            yield from (f"{finding['id']} / {table['id']}: {fault}" for fault in _of_table(table))


def _of_table(table: Record) -> Iterator[str]:
    columns, chart = table["columns"], table["chart"] or {"x": None, "y": [], "series": None}
    for at, row in enumerate(table["rows"]):
        if len(row) != len(columns):
            yield f"row {at} has {len(row)} values under {len(columns)} columns"
    for name in (chart["x"], *chart["y"], chart["series"]):
        if name not in (None, *columns):
            yield f"its chart draws {name!r}, which is not a column"


INVESTIGATION = Kind("investigation.json", "investigation.schema.json", "make investigate", _faults)
read, validate = INVESTIGATION.read, INVESTIGATION.validate


def text(document: Record) -> str:
    """Plain text for a terminal: the conclusion, then every question with its findings."""
    conclusion = " ".join(f"{said['text']} [{said['finding']}]" for said in document["conclusion"])
    left_out = (f"left out: {clip['message']}" for clip in document["left_out"])
    parts = [_wrapped(words) for words in (conclusion, *left_out) if words]
    return "\n\n".join([*parts, *map(_question, document["questions"])]) + "\n"


def _question(question: Record) -> str:
    said = [("  ", f"not answered: {question['message']}")] if question["message"] else []
    for finding in question["findings"]:
        claim = f"{finding['verdict']} ({finding['scope']}): {finding['claim']}"
        said += [("  ", f"[{finding['id']}] {claim}"), ("    ", finding["advice"])]
    return "\n".join([question["question"], *(_wrapped(words, indent) for indent, words in said)])


def _wrapped(words: str, indent: str = "") -> str:
    return textwrap.fill(visible(words), WIDTH, initial_indent=indent, subsequent_indent=indent)


# --- on the page ---


def anchor(name: str) -> str:
    """The id of a finding on the page: `finding-decibels`."""
    return f"finding-{quote(name, safe='', errors='backslashreplace')}"


def listed(document: Record) -> dict[str, list[Record]]:
    """{title: findings} of what is the cause, what helps and what is not the cause."""
    found: dict[str, list[Record]] = {title: [] for title, _ in LISTS.values()}
    for question in document["questions"]:
        for finding in question["findings"]:
            found[LISTS[bears(finding)][0]].append(finding)
    return found


def bears(finding: Record) -> str:
    """The list of a finding; documents of earlier versions only have its verdict."""
    known = "not the cause" if finding["verdict"] == "refuted" else "cause"
    return str(finding.get("bears", known))


def news(finding: Record) -> tuple[str, str]:
    """(tone, mark) of a finding: a cause is bad news, a remedy that helps is good."""
    where, verdict = bears(finding), finding["verdict"]
    if verdict == UNDECIDED:
        return NEWS[None]
    return NEWS[LISTS[where][1] and (where != "remedy" or verdict == "proved")]


def heard(document: Record) -> str:
    """On how many clips it was found, and which were left out and why."""
    left_out = [f"Left out: {each['clip']}: {each['message']}" for each in document["left_out"]]
    return " ".join(map(figures.sentence, (counted(len(document["clips"]), "clip"), *left_out)))


def ran(question: Record) -> str:
    """What a question's originals ran on, and what Theano's optimizer does to their scores."""
    stack = ", ".join(
        f"{model} under Keras {keras.removeprefix('Keras ')}"
        for model, keras in question["stack"].items()
    )
    if not stack:
        return ""
    noise = [_noise(model, found) for model, found in question["optimizer_noise"].items()]
    compiled = f"Theano's optimizer {question['optimizer']}" if question["optimizer"] else ""
    return figures.sentence("; ".join(filter(None, (f"Original: {stack}", compiled, *noise))))


def _noise(model: str, found: Record) -> str:
    share = f"{figures.percent(found['ratio'])} of what rounding allows"
    beyond = "" if found["holds"] else ", TOO MUCH"
    return (
        f"{model} agrees with itself without it to {figures.drift(found['max_abs'])} "
        f"({share}{beyond})"
    )


def effect_text(effect: Record) -> str:
    """`largest difference: 0.42 points`."""
    return f"{effect['what']}: {cell(figures.number(effect['value']))} {effect['unit']}".strip()


def evidence_chart(table: Record) -> Markup:
    """The chart that a table of evidence asks for; "" where it asks for none that can be drawn."""
    chart, rows = (
        table["chart"],
        [dict(zip(table["columns"], row, strict=True)) for row in table["rows"]],
    )
    if not chart:
        return Markup("")
    several = len(chart["y"]) > 1 or chart["series"] is None
    points = []
    for y, row in ((y, row) for y in chart["y"] for row in rows):
        series = [] if chart["series"] is None else [cell(row[chart["series"]])]
        points.append((row[chart["x"]], _number(row[y]), " ".join([*series, *[y] * several])))
    points = [point for point in points if None not in point[:2]]
    numeric = chart["kind"] == "lines" and all(figures.is_figure(x) for x, _, _ in points)
    if not numeric:
        points = [(cell(x), y, series) for x, y, series in points]
    return charts.chart(
        points,
        kind=chart["kind"],
        label=table["title"],
        x=chart["x"],
        y=", ".join(chart["y"]),
        log=chart["log"],
        height=190,
        order=None if numeric else dict.fromkeys(x for x, _, _ in points),
    )


def _number(value: Any) -> float | None:
    try:
        return None if isinstance(value, bool) else figures.number(value)
    except ValueError:
        return None
