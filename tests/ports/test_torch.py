"""A port in PyTorch, real PyTorch in an environment of its own, asked by the command adapter."""

import json
import os
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import main

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".tox" / "torch" / "bin" / "python"
NAMES = """
[names]
conv = "features/conv + features/act"
pool = "features/pool"
flat = "view"
scores = "dense + softmax"
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A small network of Keras as its files, and how the port calls its layers."""
    if not PYTHON.exists():
        pytest.skip("there is no PyTorch here; make .tox/torch.ready builds its environment")
    rng = np.random.default_rng(3)
    image = {"batch_input_shape": [None, 1, 8, 8], "dim_ordering": "th"}
    layers = [
        ("Convolution2D", "conv", {"nb_filter": 4, "nb_row": 3, "nb_col": 3, "border_mode": "same",
                                   "subsample": [1, 1], "activation": "relu", "bias": True, **image}),
        ("MaxPooling2D", "pool", {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid",
                                  "dim_ordering": "th"}),
        ("Flatten", "flat", {}),
        ("Dense", "scores", {"output_dim": 5, "activation": "softmax", "bias": True}),
    ]  # fmt: skip
    config = [{"class_name": kind, "config": {"name": name, **own}} for kind, name, own in layers]
    said = {"class_name": "Sequential", "config": config, "keras_version": "1.1.0"}
    (tmp_path / "net.json").write_text(json.dumps(said))
    arrays = {"conv": [(4, 1, 3, 3), 4], "scores": [(64, 5), 5]}
    drawn = {
        f"{name}_{key}": rng.normal(0, 0.3, shape).astype("f4")
        for name, shapes in arrays.items()
        for key, shape in zip("Wb", shapes, strict=True)
    }
    np.savez(tmp_path / "arrays.npz", **drawn)
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for _, name, _ in layers]
        for _, name, _ in layers:
            own = [key for key in drawn if key.startswith(f"{name}_")]
            file.create_group(name).attrs["weight_names"] = [key.encode() for key in own]
            for key in own:
                file[name][key] = drawn[key]
    np.save(tmp_path / "x.npy", rng.normal(0, 1, (3, 1, 8, 8)).astype("f4"))
    (tmp_path / "names.toml").write_text(NAMES)
    paths = [str(ROOT), str(Path(__file__).parent)]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(paths))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_torch_module_is_proved_layer_by_layer_under_its_own_names(folder):
    command = f"{PYTHON} -m parity.ports.answering their_torch:build"
    words = "--original net.json --weights net.h5 --keras 1.1.0 --input x.npy --names names.toml"
    words = ["run", *words.split(), "--port-command", command, "--out", "out"]
    done = CliRunner().invoke(main, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    (model,) = json.loads(Path("out/parity.json").read_text())["models"]
    assert [layer["name"] for layer in model["layers"]] == ["conv", "pool", "flat", "scores"]
    assert {layer["probed"]["verdict"] for layer in model["layers"]} <= {"EXACT", "ROUNDING"}
