"""The .model files of the published Chainer port: our conversion tensor by tensor, but for the
stored variance.
"""

import numpy as np
import pytest

from parity.fixtures.store import WEIGHTS
from parity.port.weights import (
    WeightsError,
    keras_arrays,
    load,
    published_members,
    read_hdf5,
    read_npz,
)
from tagger.weight_files import convert

PUBLISHED = ("CRNN", "CNN0", "CNN")


def write_published(path, model, held):
    """What h5_load.py and save_npz of the published port make of Keras arrays."""
    members = {}
    for name, member in published_members(model).items():
        array = held[name]
        if member.endswith("avg_var"):
            array = array if model == "CRNN" else array**2
        members[member] = array[:, :, ::-1, ::-1] if array.ndim == 4 else array.T
    counts = {
        f"{member.split('/')[0]}/N": np.int32(0) for member in members if member.startswith("norm")
    }
    with open(path, "wb") as stream:
        np.savez(stream, **members, **counts)
    return path


@pytest.mark.parametrize("model", PUBLISHED)
def test_a_published_file_fills_every_parameter(model, keras_weights, tmp_path):
    held = keras_weights(model)
    tagger = load(model, write_published(tmp_path / "x.model", model, held))
    for name, array in keras_arrays(tagger).items():
        np.testing.assert_array_equal(array, held[name], err_msg=name)


def test_names_and_shapes_of_another_model_are_refused(keras_weights, tmp_path):
    path = write_published(tmp_path / "x.model", "CRNN", keras_weights("CRNN"))
    with pytest.raises(WeightsError, match="holds the weights of CRNN, not CNN"):
        load("CNN", path)
    members = read_npz(path)
    del members["gru1/U_z/W"]
    with open(path, "wb") as stream:
        np.savez(stream, **members)
    with pytest.raises(WeightsError, match="not all of them"):
        load("CRNN", path)


def test_cnn0_is_told_from_cnn_by_statistics_that_mode_2_never_updates(keras_weights, tmp_path):
    held = keras_weights("CNN")
    assert load(None, write_published(tmp_path / "cnn.model", "CNN", held)).model == "CNN"
    for i in range(1, 6):
        held[f"bn{i}/bn{i}_running_mean"] = held[f"bn{i}/bn{i}_running_mean"] * 0
        held[f"bn{i}/bn{i}_running_std"] = held[f"bn{i}/bn{i}_running_std"] * 0 + 1
    assert load(None, write_published(tmp_path / "cnn0.model", "CNN0", held)).model == "CNN0"


@pytest.mark.parametrize("model", PUBLISHED)
def test_the_published_files_equal_our_conversion(model, real_data, tmp_path):
    source = real_data / WEIGHTS[model]
    convert(source, tmp_path / "ours.npz", model)
    ours, theirs = (
        keras_arrays(load(None, path))
        for path in (tmp_path / "ours.npz", real_data / f"chainer/{model.lower()}.model")
    )
    for name in ours:
        np.testing.assert_array_equal(ours[name], theirs[name], err_msg=name)


@pytest.mark.parametrize("model", PUBLISHED)
def test_only_the_stored_variance_has_another_meaning(model, real_data):
    members, held = (
        read_npz(real_data / f"chainer/{model.lower()}.model"),
        read_hdf5(real_data / WEIGHTS[model]),
    )
    squared = {
        name
        for name, member in published_members(model).items()
        if not same(members[member], held[name])
    }
    named = {
        name
        for name in held
        if name.endswith("running_std") and (held[name] != 1).any() and model != "CRNN"
    }
    assert squared == named
    assert all(same(members[published_members(model)[name]], held[name] ** 2) for name in named)


def same(published, keras):
    return np.array_equal(
        published[:, :, ::-1, ::-1] if published.ndim == 4 else published.T, keras
    )


@pytest.mark.parametrize("model", ["CRNN", "CNN0", "CNN"])
def test_the_model_of_real_weights_is_recognised(model, real_data):
    assert load(None, real_data / WEIGHTS[model]).model == model
