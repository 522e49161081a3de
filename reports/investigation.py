"""The investigation's findings, read from investigation.json alone, and as text."""

import textwrap

from parity.reports import document as documents
from parity.reports.document import ReportError
from parity.reports.figures import visible

INVESTIGATION = documents.Kind(
    "investigation.json", "investigation.schema.json", "make investigate"
)
MOST_WORDS = 200
WIDTH = 120


def read(path):
    """The document in `path`. Raises ReportError where it is missing, cut short or not valid by
    investigation.schema.json.
    """
    document = documents.read(path, INVESTIGATION)
    _refuse_faults(document, path)
    return document


def validate(document, path=None):
    """Raise ReportError naming the first place where `document` departs from its schema, or says
    more than it has found.
    """
    documents.validate(document, path, INVESTIGATION)
    _refuse_faults(document, path or INVESTIGATION.file)


def _refuse_faults(document, path):
    fault = next(_faults(document), None)
    if fault:
        raise ReportError(f"{path}: {fault}; write it anew ({INVESTIGATION.command})")


def _faults(document):
    """What no schema can say."""
    findings = [finding for question in document["questions"] for finding in question["findings"]]
    ids = [finding["id"] for finding in findings]
    yield from (f"two findings are called {name!r}" for name in ids if ids.count(name) > 1)
    words = sum(len(sentence["text"].split()) for sentence in document["conclusion"])
    if words > MOST_WORDS:
        yield f"the conclusion has {words} words, at most {MOST_WORDS} are allowed"
    yield from (
        f"the conclusion rests on {sentence['finding']!r}, which is no finding"
        for sentence in document["conclusion"]
        if sentence["finding"] not in ids
    )
    for finding in findings:
        for table in finding["evidence"]:
            yield from (f"{finding['id']} / {table['id']}: {fault}" for fault in _faults_of(table))


def _faults_of(table):
    columns, chart = table["columns"], table["chart"] or {"x": None, "y": [], "series": None}
    yield from (
        f"row {at} has {len(row)} values under {len(columns)} columns"
        for at, row in enumerate(table["rows"])
        if len(row) != len(columns)
    )
    yield from (
        f"its chart draws {name!r}, which is no column"
        for name in (chart["x"], *chart["y"], chart["series"])
        if name is not None and name not in columns
    )


def text(document):
    """Plain text for a terminal: the conclusion, then every question with its findings."""
    conclusion = " ".join(
        f"{sentence['text']} [{sentence['finding']}]" for sentence in document["conclusion"]
    )
    parts = [_wrapped(conclusion)] if conclusion else []
    parts += [_wrapped(f"left out: {clip['message']}") for clip in document["left_out"]]
    parts += [_question(question) for question in document["questions"]]
    return "\n\n".join(parts) + "\n"


def _question(question):
    lines = [question["question"]]
    lines += [_wrapped(f"not answered: {question['message']}", "  ")] if question["message"] else []
    for finding in question["findings"]:
        said = f"[{finding['id']}] {finding['verdict']} ({finding['scope']}): {finding['claim']}"
        lines += [_wrapped(said, "  "), _wrapped(finding["advice"], "    ")]
    return "\n".join(lines)


def _wrapped(words, indent=""):
    return textwrap.fill(visible(words), WIDTH, initial_indent=indent, subsequent_indent=indent)
