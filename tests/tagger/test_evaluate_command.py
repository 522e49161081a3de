"""`python -m tagger evaluate` on a synthesised folder of GTZAN's layout."""

import csv
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tagger.evaluating import confusion, report
from tagger.model import load

pytestmark = pytest.mark.slow

GENRES = ("blues", "jazz", "rock")


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


def test_every_track_gets_the_best_of_the_folders_tags(run, collection, stand_ins, tmp_path):
    code, out, err = run(
        "evaluate", collection, "--results", tmp_path / "r.csv", "--plot", tmp_path / "m.svg"
    )
    assert code == 1 and err.count("\n") == 1 and "rock.00001.wav" in err, (
        "the bad file is named and not fatal"
    )
    assert (
        out.splitlines()[-2] == "1 could not be tagged:"
        and "rock.00001.wav is empty" in out.splitlines()[-1]
    )
    rows, tagger = rows_of(tmp_path / "r.csv"), load("CRNN", stand_ins / "seeded-CRNN.h5")
    assert len(rows) == 5 and {row["genre"] for row in rows} == set(GENRES)
    for row in rows:
        table = tagger.tag(collection / row["file"])
        assert row["predicted"] == next(tag for tag in table.tag if tag in GENRES)
    right = sum(row["genre"] == row["predicted"] for row in rows)
    assert (
        out.startswith("MEANINGLESS") and f"accuracy {right / 5:.4f} ({right} of 5 tracks)" in out
    )
    texts = [
        node.text
        for node in ElementTree.parse(tmp_path / "m.svg").iter("{http://www.w3.org/2000/svg}text")
    ]
    assert sum(int(text) for text in texts if text and text.isdigit()) == 5


def test_a_second_run_goes_on_where_the_first_stopped(run, collection, tmp_path, monkeypatch):
    results = tmp_path / "r.csv"
    run("evaluate", collection, "--results", results)
    whole = results.read_text()
    results.write_text(
        "".join(whole.splitlines(keepends=True)[:3]) + "jazz/jazz.000"
    )  # a line that was being written
    tagged = []
    monkeypatch.setattr(
        "tagger.evaluating.score_files",
        lambda tagger, paths, **cut: tagged.extend(paths) or _real(tagger, paths, **cut),
    )
    code, _, _ = run("evaluate", collection, "--results", results)
    assert code == 1 and len(tagged) == 4
    for fresh, old in zip(
        csv.DictReader(results.open()), csv.DictReader(whole.splitlines()), strict=True
    ):
        assert float(fresh.pop("score")) == pytest.approx(
            float(old.pop("score")), abs=2e-6
        )  # other company in the batch: rounding
        assert fresh == old


def _real(tagger, paths, **cut):
    from tagger.tagging import score_files

    return score_files(tagger, paths, **cut)


def test_results_of_other_options_are_not_mixed_in(run, collection, tmp_path):
    run("evaluate", collection, "--results", tmp_path / "r.csv")
    code, _, err = run(
        "evaluate", "--front-end", "2016", collection, "--results", tmp_path / "r.csv"
    )
    assert code == 2 and "other weights, options or genre folders" in err and err.count("\n") == 1


def test_results_of_other_genre_folders_are_not_mixed_in(run, collection, wav, tmp_path):
    run("evaluate", collection, "--results", tmp_path / "r.csv")
    wav("music/metal/one.wav")
    code, _, err = run("evaluate", collection, "--results", tmp_path / "r.csv")
    assert code == 2 and "genre folders" in err, (
        "which tag is the best depends on which folders there are"
    )


def test_a_track_that_is_gone_does_not_count(run, collection, tmp_path):
    run("evaluate", collection, "--results", tmp_path / "r.csv")
    (collection / "jazz" / "jazz.00000.wav").unlink()
    code, out, err = run("evaluate", collection, "--results", tmp_path / "r.csv")
    assert (
        code == 1 and "of 4 tracks)" in out and "1 tracks that are no longer in the folder" in err
    )
    assert len(rows_of(tmp_path / "r.csv")) == 5, "a folder that was not mounted loses no results"


