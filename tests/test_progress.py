"""A log is never silent for long, and where quiet was asked for it is."""

import re
import time

import pytest

from parity import progress


def test_a_log_says_what_is_being_done_where_that_takes_long(capsys):
    with progress.Lines(silent_s=0.05) as lines:
        lines.update("CNN0 truth", "run", 0.4)
        lines.update("CNN", "comparing")
        time.sleep(0.2)
        lines.done("CNN0 truth", "recorded")
        time.sleep(0.2)
    said = capsys.readouterr().err.splitlines()
    assert "CNN0 truth: run, 40%, for 0 s; CNN: comparing, for 0 s" in said
    assert "CNN0 truth: recorded" in said
    assert said[-1] == "CNN: comparing, for 0 s"


def test_the_rate_and_the_time_left_of_what_is_counted_are_told(capsys, monkeypatch):
    monkeypatch.setattr(progress.Lines.__init__, "__defaults__", (0.05,))
    with progress.counted("files", 10, done=2) as advance:
        time.sleep(0.2)
        advance(4)
        time.sleep(0.2)
    first, *_, last = capsys.readouterr().err.splitlines()
    assert first == "files: 2 of 10, 20%, for 0 s"
    assert re.fullmatch(r"files: 6 of 10, \d+\.\d a second, 60%, 0:00:00 left, for 0 s", last), last
    assert progress._left(0.75, 0.25, 7200) == ", 75%, 1:00:00 left, for 7200 s"


def test_a_short_or_idle_job_says_nothing_but_its_end(capsys):
    with progress.Lines(silent_s=5) as lines:
        lines.update("CNN", "comparing")
        lines.done("CNN", "compared")
    with progress.Lines(silent_s=0.05):
        time.sleep(0.2)
    assert capsys.readouterr().err == "CNN: compared\n"


@pytest.mark.parametrize(("quiet", "kind"), [("1", progress.Silent), ("", progress.Lines)])
def test_quiet_shows_none(monkeypatch, capsys, quiet, kind):
    monkeypatch.setenv("PARITY_QUIET", quiet)
    with progress.shown() as shown:
        assert type(shown) is kind
        shown.done("CNN", "compared")
    assert capsys.readouterr().err == ("" if quiet else "CNN: compared\n")


def test_labels_fit_a_terminal():
    from rich.progress import Progress

    rows = Progress()
    live = progress.Live(rows)
    live.update("inception_3a/branch_of_many_letters truth (Keras 1.0.6)", "run", 0.5)
    assert len(rows.tasks[0].description) == progress.LABEL


def test_on_a_terminal_a_job_has_a_row(monkeypatch, capsys):
    monkeypatch.delenv("PARITY_QUIET", raising=False)
    monkeypatch.setattr(progress, "on_terminal", lambda: True)
    with progress.shown() as live:
        live.update("CNN", "comparing")
        live.note("a line that stays")
        live.done("CNN", "compared")
    said = capsys.readouterr().err
    assert "CNN" in said and "compared" in said and "a line that stays" in said
