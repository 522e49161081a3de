"""The files beside parity.json: written whole or not at all, and no drawing library before it is
needed.
"""

import io
import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.errors import CannotRun
from parity.reports import markdown, publish, terminal
from parity.reports.document import ReportError
from tests.reports import companions_factory, factory


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    path = tmp_path / "in" / "parity.json"
    path.parent.mkdir()
    path.write_text(json.dumps(factory.failing()))
    return path


def test_everything_is_written_and_shown(written, tmp_path):
    stream = io.StringIO()
    assert publish.everything(written, tmp_path / "out", stream) == factory.failing()
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "junit.xml",
        "parity.csv",
        "parity.html",
    ]
    assert stream.getvalue().startswith("real data\n")


def test_same_json_same_files(written, tmp_path):
    for folder in ("a", "b"):
        publish.everything(written, tmp_path / folder, io.StringIO())
    assert all(
        (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
        for name in (*publish.FILES, publish.PAGE)
    )


def test_step_summary_is_added_to(written, tmp_path, monkeypatch):
    summary = tmp_path / "summary.md"
    summary.write_text("before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(summary))
    publish.everything(written, tmp_path / "out", io.StringIO())
    assert summary.read_text().startswith("before\n**DRIFTS: ")


def test_a_bad_document_leaves_the_old_report(written, tmp_path):
    publish.everything(written, tmp_path / "out", io.StringIO())
    before = {
        name: (tmp_path / "out" / name).read_bytes() for name in (*publish.FILES, publish.PAGE)
    }
    written.write_text(written.read_text()[:500])
    with pytest.raises(ReportError, match="cut short"):
        publish.everything(written, tmp_path / "out", io.StringIO())
    assert before == {
        name: (tmp_path / "out" / name).read_bytes() for name in (*publish.FILES, publish.PAGE)
    }


def test_an_unwritable_folder_gets_its_sentence(written, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CannotRun, match=r"cannot be written: .*is not a folder; make it or choose"):
        publish.everything(written, tmp_path / "file" / "out", io.StringIO())


def test_a_failed_write_leaves_no_part(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(CannotRun, match="No space left on device"):
        publish._write(tmp_path / "parity.html", "text")
    assert list(tmp_path.iterdir()) == []


def _imported(statements):
    """Top-level modules, and rooms of parity, loaded by `statements` in a fresh interpreter."""
    code = (
        f"import sys\n{statements}\nprint(' '.join({{'.'.join(name.split('.')[: 1 + "
        "name.startswith('parity.')]) for name in sys.modules}))"
    )
    return set(
        subprocess.run(
            [sys.executable, "-c", code], check=True, capture_output=True, text=True
        ).stdout.split()
    )


DRAWING = {
    "altair",
    "vl_convert",
    "PIL",
    "jinja2",
    "markupsafe",
    "pandas",
    "rich",
    "jsonschema",
    "matplotlib",
}


@pytest.mark.parametrize(
    "core",
    [
        "parity.cli",
        "parity.run, parity.proving, parity.document",
        "parity.reports.publish, parity.reports.terminal",
    ],
)
def test_core_needs_no_drawing_library(core):
    assert not _imported(f"import {core}") & DRAWING


def test_json_summary_and_junit_need_no_drawing_library():
    loaded = _imported(
        "from tests.reports import factory\nfrom parity.reports import junit, markdown, "
        "terminal\nd = factory.failing()\n"
        "junit.junit(d), markdown.markdown(d), terminal.text(d)"
    )
    assert not loaded & DRAWING


def test_reports_know_only_the_json():
    loaded = _imported(
        "from tests.reports import factory\nfrom parity.reports import html, junit, table, "
        "terminal, markdown\n"
        "d = factory.failing()\n"
        "html.page(d), junit.junit(d), table.csv(d), terminal.text(d), markdown.markdown(d)"
    )
    ours = {name for name in loaded if name.startswith("parity")}
    tools = {"parity", "parity.drawing", "parity.errors", "parity.untrusted", "parity.reports"}
    assert ours == tools and not loaded & {
        "chainer",
        "h5py",
    }
    assert "jinja2" in loaded


def test_report_alone_shows_the_run_and_adds_to_the_summary(written, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    shown = CliRunner().invoke(main, ["report", str(written)])
    assert shown.exit_code == 0 and shown.stdout == terminal.text(factory.failing())
    assert (tmp_path / "summary.md").read_text() == markdown.markdown(factory.failing())


def test_a_companion_that_was_written_gets_onto_the_page(written):
    faults, page = written.with_name("faults.json"), written.with_name("parity.html")
    faults.write_text(json.dumps(companions_factory.faults()))
    stream = io.StringIO()
    publish.redraw(faults, stream)
    assert "SURVIVES" in page.read_text() and stream.getvalue() == f"{page} shows it\n"
    before = page.read_bytes()
    written.write_text("{}")
    publish.redraw(faults, stream)
    assert (
        page.read_bytes() == before
        and "does not show it: " in stream.getvalue()
        and "no format number" in stream.getvalue()
    )
    written.unlink()
    publish.redraw(faults, said := io.StringIO())
    assert said.getvalue() == ""
