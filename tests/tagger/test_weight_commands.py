"""`python -m tagger convert`, `inspect` and `melgram`."""

import json
import shutil

import h5py
import numpy as np
import pytest

from parity.fixtures import seeded
from parity.port.weights import digest_of, keras_arrays, load, npz_bytes
from tagger.audio import melgram
from tagger.weight_files import STAND_INS, inherited, provenance_of


def test_convert_recognises_the_model_and_keeps_every_bit(run, stand_ins, tmp_path):
    source, target = stand_ins / "seeded-CRNN.h5", tmp_path / "crnn.npz"
    code, out, err = run("convert", source, target)
    assert (code, err) == (0, "") and "CRNN, formulas of Keras 1.1.0" in out
    for a, b in zip(
        keras_arrays(load("CRNN", source)).values(),
        keras_arrays(load("CRNN", target)).values(),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    with np.load(target, allow_pickle=False) as members:
        said = json.loads(str(members["provenance"]))
    assert said["source"] == "seeded-CRNN.h5" and len(said["source_sha256"]) == 64


def test_the_model_may_be_named(run, stand_ins, tmp_path):
    cnn0, target = stand_ins / "seeded-CNN0.h5", tmp_path / "x.npz"
    assert run("convert", "--model", "CNN0", cnn0, target)[0] == 0
    assert load("CNN0", target).model == "CNN0"
    for model, said in (("CRNN", "not CRNN"), ("CNN", "ask for CNN0")):
        code, _, err = run("convert", "--model", model, cnn0, tmp_path / "y.npz")
        assert code == 2 and said in err and err.count("\n") == 1
        assert not (tmp_path / "y.npz").exists()


def test_weights_of_no_model_are_refused(run, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense_1"]
    for command in (
        ("inspect", tmp_path / "x.h5"),
        ("convert", tmp_path / "x.h5", tmp_path / "x.npz"),
    ):
        code, _, err = run(*command)
        assert code == 2 and "none of the models" in err and err.count("\n") == 1


def test_what_fits_no_model_is_listed_with_the_reason(run, stand_ins, tmp_path):
    shutil.copy(stand_ins / "seeded-CRNN.h5", tmp_path / "x.h5")
    with h5py.File(tmp_path / "x.h5", "a") as file:
        del file["gru2/gru2_b_z"]
    code, out, err = run("inspect", tmp_path / "x.h5")
    assert (
        code == 2
        and "for CRNN, the nearest, gru2/gru2_b_z is missing" in err
        and err.count("\n") == 1
    )
    assert "gru2/gru2_b_r" in out and "64x1x3x3" in out and "sha256 " in out
    np.savez(tmp_path / "y.npz", a=np.zeros((2, 3)), b=np.array("text"))
    code, out, err = run("inspect", tmp_path / "y.npz")
    assert code == 2 and "2x3" in out and "does not say which model" in err


def test_converting_again_keeps_where_it_all_comes_from(run, stand_ins, tmp_path):
    one, two = tmp_path / "one.npz", tmp_path / "two.npz"
    for source, target in ((stand_ins / "seeded-CRNN.h5", one), (one, two)):
        assert run("convert", source, target)[0] == 0
    said, before = provenance_of(two), provenance_of(one)
    assert (
        said["source"] == "one.npz"
        and said["earlier"] == before
        and before["source"] == "seeded-CRNN.h5"
    )
    _, out, _ = run("inspect", two)
    assert "source: one.npz" in out and "seeded-CRNN.h5" in out and "1.1.0 (assumed)" in out


def test_stand_ins_mean_nothing_under_any_name(run, stand_ins, wav, tmp_path):
    shutil.copy(stand_ins / "seeded-CRNN.h5", tmp_path / "trained.h5")
    assert run("convert", tmp_path / "trained.h5", tmp_path / "trained.npz")[0] == 0
    network = load("CRNN", tmp_path / "trained.npz")
    network.preds.b.array += 1
    origin = inherited(load("CRNN", tmp_path / "trained.npz"), tmp_path / "trained.npz")
    (tmp_path / "tuned.npz").write_bytes(npz_bytes(network, **origin))
    for name in ("trained.h5", "trained.npz", "tuned.npz"):
        assert "MEANINGLESS" in run("tag", "--weights", tmp_path / name, wav())[1], name
    (tmp_path / "own.npz").write_bytes(npz_bytes(network))
    assert "MEANINGLESS" not in run("tag", "--weights", tmp_path / "own.npz", wav())[1]


@pytest.mark.parametrize("model", STAND_INS)
def test_stand_ins_are_known_by_what_they_hold(model, tmp_path):
    assert digest_of(load(model, seeded.weights(model, tmp_path))) == STAND_INS[model]


def test_inspect_says_what_running_std_holds(run, stand_ins):
    _, out, _ = run("inspect", stand_ins / "seeded-CRNN.h5")
    assert (
        "1.1.0 (assumed): running_std holds a variance" in out
        and "gru1/gru1_W_z" in out
        and "128x32" in out
    )
    _, out, _ = run("inspect", stand_ins / "seeded-CNN.h5")
    assert "1.0.6 (assumed): running_std holds a std" in out and "32x1x3x3" in out


def test_melgram_writes_what_the_library_computes(run, wav, tmp_path):
    path = wav(rate_hz=44100)
    assert run("melgram", path, tmp_path / "x.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", allow_pickle=False), melgram(path))
    assert run("melgram", "--front-end", "2016", path, tmp_path / "y.npy")[0] == 0
    assert (np.load(tmp_path / "y.npy") != melgram(path)).any()
    code, _, err = run("melgram", wav("slow.wav", rate_hz=8000), tmp_path / "x.npy")
    assert code == 0 and err.count("\n") == 1 and "8000 Hz" in err
    code, _, err = run("melgram", path, tmp_path / "none" / "x.npy")
    assert code == 2 and "cannot be written" in err and err.count("\n") == 1
