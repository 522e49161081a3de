"""Weight files: what the oracle reads of them, and the sentence it says of a bad one."""

import h5py
import numpy as np
import pytest

from parity.errors import CannotRun
from parity.model import Weights


def read(path):
    return Weights(path).params


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "weights.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [b"conv1", b"gru1", b"pool1"]
        for layer, suffixes in (("conv1", ("W", "b")), ("gru1", ("W_z",)), ("pool1", ())):
            group = file.create_group(layer)
            group.attrs["weight_names"] = np.array(
                [f"{layer}_{s}".encode() for s in suffixes], dtype="S16"
            )
            for suffix in suffixes:
                group[f"{layer}_{suffix}"] = np.ones((2, 3), "f4")
    return path


def test_reads_by_layer_and_suffix(weights):
    params = read(weights)
    assert {layer: set(arrays) for layer, arrays in params.items()} == {
        "conv1": {"W", "b"},
        "gru1": {"W_z"},
        "pool1": set(),
    }
    assert params["conv1"]["W"].dtype == np.float32


def change(path, edit):
    with h5py.File(path, "a") as file:
        edit(file)


def put(value, dtype="f4"):
    def edit(file):
        del file["conv1/conv1_W"]
        file["conv1/conv1_W"] = np.full((2, 3), value, dtype)

    return edit


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (put(np.nan), "conv1_W holds 6 values that are NaN or infinite"),
        (put(np.inf), "NaN or infinite"),
        (put(1, "f8"), "float64, not float32"),
        (put(1, "i4"), "int32"),
        (lambda file: file["conv1"].__delitem__("conv1_b"), "conv1_b is named but missing"),
        (lambda file: file.__delitem__("gru1"), "layer gru1 is named but missing"),
        (lambda file: file.attrs.__delitem__("layer_names"), "no layer_names"),
        (lambda file: file["conv1"].attrs.__delitem__("weight_names"), "no weight_names"),
    ],
)
def test_a_bad_content_is_named(weights, edit, says):
    change(weights, edit)
    with pytest.raises(CannotRun, match=says):
        read(weights)


def test_missing_empty_foreign_and_cut_short(weights, tmp_path):
    with pytest.raises(CannotRun, match="cannot be read"):
        read(tmp_path / "none.h5")
    with pytest.raises(CannotRun):
        read(tmp_path)
    whole = weights.read_bytes()
    for content, says in (
        (b"", "the weight file is empty"),
        (b"PK\x03\x04 not this" * 100, "is no HDF5 file"),
        (whole[: len(whole) // 2], "cut short or damaged HDF5"),
    ):
        weights.write_bytes(content)
        with pytest.raises(CannotRun, match=says):
            read(weights)
