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


def test_results_keep_their_mode_and_two_runs_do_not_write_them(run, collection, tmp_path):
    results = tmp_path / "r.csv"
    results.touch(0o600)
    run("evaluate", "--workers", 0, collection, "--results", results)
    assert stat.S_IMODE(results.stat().st_mode) == 0o600
    assert len(list(csv.DictReader(results.open()))) == 6
    (tmp_path / "r.csv.parts").mkdir()
    with lock(tmp_path / "r.csv.parts" / "lock") as mine:
        code, _, err = run("evaluate", collection, "--results", results)
    assert mine and code == 2 and "is being written by another run" in err


@pytest.mark.parametrize("difference", [float("nan"), 1.0])
def test_a_figure_that_is_no_number_is_not_within_the_limit(monkeypatch, difference):
    row = dict(model="CNN", clip="x", figures=1, difference=difference, tag="rock", same_order=True)
    monkeypatch.setattr(comparing, "read_table", lambda _: {"models": {}})
    monkeypatch.setattr(comparing, "differences", lambda *_: [row])
    assert comparing.compare("x.json", "2016", 0.005) == 1
    with pytest.raises(ValueError, match="give a number of percentage points"):
        comparing.compare("x.json", "2016", float("nan"))
