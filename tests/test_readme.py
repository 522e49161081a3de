"""The README is short, and does what it says: its commands are run as they are written."""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("#")[0].strip()
    for block in re.findall(r"```sh\n(.*?)```", README, re.S)
    for line in block.splitlines()
]
PORT = re.findall(r"```python\n(.*?)```", README, re.S)[0]
LOADED = """import h5py
import numpy as np


def load(path):
    with h5py.File(path) as file:
        return {name: file[layer][name][()] for layer in file for name in file[layer]}


"""


def test_it_is_short_and_explains_its_words_before_it_uses_them():
    assert len(README.splitlines()) <= 80
    for word in (
        "original",
        "port",
        "oracle",
        "isolated",
        "chained",
        "probed",
        "share of rounding's allowance",
    ):
        first = README.lower().index(word, README.index("For whoever"))
        assert README[first - 2 : first] == "**", word


def test_every_document_it_names_is_there():
    for path in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / path).exists(), path


@pytest.mark.parametrize("command", [each for each in COMMANDS if each.startswith("make")])
def test_make_knows_its_targets(command):
    """.ci/run runs them."""
    assert subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True).returncode == 0
    assert command in (ROOT / ".ci" / "run").read_text()


@pytest.fixture
def somebodys(tmp_path):
    """A folder with what the README's commands are about: a model of two layers, and its port."""
    rng = np.random.default_rng(7)
    sizes = {"dense_1": (8, 16, "relu"), "dense_2": (16, 4, "linear")}
    layers = []
    with h5py.File(tmp_path / "net.h5", "w") as file:
        file.attrs["layer_names"] = [name.encode() for name in sizes]
        for name, (inputs, outputs, activation) in sizes.items():
            arrays = {
                f"{name}_W": rng.normal(size=(inputs, outputs)),
                f"{name}_b": rng.normal(size=outputs),
            }
            group = file.create_group(name)
            group.attrs["weight_names"] = [each.encode() for each in arrays]
            for each, array in arrays.items():
                group[each] = array.astype(np.float32)
            config = {
                "name": name, "output_dim": outputs, "activation": activation, "input_dim": inputs, "bias": True,
                "init": "glorot_uniform", "trainable": True, "W_regularizer": None, "b_regularizer": None,
                "activity_regularizer": None, "W_constraint": None, "b_constraint": None,
            }  # fmt: skip
            if not layers:
                config |= {"batch_input_shape": [None, inputs], "input_dtype": "float32"}
            layers.append({"class_name": "Dense", "config": config})
    (tmp_path / "net.json").write_text(
        json.dumps({"class_name": "Sequential", "config": layers, "keras_version": "1.1.0"})
    )
    np.save(tmp_path / "x.npy", rng.normal(size=(5, 8)).astype(np.float32))
    (tmp_path / "mypackage").mkdir()
    (tmp_path / "mypackage" / "__init__.py").touch()
    (tmp_path / "mypackage" / "port.py").write_text(LOADED + PORT)
    return tmp_path


@pytest.mark.slow
def test_ones_own_model_and_port_are_proved_by_the_commands_as_they_stand(somebodys):
    """`pip install .` is tested in tests/house/test_installed.py."""
    asked = [shlex.split(each)[1:] for each in COMMANDS if each.startswith("parity ")]
    assert [words[0] for words in asked] == ["init", "run", "run"]
    for words in asked:
        done = subprocess.run(
            [sys.executable, "-m", "parity", *words], cwd=somebodys, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": f"{ROOT}:{somebodys}"},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        if words[0] == "run":
            assert "HOLDS: 1 of 1 model proved, 4 comparisons" in done.stdout
    assert (somebodys / "reports" / "out" / "parity.html").exists()
