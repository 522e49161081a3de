"""`tagger tag --out TABLE` on folders, lists and URLs: a row for each track, resumed, never lost."""

import csv
import json
import os
import zipfile

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from tagger import collections
from tagger.model import load

FEW = ("--workers", 0, "--batch-size", 1)


def rows_of(path):
    with open(path, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture
def folder(wav, tmp_path):
    for at in range(3):
        wav(f"music/{at}.wav", pitch_hz=300 * (1 + at), seconds=29.12 if at else 2)
    (tmp_path / "music" / "bad.wav").write_bytes(b"RIFF, but no more")
    (tmp_path / "music" / "cover.jpg").write_bytes(b"")
    (tmp_path / "music" / "gone.wav").symlink_to("nowhere")
    return tmp_path / "music"


def test_each_track_is_a_row_with_every_score_and_a_broken_one_says_why(
    run, folder, stand_ins, tmp_path
):
    table = tmp_path / "t.csv"
    code, out, err = run("tag", *FEW, "--out", table, folder)
    assert code == 1 and not out and f"{table}: 3 of 5 files tagged by " in err
    assert "2 could not be tagged; the table says why" in err and "passed over 1 file" in err
    rows, tagger = rows_of(table), load("CRNN", stand_ins / "seeded-CRNN.h5")
    names = ["0.wav", "1.wav", "2.wav", "bad.wav", "gone.wav"]
    assert [row["file"].split("/")[-1] for row in rows] == names
    assert "gone.wav is not there" in rows[4]["error"]
    assert "bad.wav" in rows[3]["error"] and not rows[3]["rock"] and not rows[0]["error"]
    assert "is 2.00 s long" in rows[0]["remarks"] and rows[0]["weights"].startswith("MEANINGLESS")
    with threadpool_limits(1):
        frame = tagger.tag(folder / "1.wav", batch_size=1).set_index("tag").score
    assert {tag: np.float32(rows[1][tag]) for tag in tagger.tags} == {
        tag: np.float32(frame[tag]) for tag in tagger.tags
    }
    assert not (tmp_path / "t.csv.parts").exists()


def test_every_frame_is_a_row_in_json_lines(run, wav, tmp_path):
    table = tmp_path / "t.jsonl"
    assert run("tag", *FEW, "--frames", "all", "-o", table, wav(seconds=60))[0] == 0
    rows = list(map(json.loads, table.read_text().splitlines()))
    assert [row["frame"] for row in rows] == ["0", "1", "mean"]
    assert rows[2]["rock"] == pytest.approx((rows[0]["rock"] + rows[1]["rock"]) / 2, abs=1e-6)


def test_a_run_that_was_stopped_goes_on_and_ends_in_the_same_table(
    run, folder, tmp_path, stopped_at_the_third
):
    whole, table = tmp_path / "whole.csv", tmp_path / "t.csv"
    run("tag", *FEW, "-o", whole, folder)
    tagged = stopped_at_the_third()
    code, out, err = run("tag", *FEW, "-o", table, folder)
    assert (code, out) == (2, "") and "stopped; 2 of 5 files are done, and the same" in err
    assert not table.exists()
    code, _, err = run("tag", *FEW, "--front-end", "2016", "-o", table, folder)
    assert code == 2 and "what differs: cut" in err
    assert run("tag", *FEW, "-o", table, folder)[0] == 1 and len(tagged) == 3 + 3
    assert table.read_bytes() == whole.read_bytes()


def test_lists_and_urls_name_files(run, folder, tmp_path):
    with zipfile.ZipFile(tmp_path / "music.zip", "w") as archive:
        archive.write(folder / "1.wav", "in/1.wav")
        archive.write(folder / "cover.jpg", "in/cover.jpg")
    stored = f"zip://in/*::file://{tmp_path / 'music.zip'}"
    (tmp_path / "list.m3u").write_text(
        f"#EXTM3U\nmusic/2.wav\n\n{stored}\nmusic/none.wav\nmore.txt\n"
    )
    (tmp_path / "more.txt").write_text("music/0.wav\nmusic/2.wav\n")
    table = tmp_path / "t.csv"
    code, _, _ = run("tag", *FEW, "-o", table, tmp_path / "list.m3u", "zip://x::file:///none.zip")
    rows = rows_of(table)
    assert code == 1 and len(rows) == 4 and rows[3]["rock"]
    assert rows[0]["file"] == f"{tmp_path}/music/2.wav" and rows[0]["rock"]
    assert rows[1]["file"] == f"zip://in/1.wav::file://{tmp_path}/music.zip" and rows[1]["rock"]
    assert "none.wav is not there" in rows[2]["error"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["-o", "t.csv", "empty.txt"], "empty.txt names no audio file"),
        (["-o", "t.csv", "a.m3u"], "a.m3u is a list that names itself; take its name out"),
        (["-o", "t.csv", "binary.txt"], "binary.txt is no list of names; give a text file"),
        (["-o", "t.csv", "pipe.txt"], "pipe.txt cannot be read (is no file; name one)"),
        (["-o", "t.csv", "none.m3u"], "none.m3u cannot be read (No such file or directory)"),
        (["-o", "t.csv", "s4://x/a.wav"], "s4://x/a.wav cannot be read"),
        (["-o", "t.xls", "music"], "name a table .parquet, .csv or .jsonl"),
        (["-o", "t.csv", "--format", "json", "music"], "--out and --format contradict"),
        (["-o", "none/../music", "music"], "name a table"),
        (["--workers", "2", "music"], "make a table; name it with --out"),
    ],
)
def test_what_cannot_be_is_one_sentence_before_any_work(
    given, said, run, folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    lists = {"empty.txt": "\n# nothing\n", "a.m3u": "b.txt", "b.txt": "a.m3u", "binary.txt": "\0"}
    for name, text in lists.items():
        (tmp_path / name).write_text(text)
    os.mkfifo(tmp_path / "pipe.txt")
    code, out, err = run("tag", *given)
    assert (code, out) == (2, "") and said in err and not list(tmp_path.glob("t.*"))


def test_other_weights_there_are_said(run, wav, stand_ins, tmp_path):
    tagger = load("CRNN", stand_ins / "seeded-CRNN.h5")
    job = collections.Tagging.of(
        tagger, {"frames": "centre", "front_end": "today", "batch_size": 1}, None, None
    )
    from dataclasses import replace

    with pytest.raises(Exception, match="is another file there"):
        replace(job, sha256=("0" * 64,)).open()
    with pytest.raises(Exception, match="cannot be read there"):
        replace(job, weights="/none.h5").open()


@pytest.mark.slow
def test_two_processes_give_the_table_of_one_and_evaluate_the_same_figures(
    run, collection, tmp_path
):
    one, two = tmp_path / "1.csv", tmp_path / "2.csv"
    run("tag", *FEW, "-o", one, collection)
    run("tag", "--workers", 2, "--batch-size", 1, "-o", two, collection)
    assert one.read_bytes() == two.read_bytes()
    alone = run("evaluate", *FEW, collection, "--results", tmp_path / "a.csv")
    apart = run(
        "evaluate", "--workers", 2, "--batch-size", 1, collection, "--results", tmp_path / "b.csv"
    )
    assert alone == apart and "rock.00001.wav" in apart[2]
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()
