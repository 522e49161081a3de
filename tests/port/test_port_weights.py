"""Keras files in, npz out and in again: bit for bit, or one sentence that says what does not
fit.
"""

import json
import os
import pickle
import stat

import h5py
import numpy as np
import pytest
from keras_files import write_keras_file

from parity.port import weights
from parity.port.network import Network
from parity.port.weights import WeightsError, keras_arrays, load, npz_bytes, read_hdf5
from tagger.weight_files import convert


def save_npz(path, network, **origin):
    path.write_bytes(npz_bytes(network, **origin))


@pytest.fixture(scope="module")
def crnn(keras_weights):
    return keras_weights("CRNN")


def refusal(model, path, keras=None):
    """The sentence with which `path` is refused."""
    with pytest.raises(WeightsError) as caught:
        load(model, path, keras)
    sentence = str(caught.value)
    assert str(path) in sentence and "\n" not in sentence and ";" in sentence, (
        "what, where; what to do"
    )
    return sentence


@pytest.mark.parametrize("model", ["CRNN", "CRNN50", "CNN0", "CNN"])
def test_every_parameter_comes_from_its_dataset(model, keras_file, keras_weights):
    held, tagger = keras_weights(model), load(model, keras_file(model))
    for name, array in keras_arrays(tagger).items():
        np.testing.assert_array_equal(array, held[name], err_msg=name)
    assert set(held) == set(keras_arrays(tagger))
    running = sum(
        2 * step.gamma.size for name, step in tagger.steps().items() if name.startswith("bn")
    )
    assert (
        sum(array.size for array in held.values()) == sum(p.size for p in tagger.params()) + running
    ), "every one is filled"


def test_kernels_are_flipped_and_matrices_transposed(keras_file, crnn):
    tagger = load("CRNN", keras_file("CRNN"))
    np.testing.assert_array_equal(
        tagger.conv2.W.array[3, 5, 0, 2], crnn["conv2/conv2_W"][3, 5, 2, 0]
    )
    np.testing.assert_array_equal(tagger.preds.W.array, crnn["preds/preds_W"].T)
    np.testing.assert_array_equal(tagger.gru1.W.array[32:64], crnn["gru1/gru1_W_r"].T)
    np.testing.assert_array_equal(tagger.gru2.U.array[64:], crnn["gru2/gru2_U_h"].T)
    np.testing.assert_array_equal(tagger.gru1.b.array[:32], crnn["gru1/gru1_b_z"])
    assert all(parameter.array.flags.c_contiguous for parameter in tagger.params())


def test_npz_round_trip_is_bit_exact_and_needs_no_pickle(tmp_path, keras_file):
    path, written = tmp_path / "crnn.npz", load("CRNN", keras_file("CRNN"))
    save_npz(path, written, source="crnn.h5")
    read = load(None, path)
    assert (read.model, read.keras) == ("CRNN", "1.1.0")
    for (name, a), b in zip(
        keras_arrays(written).items(), keras_arrays(read).values(), strict=True
    ):
        assert a.tobytes() == b.tobytes() and a.dtype == b.dtype, name
    with np.load(path, allow_pickle=False) as members:
        assert json.loads(str(members["provenance"]))["source"] == "crnn.h5"


def test_converting_twice_gives_the_same_bytes_and_names_the_source(tmp_path, keras_file):
    for name in ("a.npz", "b.npz"):
        convert(keras_file("CNN0"), tmp_path / name, "CNN0")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert stat.S_IMODE(os.stat(tmp_path / "a.npz").st_mode) == 0o644
    with np.load(tmp_path / "a.npz", allow_pickle=False) as members:
        said = json.loads(str(members["provenance"]))
    assert (
        said["model"] == "CNN0" and said["source"] == "CNN0.h5" and len(said["source_sha256"]) == 64
    )


def test_an_npz_keeps_its_release_unless_told_otherwise(tmp_path, keras_file):
    save_npz(tmp_path / "cnn.npz", load("CNN", keras_file("CNN"), "1.0.7"))
    assert load("CNN", tmp_path / "cnn.npz").keras == "1.0.7"
    asked = load("CNN", tmp_path / "cnn.npz", "1.2.2")
    assert asked.keras == "1.2.2" and "says that Keras 1.0.7 wrote it" in asked.remarks[0]
    save_npz(tmp_path / "assumed.npz", load("CNN", keras_file("CNN")))
    assert load(None, tmp_path / "assumed.npz").keras_from == "assumed"


@pytest.mark.parametrize(
    "content, said",
    [(b"", "is empty"), (b"not weights at all", "is neither HDF5 nor npz"), (b"PK\x03\x04 and no more", "damaged npz"),
     (pickle.dumps({"W": 1}), "is neither HDF5 nor npz")],
)  # fmt: skip
def test_what_is_no_weight_file(tmp_path, content, said):
    path = tmp_path / "w.h5"
    path.write_bytes(content)
    assert said in refusal("CRNN", path)


