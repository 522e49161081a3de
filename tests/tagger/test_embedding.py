"""Embeddings: what a layer makes of music, as npz and Parquet."""

from types import SimpleNamespace

import numpy as np
import pytest
from pyarrow import parquet

from tagger.audio import melgrams
from tagger.embedding import fault_of, until
from tagger.model import load


@pytest.fixture
def tagger(stand_ins):
    return load("CRNN", stand_ins / "seeded-CRNN.h5")


def test_a_layers_vectors_are_those_on_the_way_to_the_scores(run, wav, tagger, tmp_path):
    path = wav()
    code, _, err = run("embed", "--seeded", path, "-o", tmp_path / "e.npz")
    assert code == 0 and "MEANINGLESS" in err
    found, clip = np.load(tmp_path / "e.npz"), melgrams(path, "centre", "today")[0]
    assert found["values"].shape == (1, 32) and found["values"].dtype == np.float32
    assert (found["values"] == tagger.embed(clip, "gru2")).all()
    scores = tagger.network["preds"](found["values"]).array
    assert (scores == tagger.predict(clip)).all()
    assert list(found["frames"]) == ["centre"] and found["files"][0].endswith("clip.wav")
    assert any(line == "layer: gru2" for line in found["provenance"])


def test_every_frame_of_every_file_is_a_row_and_a_broken_file_is_told(run, wav, tagger, tmp_path):
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    paths = wav("a.wav", seconds=60), wav("b.wav", seconds=5), tmp_path / "broken.wav"
    words = ("--frames", "all", "--layer", "pool4", "-o", tmp_path / "e.parquet")
    code, _, err = run("embed", "--seeded", *paths, *words)
    assert code == 1 and "broken.wav" in err
    assert "b.wav is 5.00 s long" in err
    table = parquet.read_table(tmp_path / "e.parquet")
    short = ["is 5.00 s long" in said for said in table["remarks"].to_pylist()]
    assert short == [False, False, True]
    assert table["frame"].to_pylist() == ["0", "1", "centre"]
    assert table.schema.metadata[b"shape"] == b"128x1x15"
    values = np.array(table["values"].to_pylist()[:2], np.float32)
    clips, _ = melgrams(paths[0], "all", "today")
    assert (values == tagger.embed(clips, "pool4").reshape(2, -1)).all()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--layer", "gru3", "-o", "e.npz"), "CRNN has no layer 'gru3'; did you mean gru2"),
        (("-o", "e.csv"), "embeddings are written as .npz or .parquet"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence(run, wav, tmp_path, monkeypatch, words, said):
    path = wav()
    monkeypatch.chdir(tmp_path)
    code, _, err = run("embed", "--seeded", path, *words)
    assert code == 2 and said in err


def test_a_network_that_shows_scores_alone_is_told():
    tagger = SimpleNamespace(network=object(), source="CRNN.onnx")
    with pytest.raises(ValueError, match=r"CRNN\.onnx gives scores alone"):
        until(tagger, "gru2")


def test_values_that_are_no_numbers_are_a_fault():
    fine = np.ones((1, 2), np.float32)
    assert fault_of("a.wav", [fine]) is None
    assert "NaN or infinite" in str(fault_of("a.wav", [fine, fine * np.inf]))
