"""Weight files as people have them: what each is, what to do with it, and by which release it is
read.
"""

import json
import multiprocessing
import os
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from keras_files import write_keras_file

from parity import room
from parity.port.network import Network
from parity.port.statistics import kept
from parity.port.weights import PUBLISHED_BN, WeightsError, load, npz_bytes, published_members
from parity.recording import compiling
from parity.recording.environments import THEANO, WORK, python_of
from parity.recording.stacks import STACKS

WRITER = Path(__file__).with_name("keras_writes.py")


@pytest.fixture(scope="session")
def written(tmp_path_factory):
    """(release, *kinds of keras_writes.py) -> the folder where that Keras wrote them."""

    def write(release, *kinds):
        stack, folder = STACKS["keras" + release.replace(".", "")], tmp_path_factory.mktemp("keras")
        (folder / ".keras").mkdir()
        (folder / ".keras" / "keras.json").write_text(
            (room("reference") / "keras.json").read_text()
        )
        compiled = WORK / "theano" / "1.0.5-reference"
        environment = {
            **compiling.environment(WORK / THEANO, "float32", "None", compiled),
            "HOME": str(folder),
            "PYTHONPATH": str(room("reference").parent),
        }
        subprocess.run(
            [python_of(stack), "-W", "ignore", WRITER, folder, *kinds],
            check=True, capture_output=True, env=environment | {"PATH": os.environ["PATH"]},
        )  # fmt: skip
        return folder

    return write


def refusal(path, model=None):
    with pytest.raises(WeightsError) as caught:
        load(model, path)
    sentence = str(caught.value)
    assert sentence.startswith(str(path)) and "\n" not in sentence and ";" in sentence
    return sentence


LAYOUTS = {
    "whole": "holds a whole model (model.save of Keras 1.2.2)",
    "nested": "a model within a model",
    "unnamed": "under names that Keras made up (batchnormalization_1)",
    "gates_together": "(consume_less='gpu')",
    "tensorflow_ordering": "TensorFlow's order of dimensions (3, 3, 1, 32)",
    "float64": "holds float64 numbers",
}


@pytest.mark.slow
def test_what_keras_wrote_in_another_layout_is_called_by_its_name(written):
    folder = written("1.2.2", *LAYOUTS, "plain")
    for kind, said in LAYOUTS.items():
        path = folder / f"{kind}.h5"
        for model in (None, "CRNN" if kind == "gates_together" else "CNN"):
            assert said in refusal(path, model), kind
    plain = load(None, folder / "plain.h5")
    assert "training never moved them" in plain.remarks[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    "release, meaning, read_by", [("1.0.6", "std", "1.0.6"), ("1.0.7", "variance", "1.1.0")]
)
def test_the_release_is_told_from_the_statistics_of_real_training(
    written, release, meaning, read_by
):
    network = load("CNN", written(release, "trained") / "trained.h5")
    assert (kept(network), network.keras, network.keras_from) == (meaning, read_by, "assumed")
    assert len(network.remarks) == (read_by != "1.0.6")


def test_the_statistics_of_the_published_files_are_told(real_data):
    names = {
        "CRNN": ("crnn_net_gru_adam_ours_epoch_40", "variance"), "CNN": ("music_tagger_cnn_weights_theano", "std"),
        "CRNN50": ("music_tagger_crnn_weights_theano", "std"), "CNN0": ("cnn_weights_theano", None),
    }  # fmt: skip
    for model, (name, meaning) in names.items():
        network = load(model, real_data / f"weights/{name}.h5")
        assert (kept(network), network.remarks, network.keras_from) == (meaning, (), "assumed")
    misread = load("CNN", real_data / "weights/music_tagger_cnn_weights_theano.h5", "1.1.0")
    assert "are deviations, which Keras 1.1.0 does not keep there" in misread.remarks[0]


def altered(path, **attributes):
    with h5py.File(path, "a") as file:
        file.attrs.update(attributes)
    return path


@pytest.fixture
def cnn(keras_weights, tmp_path):
    return write_keras_file(tmp_path / "cnn.h5", "CNN", keras_weights("CNN"))


def test_what_the_file_says_of_its_release_is_taken_and_contradicted_aloud(cnn):
    network = load("CNN", altered(cnn, keras_version=b"1.0.8", backend="theano"))
    assert (network.keras, network.keras_from) == ("1.0.8", "file")
    asked = load("CNN", cnn, "1.0.6")
    assert asked.keras == "1.0.6" and "says that Keras 1.0.8 wrote it" in asked.remarks[0]
    assert "Keras 2.1.3 wrote it, whose formulas are not known" in refusal(
        altered(cnn, keras_version="2.1.3")
    )
    assert load("CNN", cnn, "1.0.6").keras_from == "asked"
    assert "says that Keras [1 2] wrote it" in refusal(altered(cnn, keras_version=[1, 2]))
    assert load("CNN", altered(cnn, keras_version=b"", backend="Theano")).keras_from == "assumed"
    assert load("CNN", altered(cnn, backend=b"")).keras_from == "assumed"
    assert "was written on tensorflow, whose kernels are not flipped" in refusal(
        altered(cnn, backend=b"tensorflow")
    )