def test_a_missing_file_a_folder_and_another_hdf5(tmp_path):
    assert "is not there" in refusal("CRNN", tmp_path / "none.h5")
    assert "cannot be read" in refusal("CRNN", tmp_path)
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["table"] = np.zeros(3)
    assert "no model.save_weights wrote it" in refusal("CRNN", tmp_path / "other.h5")


@pytest.mark.parametrize("kept", [9, 100, 2000, 0.5, 0.999999])
@pytest.mark.parametrize("kind", ["h5", "npz"])
def test_a_file_cut_short(tmp_path, keras_file, kind, kept):
    whole = tmp_path / "whole.npz"
    save_npz(whole, load("CRNN", keras_file("CRNN")))
    data = (keras_file("CRNN") if kind == "h5" else whole).read_bytes()
    path = tmp_path / f"cut.{kind}"
    path.write_bytes(data[: kept if kept > 1 else int(kept * len(data))])
    assert "cut short or" in refusal("CRNN", path)


@pytest.mark.parametrize(
    "held, asked, said",
    [("CRNN", "CNN", "holds the weights of CRNN, not CNN"), ("CNN", "CRNN", "holds the weights of CNN0 or CNN, not CRNN"),
     ("CRNN50", "CRNN", "holds the weights of CRNN50, not CRNN")],
)  # fmt: skip
def test_weights_of_another_model_are_recognised(keras_file, held, asked, said):
    assert said in refusal(asked, keras_file(held))


def test_an_npz_of_another_model(tmp_path, keras_file):
    save_npz(tmp_path / "cnn.npz", load("CNN", keras_file("CNN")))
    assert "holds the weights of CNN, not CNN0" in refusal("CNN0", tmp_path / "cnn.npz")


SPOILT = {
    "missing": (lambda a: a.pop("conv3/conv3_b"), "conv3/conv3_b is missing"),
    "extra": (
        lambda a: a.update({"conv9/conv9_W": np.zeros(2, "f4")}),
        "conv9/conv9_W is not part of the model",
    ),
    "shape": (
        lambda a: a.update({"bn_0_freq/bn_0_freq_beta": np.zeros(96, "f4")}),
        "beta has shape (96,), expected (1440,)",
    ),
    "transposed": (
        lambda a: a.update({"preds/preds_W": a["preds/preds_W"].T}),
        "preds_W has shape (10, 32), expected (32, 10)",
    ),
    "dtype": (
        lambda a: a.update({"gru1/gru1_b_z": np.zeros(32)}),
        "gru1/gru1_b_z has dtype float64, expected float32",
    ),
    "text": (
        lambda a: a.update({"conv1/conv1_b": "zeros"}),
        "holds conv1_b, which is neither numbers nor",
    ),
    "nan": (
        lambda a: a["conv2/conv2_W"].__setitem__((3, 2, 1, 0), np.nan),
        "conv2/conv2_W has nan at (3, 2, 1, 0)",
    ),
    "infinity": (
        lambda a: a["bn4/bn4_running_std"].__setitem__(7, -np.inf),
        "bn4_running_std has -inf at (7,)",
    ),
    "negative": (
        lambda a: a["bn4/bn4_running_std"].__setitem__(7, -0.5),
        "bn4_running_std has -0.5 at (7,)",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_spoilt_keras_file_is_refused_with_the_place(tmp_path, crnn, fault):
    arrays, (spoil, said) = {name: array.copy() for name, array in crnn.items()}, SPOILT[fault]
    spoil(arrays)
    assert said in refusal("CRNN", write_keras_file(tmp_path / "spoilt.h5", "CRNN", arrays))


@pytest.mark.parametrize(
    "spoil, said",
    [(lambda m: m.pop("gru1/U"), "gru1/U is missing"), (lambda m: m.update({"gru9/U": np.zeros(2)}), "gru9/U is not part"),
     (lambda m: m.update({"preds/b": np.zeros(10)}), "dtype float64"),
     (lambda m: m.pop("provenance"), "does not say which model"),
     (lambda m: m.update(provenance=np.array("{}")), "does not say which model"),
     (lambda m: m.update({"preds/b": np.full(10, np.nan, "f4")}), "preds/b has nan at (0,)"),
     (lambda m: m.update({"preds/b": np.array([None])}), "holds pickled objects, which are never loaded")],
)  # fmt: skip
def test_a_spoilt_npz_is_refused(tmp_path, spoil, said):
    path = tmp_path / "crnn.npz"
    save_npz(path, Network("CRNN"))
    with np.load(path) as members:
        arrays = dict(members)
    spoil(arrays)
    np.savez(path, **arrays)
    assert said in refusal("CRNN", path)


def test_reading_a_keras_file_alone(keras_file, crnn):
    arrays = read_hdf5(keras_file("CRNN"))
    assert set(arrays) == set(crnn)
    assert weights.resembles(arrays) == ["CRNN"]


def test_real_weights_fit(real_data):
    for model, name in [("CRNN", "crnn_net_gru_adam_ours_epoch_40.h5"), ("CNN0", "cnn_weights_theano.h5"),
                        ("CNN", "music_tagger_cnn_weights_theano.h5")]:  # fmt: skip
        load(model, real_data / "weights" / name)
