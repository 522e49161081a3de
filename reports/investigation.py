"""The investigation's findings, read from investigation.json alone, and as text."""

import json
import textwrap
from functools import cache
from pathlib import Path

from reports.document import ReportError
from reports.figures import visible

SCHEMA = Path(__file__).with_name("investigation.schema.json")
MOST_WORDS = 200
WIDTH = 120


def read(path):
    """The document in `path`. Raises ReportError where it is missing, cut short or not valid by investigation.schema.json."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ReportError(f"{path}: cannot be read ({error.strerror}); run make investigate first") from error
    except ValueError as error:
        raise ReportError(f"{path}: is cut short or no JSON ({error}); write it anew (make investigate)") from error
    validate(document, path)
    return document


def validate(document, path="investigation.json"):
    """Raise ReportError naming the first place where `document` departs from its schema, or says more than it has found."""
    first = min(_validator().iter_errors(document), key=lambda error: list(map(str, error.absolute_path)), default=None)
    if first is not None:
        place = " / ".join(map(str, first.absolute_path)) or "the document"
        raise ReportError(f"{path}: {place}: {first.message[:120]}; write it anew (make investigate)")
    fault = next(_faults(document), None)
    if fault:
        raise ReportError(f"{path}: {fault}; write it anew (make investigate)")


def _faults(document):
    """What no schema can say."""
    findings = [finding for question in document["questions"] for finding in question["findings"]]
    ids = [finding["id"] for finding in findings]
    yield from (f"two findings are called {name!r}" for name in ids if ids.count(name) > 1)
    words = sum(len(sentence["text"].split()) for sentence in document["conclusion"])
    if words > MOST_WORDS:
        yield f"the conclusion has {words} words, at most {MOST_WORDS} are allowed"
    yield from (f"the conclusion rests on {sentence['finding']!r}, which is no finding"
                for sentence in document["conclusion"] if sentence["finding"] not in ids)
    for finding in findings:
        for table in finding["evidence"]:
            yield from (f"{finding['id']} / {table['id']}: {fault}" for fault in _faults_of(table))


def _faults_of(table):
    columns, chart = table["columns"], table["chart"] or {"x": None, "y": [], "series": None}
    yield from (f"row {at} has {len(row)} values under {len(columns)} columns"
                for at, row in enumerate(table["rows"]) if len(row) != len(columns))
    yield from (f"its chart draws {name!r}, which is no column"
                for name in (chart["x"], *chart["y"], chart["series"]) if name is not None and name not in columns)


@cache
def _validator():
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(SCHEMA.read_text(encoding="utf-8")))


def text(document):
    """Plain text for a terminal: the conclusion, then every question with its findings."""
    parts = [_wrapped(" ".join(sentence["text"] for sentence in document["conclusion"]))] if document["conclusion"] else []
    parts += [_wrapped(f"left out: {clip['message']}") for clip in document["left_out"]]
    parts += [_question(question) for question in document["questions"]]
    return "\n\n".join(parts) + "\n"


def _question(question):
    lines = [question["question"]]
    lines += [_wrapped(f"not answered: {question['message']}", "  ")] if question["message"] else []
    for finding in question["findings"]:
        lines += [_wrapped(f"{finding['verdict']} ({finding['scope']}): {finding['claim']}", "  "), _wrapped(finding["advice"], "    ")]
    return "\n".join(lines)


def _wrapped(words, indent=""):
    return textwrap.fill(visible(words), WIDTH, initial_indent=indent, subsequent_indent=indent)
