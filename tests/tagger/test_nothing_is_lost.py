"""The tagger's commands destroy no input, and replace no file of another's."""

import csv
import shutil
import stat

import pytest

from parity.files import lock
from tagger import comparing


@pytest.mark.parametrize("forced", [False, True])
def test_no_command_writes_over_its_input(run, stand_ins, wav, tmp_path, forced):
    weights = tmp_path / "w.h5"
    shutil.copy(stand_ins / "seeded-CNN0.h5", weights)
    clip, picture = wav(), wav("a.png.wav").rename(tmp_path / "a.png")
    force = ["--force"] * forced
    for arguments, lost in (
        (("melgram", clip, clip), clip),
        (("convert", weights, weights), weights),
        (("calibrate", "--seeded", clip, "-o", clip), clip),
        (("calibrate", "--weights", weights, clip, "-o", weights), weights),
        (("tag", "--seeded", clip, picture, "--plot", picture), picture),
    ):
        before = lost.read_bytes()
        code, _, err = run(*arguments, *force)
        assert code == 2 and "is an input and would be overwritten" in err and err.count("\n") == 1
        assert lost.read_bytes() == before


def test_a_file_of_anothers_is_said_before_any_work(run, wav, tmp_path):
    (tmp_path / "holiday.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"\0" * 50)
    code, out, err = run("tag", wav(), "--plot", tmp_path / "holiday.png")
    assert (code, out) == (2, "") and "this program did not write" in err
    code, _, _ = run("tag", wav(), "--plot", tmp_path / "holiday.png", "--force")
    assert code == 0
    code, _, _ = run("tag", wav(), "--plot", tmp_path / "holiday.png")
    assert code == 0, "now it is ours"


@pytest.mark.parametrize("text", ["no line end", "a,b\n1,2\n", "\0\xff", "\n"])
def test_results_that_cannot_be_read_as_ours_stay(run, collection, tmp_path, text):
    results = tmp_path / "r.csv"
    results.write_text(text)
    code, _, err = run("evaluate", collection, "--results", results, "--force")
    assert code == 2 and "is no file of results" in err and results.read_text() == text


def test_results_keep_their_mode_and_devices_stay_devices(run, collection, tmp_path):
    results = tmp_path / "r.csv"
    results.touch(0o600)
    run("evaluate", collection, "--results", results)
    run("evaluate", collection, "--results", results)
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    assert len(list(csv.DictReader(results.open()))) == 5
    run("evaluate", collection, "--results", "/dev/null")


def test_two_runs_do_not_write_one_file_of_results(run, collection, tmp_path):
    with lock(tmp_path / "r.csv") as mine:
        code, _, err = run("evaluate", collection, "--results", tmp_path / "r.csv")
    assert mine and code == 2 and "is being written by another run" in err
    assert not (tmp_path / "r.csv").read_text()


def test_a_track_that_stands_twice_in_old_results_counts_once(run, collection, tmp_path):
    results = tmp_path / "r.csv"
    run("evaluate", collection, "--results", results)
    head, *rows = results.read_text().splitlines(keepends=True)
    results.write_text(head + "".join(rows * 2))
    assert "of 5 tracks)" in run("evaluate", collection, "--results", results)[1]


@pytest.mark.parametrize("difference", [float("nan"), 1.0])
def test_a_figure_that_is_no_number_is_not_within_the_limit(monkeypatch, difference):
    row = dict(model="CNN", clip="x", figures=1, difference=difference, tag="rock", same_order=True)
    monkeypatch.setattr(comparing, "read_table", lambda _: {"models": {}})
    monkeypatch.setattr(comparing, "differences", lambda *_: [row])
    assert comparing.compare("x.json", "2016", 0.005) == 1
    with pytest.raises(ValueError, match="give a number of percentage points"):
        comparing.compare("x.json", "2016", float("nan"))
