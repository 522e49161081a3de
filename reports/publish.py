"""Writes what is drawn from parity.json beside it: parity.csv, junit.xml and parity.html; then shows the run."""

import os
import tempfile
from pathlib import Path

from reports import compared, html, junit, markdown, table, terminal
from reports.companions import beside
from reports.document import ReportError, read

FILES = {"parity.csv": table.csv, "junit.xml": junit.junit}
PAGE = "parity.html"


def page(path, target):
    """Draw the document at `path`, and what lies beside it, as the page `target`. Raises ReportError as `everything` does."""
    write(target, html.page(read(path), **beside(path)))


def comparison(before, after, target, stream=None):
    """Draw what changed between the documents at two paths as the page `target`, and print the gist to `stream`.

    Raises ReportError as `everything` does.
    """
    found = compared.compare(read(before), read(after))
    write(target, compared.page(found))
    terminal.say(compared.text(found), stream)


def everything(path, folder, stream=None):
    """Read the document at `path`, write FILES and PAGE into `folder`, print the run to `stream` (standard output by default).

    The page also shows what lies beside the document at `path` (reports.companions).

    Where GITHUB_STEP_SUMMARY names a file, the Markdown summary is added to it. Returns the document. All texts are made
    before the first file is written. Raises ReportError where the document is refused or a file cannot be written.
    """
    document = read(path)
    texts = {**{name: draw(document) for name, draw in FILES.items()}, PAGE: html.page(document, **beside(path))}
    for name, text in texts.items():
        write(Path(folder) / name, text)
    terminal.show(document, stream)
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(summary, markdown.markdown(document))
    return document


def write(path, text):
    """Write `text` as UTF-8 to `path`, whole or not at all. Raises ReportError where it cannot be."""
    path, temporary = Path(path), None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.name, suffix=".part")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(text.encode())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        raise ReportError(_unwritable(path, error)) from error
    finally:
        if temporary:
            Path(temporary).unlink(missing_ok=True)


def _append(path, text):
    try:
        with open(path, "a", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        raise ReportError(_unwritable(path, error)) from error


def _unwritable(path, error):
    return f"{path}: cannot be written ({error.strerror}); free space or choose another folder"