def test_names_of_other_formats(tmp_path, cnn):
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["nb_layers"] = 1
        file.create_group("layer_0").attrs["nb_params"] = 1
        file["layer_0/param_0"] = np.zeros(3)
    assert "before 1.0 (nb_layers, param_0)" in refusal(tmp_path / "old.h5")
    with h5py.File(tmp_path / "two.h5", "w") as file:
        file.attrs.update(layer_names=[b"conv1"], keras_version=b"2.1.3", backend=b"tensorflow")
        file["conv1/conv1/kernel:0"] = np.zeros((3, 3, 1, 32), "f4")
    assert "under the names of Keras 2 (2.1.3)" in refusal(tmp_path / "two.h5")
    with h5py.File(tmp_path / "tf.h5", "w") as file:
        file.attrs["layer_names"] = [b"conv1"]
        file["conv1/conv1_W:0"] = np.zeros((32, 1, 3, 3), "f4")
    assert "tensorflow (its names end with :0)" in refusal(tmp_path / "tf.h5")


def _hold(path, is_open, is_done):
    with h5py.File(path, "a"):
        is_open.set()
        is_done.wait(30)


def test_a_file_that_another_process_writes(cnn):
    spawn = multiprocessing.get_context("spawn")
    is_open, is_done = spawn.Event(), spawn.Event()
    writer = spawn.Process(target=_hold, args=(cnn, is_open, is_done))
    writer.start()
    assert is_open.wait(30)
    try:
        assert "is locked by another process" in refusal(cnn)
    finally:
        is_done.set()
        writer.join()
    load("CNN", cnn)


@pytest.mark.parametrize("kind", ["h5", "npz", "model"])
@pytest.mark.parametrize("held, asked", [("CNN", "CNN0"), ("CNN0", "CNN")])
def test_the_twins_in_each_others_place_are_refused(keras_file, tmp_path, held, asked, kind):
    path, said = keras_file(held), f"ask for {held} or give {asked}'s file"
    if kind != "h5":
        network, path = load(held, path), tmp_path / f"w.{kind}"
        data = npz_bytes(network)
        path.write_bytes(data)
        if kind == "npz":
            with np.load(path) as members:
                arrays = dict(members)
            told = json.loads(str(arrays.pop("provenance"))) | {"model": asked}
            np.savez(path, **arrays, provenance=np.array(json.dumps(told)))
        else:
            write_published(path, held, network)
    assert said in refusal(path, asked)
    assert load(held, path).model == held if kind != "npz" else True


def test_cnn_with_a_layer_that_no_training_moved_is_cnn(keras_file):
    with h5py.File(keras_file("CNN"), "a") as file:
        file["bn3/bn3_running_mean"][...], file["bn3/bn3_running_std"][...] = 0, 1
        for number in (1, 2, 4, 5):  # deviations alone tell it, too
            file[f"bn{number}/bn{number}_running_mean"][...] = 0
        path = file.filename
    for asked in (None, "CNN"):
        network = load(asked, path)
        assert network.model == "CNN" and "statistics of bn3 are still" in network.remarks[0]


def write_published(path, model, network):
    from parity.port.weights import keras_arrays

    held, members = keras_arrays(network), published_members(model)
    arrays = {}
    for name, member in members.items():
        array = held[name]
        if array.ndim == 4:
            array = array[:, :, ::-1, ::-1]
        elif member.endswith(PUBLISHED_BN["running_std"]):
            array = np.square(array)
        arrays[member] = array if array.ndim == 4 else array.T
    with open(path, "wb") as stream:
        np.savez(stream, **arrays)


def test_a_negative_variance_of_the_published_port_is_refused(keras_file, tmp_path):
    network = load("CNN", keras_file("CNN"))
    write_published(tmp_path / "w.model", "CNN", network)
    with np.load(tmp_path / "w.model") as members:
        arrays = dict(members)
    arrays["norm2/avg_var"][3] = -0.25
    with open(tmp_path / "w.model", "wb") as stream:
        np.savez(stream, **arrays)
    assert "bn2_running_std has -0.5 at (3,)" in refusal(tmp_path / "w.model", "CNN")


def test_a_network_that_no_training_moved_is_remarked_on(tmp_path):
    (tmp_path / "new.npz").write_bytes(npz_bytes(Network("CRNN")))
    assert "training never moved them" in load(None, tmp_path / "new.npz").remarks[0]
