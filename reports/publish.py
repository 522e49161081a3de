"""Writes what is drawn from parity.json beside it: parity.csv, junit.xml and parity.html; then
shows the run.
"""

import os
import tempfile
from pathlib import Path

from parity.reports import compared, compared_text, html, junit, markdown, table, terminal
from parity.reports.companions import COMPANIONS, beside
from parity.reports.document import PARITY, ReportError, read
from parity.reports.figures import short, visible

FILES = {"parity.csv": table.csv, "junit.xml": junit.junit}
PAGE = "parity.html"


def page(path, target, stream=None):
    """Draw the document at `path`, and what lies beside it, as the page `target`, and show the run
    as `everything` does.
    """
    _refuse_input(target, path, *(Path(path).parent / kind.file for kind, _ in COMPANIONS.values()))
    document = read(path)
    write(target, drawn(path, lambda: html.page(document, **beside(path))))
    _show(document, stream)


def comparison(before, after, target, stream=None):
    """Draw what changed between the documents at two paths as the page `target`, and tell the gist
    as `everything` does.
    """
    _refuse_input(target, before, after)
    both = f"{before} and {after}"
    found = drawn(both, lambda: compared.compare(read(before), read(after)))
    write(target, drawn(both, lambda: compared_text.page(found)))
    terminal.say(compared_text.text(found), stream)
    _summarize(compared_text.as_markdown(found))


def everything(path, folder, stream=None):
    """Read the document at `path`, write FILES and PAGE into `folder`, print the run to `stream`
    (standard output by default).

    The page also shows what lies beside the document at `path` (parity.reports.companions).

    Where GITHUB_STEP_SUMMARY names a file, the Markdown summary is added to it. Returns the
    document. All texts are made before the first file is written. Raises ReportError where the
    document is refused or a file cannot be written.
    """
    document = read(path)
    texts = drawn(
        path,
        lambda: {
            **{name: draw(document) for name, draw in FILES.items()},
            PAGE: html.page(document, **beside(path)),
        },
    )
    for name, text in texts.items():
        write(Path(folder) / name, text)
    _show(document, stream)
    return document


def redraw(companion, stream=None):
    """Draw the page anew after `companion` (the path of microscope.json, faults.json or
    investigation.json) was written.

    Says in one line on `stream` which page shows it now, or why none does; never raises for it:
    the companion is what was asked for.
    """
    run = Path(companion).with_name(PARITY.file)
    if not run.exists():
        return
    try:
        write(run.with_name(PAGE), drawn(run, lambda: html.page(read(run), **beside(run))))
        terminal.say(f"{visible(run.with_name(PAGE))} shows it\n", stream)
    except ReportError as error:
        terminal.say(f"{visible(run.with_name(PAGE))} does not show it: {error}\n", stream)


def drawn(path, draw):
    """What `draw` makes; a ReportError where a document that its schema lets pass still cannot be
    drawn.
    """
    try:
        return draw()
    except ReportError:
        raise
    except (
        Exception
    ) as error:  # whatever it is, no traceback helps who reads it, and the old page stays
        why = f"{type(error).__name__}: {error}"
        raise ReportError(
            f"{path}: holds figures that cannot be drawn ({short(why, 120)}); write it "
            f"anew ({PARITY.command})"
        ) from error


def _refuse_input(target, *inputs):
    if Path(target).resolve() in [Path(path).resolve() for path in inputs]:
        raise ReportError(
            f"{target}: is what the page is drawn from and would be lost; name another file with -o"
        )


def _show(document, stream):
    terminal.show(document, stream)
    _summarize(markdown.markdown(document))


def _summarize(text):
    """Add Markdown to the job summary of a CI run, where there is one."""
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        _append(summary, text)


def write(path, text):
    """Write `text` as UTF-8 to `path`, whole or not at all. Raises ReportError where it cannot
    be.
    """
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
