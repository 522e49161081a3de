"""`python -m tagger tag`: formats, frames, batches, and what --seeded marks."""

import csv
import io
import json
import shutil
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from parity.fixtures import store
from parity.fixtures.tags import GENRES
from tagger import corrections, outputs
from tagger.audio import melgram
from tagger.model import load
from tagger.tagging import Scored
from tagger.weight_files import weights_of

# Float32 rounds each sum by 2^-24 of its size, at random: sqrt(terms) of the widest convolution,
# once per convolution.
ROUNDING = {"CRNN": 4 * np.sqrt(9 * 128) * 2.0**-24, "CNN": 5 * np.sqrt(9 * 192) * 2.0**-24}


def test_the_table_has_five_tags_per_line_and_says_the_weights_mean_nothing(run, wav):
    code, out, err = run("tag", "--percent", wav())
    lines = out.splitlines()
    assert (code, err) == (0, "")
    title = "* top 10 tags of CRNN by the formulas of Keras 1.1.0 (assumed), percent of the sum *"
    assert lines[0] == title and lines[1].startswith("MEANINGLESS")
    assert lines[2].endswith("clip.wav") and [line.count(", ") for line in lines[3:]] == [4, 4]
    tags = [cell.rsplit(" ", 1) for line in lines[3:] for cell in line.strip().split(", ")]
    percents = [float(figure) for _, figure in tags]
    assert {tag for tag, _ in tags} == set(GENRES) and percents == sorted(percents, reverse=True)
    assert sum(percents) == pytest.approx(100, abs=0.01)


def test_json_holds_scores_percents_and_failures(run, wav, tmp_path):
    code, out, err = run("tag", "--format", "json", "--top", 3, wav(), tmp_path / "none.wav")
    document = json.loads(out)
    assert (
        code == 1
        and "none.wav is not there" in err
        and "none.wav is not there" in document["failed"][0]
    )
    assert document["meaningless"] is True and document["model"] == "CRNN"
    (track,) = document["tracks"]
    assert len(track["frames"][0]["tags"]) == 3 and set(track["frames"][0]["tags"][0]) == {
        "tag",
        "score",
        "percent",
    }


def test_csv_holds_a_row_per_tag(run, wav):
    path = wav('two, "quoted"\nlines 音楽.wav')
    _, out, _ = run("tag", "--format", "csv", "--top", 4, path)
    rows = list(csv.DictReader(io.StringIO(out)))
    assert [row["rank"] for row in rows] == list("1234") and {row["file"] for row in rows} == {
        str(path)
    }
    assert all(row["weights"].startswith("MEANINGLESS") for row in rows)


def test_scores_are_printed_where_percents_are_not_asked_for(run, wav, stand_ins):
    path = wav()
    _, out, _ = run("tag", "--top", 1, path)
    best = load("CRNN", stand_ins / "seeded-CRNN.h5").tag(path).iloc[0]
    assert out.splitlines()[-1].strip() == f"{best.tag} {best.score:.3f}"


def test_a_picture_has_a_panel_per_track_and_is_written_whole(run, wav, tmp_path):
    picture = tmp_path / "bars.svg"
    assert run("tag", "--plot", picture, wav("a & b <c>.wav"), wav("d.wav"))[0] == 0
    svg = ElementTree.parse(picture).getroot()
    nodes = svg.iter("{http://www.w3.org/2000/svg}text")
    texts = [text for node in nodes for text in node.itertext()]
    assert any("a & b <c>.wav" in text for text in texts) and any("d.wav" in text for text in texts)
    assert any(text.startswith("MEANINGLESS") for text in texts) and set(GENRES) <= set(texts)
    assert [path.name for path in tmp_path.iterdir() if "part" in path.suffix] == []


@pytest.mark.parametrize(
    ("name", "said"), [("bars.bmp", ".svg or .png"), ("none/bars.png", "is not a folder")]
)
def test_a_picture_that_cannot_be_is_refused_before_any_work(name, said, run, wav, tmp_path):
    code, out, err = run("tag", "--plot", tmp_path / name, wav())
    assert (code, out) == (2, "") and err.count("\n") == 1 and said in err


