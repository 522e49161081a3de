"""`python -m tagger evaluate` on a synthesised folder of GTZAN's layout."""

import csv
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from tagger.evaluating import confusion, report
from tagger.model import load

pytestmark = pytest.mark.slow

GENRES = ("blues", "jazz", "rock")
FEW = ("--workers", 0, "--batch-size", 1)


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
    *rows, bad = rows_of(tmp_path / "r.csv")
    tagger = load("CRNN", stand_ins / "seeded-CRNN.h5")
    assert len(rows) == 5 and {row["genre"] for row in rows} == set(GENRES)
    assert "is empty" in bad["error"] and (bad["genre"], bad["predicted"]) == ("rock", "")
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


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_table(
    kind, run, collection, tmp_path, stopped_at_the_third
):
    whole, results = tmp_path / f"whole.{kind}", tmp_path / f"r.{kind}"
    _, figures, _ = run("evaluate", *FEW, collection, "--results", whole)
    tagged = stopped_at_the_third()
    code, out, err = run("evaluate", *FEW, collection, "--results", results)
    assert (code, out) == (2, "") and "stopped; 2 of 6 files are done" in err
    code, _, err = run("evaluate", *FEW, "--front-end", "2016", collection, "--results", results)
    assert code == 2 and "other weights, options" in err and err.count("\n") == 1
    assert run("evaluate", *FEW, collection, "--results", results)[:2] == (1, figures)
    assert len(tagged) == 3 + 4 and results.read_bytes() == whole.read_bytes()
    assert not (tmp_path / f"r.{kind}.parts").exists()
    assert run("evaluate", *FEW, collection, "--results", results)[0] == 1, "it is our own"


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
    ("name", "said"),
    [
        ("folder.csv", "it is a folder"),
        ("other.csv", "this program did not write"),
        ("r.txt", "name a table .parquet, .csv or .jsonl"),
    ],
)
def test_results_of_another_kind_are_refused(name, said, run, collection, tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    code, out, err = run("evaluate", collection, "--results", tmp_path / name)
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    assert (tmp_path / "other.csv").read_text() == "a,b\n1,2\n"


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
