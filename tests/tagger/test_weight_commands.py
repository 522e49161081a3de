"""`python -m port convert`, `inspect` and `melgram`."""

import json

import h5py
import numpy as np

from port.audio import melgram
from port.models import load
from port.weights import keras_arrays


def test_convert_recognises_the_model_and_keeps_every_bit(run, stand_ins, tmp_path):
    source, target = stand_ins / "seeded-CRNN.h5", tmp_path / "crnn.npz"
    code, out, err = run("convert", source, target)
    assert (code, err) == (0, "") and "CRNN, formulas of Keras 1.1.0" in out
    for a, b in zip(keras_arrays(load("CRNN", source)).values(), keras_arrays(load("CRNN", target)).values(), strict=True):
        np.testing.assert_array_equal(a, b)
    with np.load(target, allow_pickle=False) as members:
        said = json.loads(str(members["provenance"]))
    assert said["source"] == "seeded-CRNN.h5" and len(said["source_sha256"]) == 64


def test_the_model_may_be_named(run, stand_ins, tmp_path):
    assert run("convert", "--model", "CNN0", stand_ins / "seeded-CNN.h5", tmp_path / "x.npz")[0] == 0
    assert load("CNN0", tmp_path / "x.npz").model == "CNN0"
    code, _, err = run("convert", "--model", "CRNN", stand_ins / "seeded-CNN.h5", tmp_path / "y.npz")
    assert code == 2 and "not CRNN" in err and not (tmp_path / "y.npz").exists()


def test_weights_of_no_model_are_refused(run, tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense_1"]
    for command in (("inspect", tmp_path / "x.h5"), ("convert", tmp_path / "x.h5", tmp_path / "x.npz")):
        code, _, err = run(*command)
        assert code == 2 and "none of the models" in err and err.count("\n") == 1


def test_inspect_says_what_running_std_holds(run, stand_ins):
    _, out, _ = run("inspect", stand_ins / "seeded-CRNN.h5")
    assert "1.1.0: running_std holds a variance" in out and "gru1/gru1_W_z" in out and "128x32" in out
    _, out, _ = run("inspect", stand_ins / "seeded-CNN.h5")
    assert "1.0.6: running_std holds a std" in out and "32x1x3x3" in out


def test_melgram_writes_what_the_library_computes(run, wav, tmp_path):
    path = wav(rate_hz=44100)
    assert run("melgram", path, tmp_path / "x.npy")[0] == 0
    np.testing.assert_array_equal(np.load(tmp_path / "x.npy", allow_pickle=False), melgram(path))
    assert run("melgram", "--front-end", "2016", path, tmp_path / "y.npy")[0] == 0
    assert (np.load(tmp_path / "y.npy") != melgram(path)).any()
    code, _, err = run("melgram", path, tmp_path / "none" / "x.npy")
    assert code == 2 and "cannot be written" in err and err.count("\n") == 1