def test_pictures_that_are_too_high_or_may_not_be_written_are_refused_before_any_work(
    run, as_anyone, wav, tmp_path
):
    paths = [wav(f"{i}.wav", seconds=0.1) for i in range(80)]
    code, out, err = run("tag", "--plot", tmp_path / "x.png", *paths)
    assert (code, out) == (2, "") and err.count("\n") == 1 and "80 tracks make a png of" in err
    tmp_path.joinpath("closed").mkdir(0o500)
    said = as_anyone("tag", "--seeded", "--plot", tmp_path / "closed" / "x.svg", paths[0])
    assert (said.returncode, said.stdout) == (
        2,
        b"",
    ) and b"closed may not be written to" in said.stderr


def test_a_quoted_pattern_is_as_the_shells(run, wav, tmp_path):
    for name in ("a/1.wav", "b.wav"):
        wav(name)
    (tmp_path / "cover.jpg").write_bytes(b"no sound")
    code, out, err = run("tag", "--top", 1, "--format", "json", tmp_path / "*")
    assert (code, err) == (0, "tagger: passed over 1 file (1 .jpg)\n")
    assert [track["file"].removeprefix(f"{tmp_path}/") for track in json.loads(out)["tracks"]] == [
        "a/1.wav",
        "b.wav",
    ]


def test_an_input_correction_is_what_it_says_in_every_output(run, wav, stand_ins, tmp_path):
    path, tagger = wav(), load("CNN", stand_ins / "seeded-CNN.h5")
    mel = melgram(path)
    expected = tagger.predict(corrections.correct("clip", mel))[0]
    assert np.abs(expected - tagger.predict(mel)[0]).max() > 1e-3
    told = ("tag", "-m", "CNN", "--correction", "clip")
    table, rows, document = (
        run(*told, "--format", form, path)[1] for form in ("table", "csv", "json")
    )
    assert "NOT THE ORIGINAL'S ANSWER: with correction clip" in table.splitlines()[:3]
    best = list(csv.DictReader(rows.splitlines()))
    assert {row["remedies"] for row in best} == {"correction clip"}
    assert float(best[0]["score"]) == pytest.approx(expected.max(), abs=ROUNDING["CNN"])
    assert json.loads(document)["correction"] == "clip"
    assert (
        run(*told, "--plot", tmp_path / "x.svg", path)[0] == 0
        and "with correction clip" in (tmp_path / "x.svg").read_text()
    )
    plain = run("tag", "-m", "CNN", "--format", "json", path)[1]
    assert (
        json.loads(plain)["correction"] is None
        and "NOT THE ORIGINAL" not in run("tag", "-m", "CNN", path)[1]
    )
    code, out, err = run("tag", "--correction", "clap", path)
    assert (code, out) == (2, "") and "did you mean clip" in err and err.count("\n") == 1


def test_remarks_are_in_every_output_one_line_each(run, wav, stand_ins, tmp_path):
    short, fine = wav("short.wav", seconds=2), wav("fine.wav")
    said = "is 2.00 s long: silence is put after it"
    _, table, err = run("tag", short, fine)
    assert [said in line for line in table.splitlines()].count(True) == 1 and err == ""
    assert table.index(said) < table.index("fine.wav")
    _, rows, err = run("tag", "--format", "csv", short, fine)
    remarks = {row["file"]: row["remarks"] for row in csv.DictReader(rows.splitlines())}
    assert said in remarks[str(short)] and remarks[str(fine)] == "" and err.count(said) == 1
    _, document, err = run("tag", "--format", "json", short, fine)
    one, other = json.loads(document)["tracks"]
    assert said in one["remarks"][0] and "remarks" not in other and err.count(said) == 1
    with pytest.warns(UserWarning, match=said):
        frame = load("CRNN", stand_ins / "seeded-CRNN.h5").tag(short, fine)
    assert frame[frame.file == str(short)].remarks.str.contains(said).all()
    assert (frame[frame.file == str(fine)].remarks == "").all()
    assert said in run("melgram", short, tmp_path / "x.npy")[2]
    run("tag", "--plot", tmp_path / "x.svg", short, fine)
    assert "1 of 2 tracks with remarks" in (tmp_path / "x.svg").read_text()
    wav("music/jazz/1.wav", seconds=2)
    run("evaluate", tmp_path / "music", "--results", tmp_path / "r.csv")
    (row,) = csv.DictReader((tmp_path / "r.csv").open())
    assert said in row["remarks"]