def test_gtzan_comes_as_au(run, wav, tmp_path):
    for i, genre in enumerate(GENRES):
        wav(f"gtzan/{genre}/{genre}.00000.au", pitch_hz=300 * (i + 1), rate_hz=22050, seconds=30)
    code, out, err = run("evaluate", tmp_path / "gtzan")
    assert (code, err) == (0, "") and "of 3 tracks)" in out


def test_an_empty_genre_folder_is_said(run, collection):
    (collection / "metal").mkdir()
    code, out, err = run("evaluate", collection)
    assert (
        code == 1
        and err.count("\n") == 2
        and "metal holds no audio file" in err
        and "2 could not be tagged:" in out
    )


def test_closed_folders_and_results_that_cannot_be_are_said_before_any_work(
    as_anyone, collection, tmp_path
):
    (collection / "jazz").chmod(0)
    tmp_path.joinpath("closed").mkdir(0o500)
    one = as_anyone("evaluate", "--seeded", collection)
    two = as_anyone("evaluate", "--seeded", collection, "--results", tmp_path / "closed" / "r.csv")
    (collection / "jazz").chmod(0o755)
    assert (
        one.returncode == 1
        and b"jazz cannot be read (Permission denied); give a folder" in one.stderr
    )
    assert one.stdout.count(b"jazz cannot be read") == 1 and b"of 3 tracks)" in one.stdout
    assert (two.returncode, two.stdout) == (
        2,
        b"",
    ) and b"closed may not be written to" in two.stderr


@pytest.mark.parametrize(
    ("name", "said"), [("folder", "it is a folder"), ("other.csv", "is no file of results")]
)
def test_results_of_another_kind_are_refused(name, said, run, collection, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    code, out, err = run("evaluate", collection, "--results", tmp_path / name)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"


def test_cnn0s_dependence_on_its_batch_is_said_and_that_a_resumed_run_has_others(
    run, collection, tmp_path
):
    results = tmp_path / "r.csv"
    _, _, err = run("evaluate", "-m", "CNN0", collection, "--results", results)
    assert err.count("\n") == 2 and "depend on the clips" in err and "goes on with" not in err
    results.write_text("".join(results.read_text().splitlines(keepends=True)[:3]))
    _, _, err = run("evaluate", "-m", "CNN0", collection, "--results", results)
    assert "depend on the clips" in err and "goes on with 4 more tracks" in err
    assert "depend on the clips" not in run("evaluate", collection)[2]


def test_accuracy_and_recall_of_a_known_table():
    pairs = [("blues", "blues")] * 3 + [("blues", "rock")] + [("rock", "rock")]
    rows = [{"genre": genre, "predicted": predicted} for genre, predicted in pairs]
    np.testing.assert_array_equal(confusion(rows, list(GENRES)), [[3, 0, 1], [0, 0, 0], [0, 0, 1]])
    lines = report(rows, list(GENRES))
    assert lines[0] == "accuracy 0.8000 (4 of 5 tracks)"
    assert [line.split()[-1] for line in lines[2:]] == ["0.750", "-", "1.000"]


def test_folders_that_are_no_tags_are_refused(run, collection, tmp_path):
    (collection / "polka").mkdir()
    cases = {
        collection: "polka is no tag",
        tmp_path / "none": "is not a folder",
        tmp_path / "music" / "jazz": "no folder per genre",
    }
    for folder, said in cases.items():
        code, _, err = run("evaluate", folder)
        assert code == 2 and said in err and err.count("\n") == 1


def test_a_folder_without_a_good_track_is_exit_code_2(run, tmp_path):
    (tmp_path / "music" / "jazz").mkdir(parents=True)
    (tmp_path / "music" / "jazz" / "x.wav").write_bytes(b"")
    code, _, err = run("evaluate", tmp_path / "music")
    assert code == 2 and "no track could be tagged" in err
