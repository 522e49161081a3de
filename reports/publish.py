"""Draws what a parity.json says and writes it beside it: table, JUnit, page, job summary."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO, TypeVar

from parity import files
from parity.drawing import check_room
from parity.errors import CannotRun, visible
from parity.reports import Record, junit, markdown, table, terminal
from parity.reports.document import PARITY, ReportError, read
from parity.reports.figures import short
from parity.settings import setting

__all__ = ["ReportError", "check", "comparison", "everything", "page", "redraw"]

FILES: dict[str, Callable[[Record], str]] = {"parity.csv": table.csv, "junit.xml": junit.junit}
PAGE, HTML = "parity.html", ".html"
Drawn = TypeVar("Drawn")


def everything(
    path: Path | str, folder: Path | str, stream: TextIO | None = None, text: str | None = None
) -> Record:
    """Draw a run in every form: parity.csv, junit.xml, parity.html and text.

    Where GITHUB_STEP_SUMMARY names a file, the Markdown summary is added to it. The files are
    written all or none.

    Parameters
    ----------
    path : the parity.json; the page also shows its companions in the same folder.
    folder : where the files go.
    stream : where the text goes; standard output by default.
    text : what parity.json is to hold, written with the others; by default what it holds.

    Returns
    -------
    dict
        The document.

    Raises
    ------
    ReportError
        Where a document is refused or a file cannot be written.

    """
    document = read(path, text)
    texts = _drawn(
        path,
        lambda: {
            **{name: draw(document) for name, draw in FILES.items()},
            PAGE: _page(document, path),
        },
    )
    outputs: dict[files.FilePath, bytes | str] = {} if text is None else {path: text}
    files.publish(outputs | {Path(folder) / name: drawn for name, drawn in texts.items()})
    _show(document, stream)
    return document


def check(folder: Path | str) -> None:
    """Raise CannotRun where `everything` could not write there, before a run is made."""
    from parity.reports import companions

    for name in (PARITY.file, *FILES, PAGE):
        files.check_writable(Path(folder) / name, make=True)
    check_room()
    companions.beside(Path(folder) / PARITY.file)


def page(path: Path | str, target: Path | str, stream: TextIO | None = None) -> None:
    """Draw a run as one page, and show it as `everything` does.

    Parameters
    ----------
    path : the parity.json; the page also shows its companions in the same folder.
    target : the page; none of the documents it is drawn from.
    stream : where the text goes; standard output by default.

    Raises
    ------
    ReportError
        Where a document is refused or the page cannot be written.
    """
    from parity.reports.companions import COMPANIONS

    inputs = [path, *(Path(path).with_name(kind.file) for kind in COMPANIONS.values())]
    files.check_writable(target, HTML, inputs, make=True, force=True)
    document = read(path)
    _write(target, _drawn(path, lambda: _page(document, path)), inputs)
    _show(document, stream)


def comparison(
    before: Path | str, after: Path | str, target: Path | str, stream: TextIO | None = None
) -> None:
    """Draw what changed between two runs as one page, and show the gist.

    Parameters
    ----------
    before, after : two parity.json.
    target : the page; neither of the two.
    stream : where the gist goes; standard output by default.

    Raises
    ------
    ReportError
        Where a document is refused or the page cannot be written.
    """
    from parity.reports import compared, compared_text

    files.check_writable(target, HTML, (before, after), make=True, force=True)
    both = f"{before} and {after}"
    found = _drawn(both, lambda: compared.compare(read(before), read(after)))
    _write(target, _drawn(both, lambda: compared_text.page(found)), (before, after))
    terminal.say(compared_text.text(found), stream)
    _summarize(compared_text.as_markdown(found))


def redraw(companion: Path | str, stream: TextIO | None = None) -> None:
    """Draw the page of a run again after one of its companions was written.

    Never raises: the companion is what was asked for. One line says which page shows it now, or
    why none does.

    Parameters
    ----------
    companion : the path of microscope.json, faults.json or investigation.json.
    stream : where the line goes; standard output by default.
    """
    run = Path(companion).with_name(PARITY.file)
    if not run.exists():
        return
    target = run.with_name(PAGE)
    try:
        _write(target, _drawn(run, lambda: _page(read(run), run)))
        terminal.say(f"{visible(target)} shows it\n", stream)
    except CannotRun as error:
        terminal.say(f"{visible(target)} does not show it: {error}\n", stream)


def _page(document: Record, path: Path | str) -> str:
    from parity.reports import companions, html

    return html.page(document, **companions.beside(path))


def _drawn(path: Path | str, draw: Callable[[], Drawn]) -> Drawn:
    """What `draw` makes of a document that its schema lets pass."""
    try:
        return draw()
    except CannotRun:
        raise
    except Exception as error:  # a traceback would help nobody, and the old page stays
        why = short(f"{type(error).__name__}: {error}", 120)
        raise PARITY.refusal(path, f"holds figures that cannot be drawn ({why})") from error


def _write(target: Path | str, text: str, inputs: Iterable[Path | str] = ()) -> None:
    files.publish({target: text}, kind=HTML, inputs=inputs)


def _show(document: Record, stream: TextIO | None) -> None:
    terminal.show(document, stream)
    _summarize(markdown.markdown(document))


def _summarize(text: str) -> None:
    """Add Markdown to the job summary of a CI run, where there is one."""
    if path := setting("GITHUB_STEP_SUMMARY"):
        files.append(path, text)