def test_a_network_of_standardised_input_says_that_it_gets_decibels(stand_ins, run, wav):
    path, said = wav(), "trained on standardised input"
    tagger = load("CNN", stand_ins / "seeded-CNN.h5")
    assert tagger.remarks == (), "this one's statistics are of decibels"
    tagger = load("CNN", stand_ins / "seeded-CNN.h5")
    first = next(link for link in tagger.network.steps().values() if hasattr(link, "running_std"))
    first.running_std[:] = 1
    assert said in tagger.remarks[0]
    for form, lines in (("table", 1), ("json", 1), ("csv", 10)):
        writer = outputs.FORMATS[form](tagger, 10, "percent")
        scored = Scored(path, np.full((1, 50), 0.5, np.float32))
        text = [writer.begin(), writer.track(scored), writer.end([])]
        assert "\n".join(filter(None, text)).count(said) == lines
    with pytest.warns(UserWarning, match=said):
        assert tagger.tag(path).remarks.str.contains(said).all()
    corrected = load("CNN", stand_ins / "seeded-CNN.h5", correction="clip")
    next(
        link for link in corrected.network.steps().values() if hasattr(link, "running_std")
    ).running_std[:] = 1
    assert corrected.remarks == ()


def test_a_corrected_tagger_corrects_however_it_is_asked_and_none_is_off(stand_ins, wav):
    path = wav()
    tagger, plain = (
        load("CNN", stand_ins / "seeded-CNN.h5", correction=name) for name in ("clip", "none")
    )
    mel = melgram(path)
    corrected = corrections.correct("clip", mel)
    np.testing.assert_array_equal(tagger.predict(mel), plain.predict(corrected))
    assert tagger.tag(path).remedies.unique() == ["correction clip"] and plain.remedies == ()
    assert list(plain.tag(path).columns) == [*outputs.COLUMNS, "remarks"]


@pytest.mark.parametrize("command", ["tag", "evaluate"])
def test_a_png_is_what_the_svg_is(command, run, wav, tmp_path):
    from PIL import Image

    wav("music/jazz/a & b 音楽.wav")
    wav("music/rock/2.wav", pitch_hz=900)
    for name in ("x.png", "y.png", "x.svg"):
        assert run(command, "--plot", tmp_path / name, tmp_path / "music")[0] == 0
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "y.png").read_bytes()
    size = ElementTree.parse(tmp_path / "x.svg").getroot().attrib
    with Image.open(tmp_path / "x.png") as image:
        assert (image.format, image.size) == (
            "PNG",
            (2 * int(size["width"]), 2 * int(size["height"])),
        )
        assert len(set(image.convert("RGB").getdata())) > 20, "text and bars, not an empty page"


def test_a_whole_track_gives_each_frame_and_their_mean(stand_ins, wav):
    path = wav(seconds=2 * 29.12 + 1)
    table = (
        load("CRNN", stand_ins / "seeded-CRNN.h5")
        .tag(path, frames="all")
        .pivot(index="tag", columns="frame", values="score")
    )
    assert list(table.columns) == ["0", "1", "mean"], "what is left over at the end is dropped"
    np.testing.assert_allclose(table["mean"], (table["0"] + table["1"]) / 2, rtol=1e-6)
    assert (table["0"] != table["1"]).any()


def test_the_frames_of_a_track_are_those_of_its_pieces(stand_ins, wav, tmp_path):
    import soundfile

    path = wav(seconds=2 * 29.12)
    soundfile.write(
        tmp_path / "second.wav", soundfile.read(path)[0][349440:], 12000, subtype="PCM_16"
    )
    tagger = load("CRNN", stand_ins / "seeded-CRNN.h5")
    whole, piece = tagger.tag(path, frames="all"), tagger.tag(tmp_path / "second.wav")
    np.testing.assert_allclose(
        whole[whole.frame == "1"].score, piece.score, rtol=0, atol=ROUNDING["CRNN"]
    )


def test_folders_patterns_and_files_each_once_and_in_order(run, wav, tmp_path):
    for name in ("b.wav", "a/two words.wav", "a/quote's.wav"):
        wav(name)
    (tmp_path / "a" / "cover.jpg").write_bytes(b"no sound")
    code, out, _ = run(
        "tag", "--top", 1, "--format", "json", tmp_path, tmp_path / "*.wav", tmp_path / "b.wav"
    )
    names = [track["file"].removeprefix(f"{tmp_path}/") for track in json.loads(out)["tracks"]]
    assert (code, names) == (0, ["a/quote's.wav", "a/two words.wav", "b.wav"])


