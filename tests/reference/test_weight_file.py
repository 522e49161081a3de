"""What the recorder refuses in a weight file, one sentence each; tested without Keras, on a
two-layer file.
"""

import h5py
import numpy as np
import pytest

from reference.refused import Refused
from reference.weight_file import read_weights

NEEDED = {
    "bn_0_freq": [("bn_0_freq_gamma", (1366,)), ("bn_0_freq_beta", (1366,))],
    "conv1": [("conv1_W", (2, 1, 3, 3)), ("conv1_b", (2,))],
}


@pytest.fixture
def weights(tmp_path):
    """A file that fits NEEDED, with a layer that has no parameters, as Keras saves it."""
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"input_1", *(layer.encode() for layer in NEEDED)]
        file.create_group("input_1").attrs["weight_names"] = []
        for layer, datasets in NEEDED.items():
            file.create_group(layer).attrs["weight_names"] = [name.encode() for name, _ in datasets]
            for name, shape in datasets:
                file[layer][name] = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    return path


def test_a_fitting_file_is_read_in_the_models_order(weights):
    found = read_weights(weights, NEEDED)
    assert list(found) == ["bn_0_freq", "conv1"]
    assert [array.shape for array in found["conv1"]] == [(2, 1, 3, 3), (2,)]
    assert found["conv1"][0][1, 0, 2, 1] == 16


def test_arrays_go_where_their_names_say_in_whatever_order_a_release_lists_them(weights):
    with h5py.File(weights, "r+") as file:
        file["conv1"].attrs["weight_names"] = [b"conv1_b", b"conv1_W"]
        file.move("conv1", "sequential_7")  # a nested Sequential: Keras keeps no name of it
        file.attrs["layer_names"] = [b"input_1", b"sequential_7", b"bn_0_freq"]
    with pytest.raises(Refused, match="has no layer conv1"):
        read_weights(weights, NEEDED)
    with h5py.File(weights, "r+") as file:
        file["sequential_7"].attrs["weight_names"] = [b"conv1_W", b"conv1_b"]
    found = read_weights(weights, NEEDED)
    assert [array.shape for array in found["conv1"]] == [(2, 1, 3, 3), (2,)]


def replace(file, name, array):
    del file[name]
    file[name] = array


def rename(file, old, new):
    file.move(old, new)


def drop_layer(file):
    file.attrs["layer_names"] = [b"input_1", b"bn_0_freq"]


def add_layer(file):
    file.attrs["layer_names"] = [b"input_1", b"bn_0_freq", b"conv1", b"conv2"]
    file.create_group("conv2")["conv2_W"] = np.zeros(1, np.float32)
    file["conv2"].attrs["weight_names"] = [b"conv2_W"]


def name_more(file):
    file["conv1"].attrs["weight_names"] = [b"conv1_W", b"conv1_b", b"conv1_c"]
    file["conv1"]["conv1_c"] = np.zeros(2, np.float32)


def poison(value):
    def spoil(file):
        file["conv1/conv1_W"][1, 0, 2, 0] = value

    return spoil


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (
            lambda file: file["conv1"].attrs.__setitem__("weight_names", [b"param_0", b"param_1"]),
            "conv1 has no dataset conv1_W; the file calls arrays param_0",
        ),
        (drop_layer, r"has no layer conv1; give the weights that belong to this model"),
        (add_layer, r"has a layer conv2 too many"),
        (
            lambda file: file.attrs.__delitem__("layer_names"),
            r"/ has no layer_names, so it is no Keras weight file",
        ),
        (lambda file: file.__delitem__("conv1"), r"no readable Keras weight file"),
        (lambda file: file.__delitem__("conv1/conv1_b"), r"conv1 has no dataset conv1_b"),
        (name_more, r"conv1 has a dataset conv1_c too many"),
        (
            lambda file: replace(file, "bn_0_freq/bn_0_freq_beta", np.zeros(96, np.float32)),
            (
                r"bn_0_freq_beta has shape \(96,\), expected \(1366,\); later commits of the "
                r"original changed this axis"
            ),
        ),
        (
            lambda file: replace(file, "conv1/conv1_b", np.zeros(3, np.float32)),
            r"conv1_b has shape \(3,\), expected \(2,\); give the weights",
        ),
        (
            lambda file: replace(file, "conv1/conv1_W", np.zeros((3, 3, 1, 2), np.float32)),
            r"conv1_W is \(3, 3, 1, 2\), TensorFlow's order of dimensions; expected \(2, 1, 3, 3\)",
        ),
        (
            lambda file: replace(file, "conv1/conv1_b", np.zeros(2)),
            r"conv1_b is float64, expected float32",
        ),
        (poison(np.nan), r"conv1_W holds NaN or infinity 1 times, first at \(1, 0, 2, 0\)"),
        (poison(-np.inf), r"conv1_W holds NaN or infinity 1 times, first at \(1, 0, 2, 0\)"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_its_name_and_place(weights, spoil, sentence):
    with h5py.File(weights, "r+") as file:
        spoil(file)
    with pytest.raises(Refused, match=sentence) as refusal:
        read_weights(weights, NEEDED)
    assert str(refusal.value).startswith(str(weights))
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.unlink(),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not HDF5 at all"),
        lambda path: path.write_bytes(path.read_bytes()[:-2000]),
    ],
)
def test_what_is_no_whole_hdf5_file_is_refused(weights, damage):
    damage(weights)
    with pytest.raises(
        Refused, match=r"weights\.h5: no readable Keras weight file .*fetch it again"
    ):
        read_weights(weights, NEEDED)