def test_what_is_no_music_in_a_folder_is_passed_over_and_counted(run, wav, tmp_path):
    wav("album/a.wav")
    for name in (
        ".b.wav",
        "._a.wav",
        "__MACOSX/._a.wav",
        ".trash/c.wav",
        "cover.jpg",
        "list.m3u",
        "README",
    ):
        path = tmp_path / "album" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"no sound")
    code, out, err = run("tag", "--format", "json", tmp_path / "album")
    document = json.loads(out)
    assert code == 0 and document["failed"] == [] and len(document["tracks"]) == 1
    assert err.count("\n") == 1 and "passed over 7 files (4 hidden, 1 " in err
    assert document["passed_over"] == 7
    (tmp_path / "genres" / "__MACOSX").mkdir(parents=True)
    (tmp_path / "album").rename(tmp_path / "genres" / "jazz")
    code, out, err = run("evaluate", tmp_path / "genres")
    assert code == 0 and "passed over 7 files" in err and "(1 of 1 tracks)" in out


@pytest.mark.parametrize("model", ["CRNN", "CNN"])
def test_batches_order_and_company_change_nothing_beyond_rounding(model, stand_ins, wav):
    tagger = load(model, stand_ins / f"seeded-{model}.h5")
    paths = [wav(f"{i}.wav", pitch_hz=200 * (i + 1)) for i in range(3)]
    alone = {str(path): tagger.tag(path).set_index("tag").score for path in paths}
    together = tagger.tag(*reversed(paths), batch_size=2)
    for path, table in together.groupby("file"):
        scores = table.set_index("tag").score
        np.testing.assert_allclose(scores, alone[path][scores.index], rtol=0, atol=ROUNDING[model])
    again = tagger.tag(*reversed(paths), batch_size=2)
    assert again.equals(together), "the same files give the same bits"


def test_cnn0_depends_on_its_batch_and_says_so(run, stand_ins, wav):
    paths = [wav("1.wav", pitch_hz=200), wav("2.wav", pitch_hz=2000)]
    tagger = load("CNN0", stand_ins / "seeded-CNN0.h5")
    alone, together = tagger.tag(paths[0]), tagger.tag(*paths)
    assert (
        np.abs(
            alone.score.to_numpy() - together[together.file == str(paths[0])].score.to_numpy()
        ).max()
        > 1e-4
    )
    code, _, err = run("tag", "-m", "CNN0", "--batch-size", 2, *paths)
    assert (
        code == 0
        and err.count("\n") == 1
        and "depend on the clips" in err
        and "--batch-size 2" in err
    )


def test_weights_are_found_in_the_data_folder_then_in_the_cache(monkeypatch, tmp_path):
    for folder in ("data", "cache"):
        (tmp_path / folder / "weights").mkdir(parents=True)
        (tmp_path / folder / store.WEIGHTS["CNN"]).touch()
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path / "cache"))
    monkeypatch.delenv("PARITY_DATA", raising=False)
    assert weights_of("CNN").is_relative_to(tmp_path / "cache")
    monkeypatch.setenv("PARITY_DATA", str(tmp_path / "data"))
    assert weights_of("CNN").is_relative_to(tmp_path / "data")


def test_an_npz_converted_from_the_weights_is_found_before_them(
    monkeypatch, run, stand_ins, wav, tmp_path
):
    hdf5 = tmp_path / "data" / store.WEIGHTS["CRNN"]
    hdf5.parent.mkdir(parents=True)
    shutil.copy(stand_ins / "seeded-CRNN.h5", hdf5)
    monkeypatch.setenv("PARITY_DATA", str(tmp_path / "data"))
    assert weights_of("CRNN") == hdf5
    assert run("convert", hdf5, hdf5.with_suffix(".npz"))[0] == 0
    assert weights_of("CRNN") == hdf5.with_suffix(".npz")
    hdf5.write_bytes(hdf5.read_bytes() + b" ")
    assert weights_of("CRNN") == hdf5, "an npz of other weights is not what was asked for"
    hdf5.unlink()
    assert weights_of("CRNN") == hdf5.with_suffix(".npz")


def test_the_parity_run_looks_in_the_same_places(monkeypatch, tmp_path):
    (tmp_path / "music-tagger-parity" / "fixtures" / "audio").mkdir(parents=True)
    (tmp_path / "music-tagger-parity" / "fixtures" / "audio" / "x.wav").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("PARITY_DATA", raising=False)
    monkeypatch.delenv("PARITY_FIXTURES", raising=False)
    assert (
        store.locate("audio/x.wav")
        == store.find("audio/x.wav")
        == store.cache_folder() / "audio" / "x.wav"
    )
