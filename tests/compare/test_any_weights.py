"""Weights and clips nobody has seen before: CRNN50 from a given file, a spectrogram and a
recording in one batch.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from parity.fixtures import seeded

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def proved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("given")
    weights, clips, audio = (
        seeded.weights("CRNN50", folder),
        seeded.clips(1, folder),
        seeded.audio(1, folder),
    )
    command = [
        sys.executable,
        "-m",
        "parity",
        "run",
        "--model",
        "CRNN50",
        "--weights",
        weights,
        "--clips",
        *clips,
        *audio,
        "--out",
        folder,
    ]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    return folder


def test_every_layer_of_a_given_file_is_proved(proved):
    document = json.loads((proved / "parity.json").read_text())
    (model,) = document["models"]
    assert (
        document["verdict"] == "HOLDS"
        and model["name"] == "CRNN50"
        and model["stack"]["keras"] == "1.0.6"
    )
    assert (
        len(model["layers"]) == 28
        and model["layers"][-1]["name"] == "output"
        and model["layers"][-1]["shape"] == [2, 50]
    )
    assert [clip["name"] for clip in model["clips"]] == ["seeded-1 (1)", "seeded-1 (2)"]


def test_all_outputs_are_written(proved):
    assert {path.name for path in proved.iterdir()} >= {
        "parity.json",
        "parity.csv",
        "junit.xml",
        "parity.html",
    }


def test_a_second_run_of_a_mapping_of_callables_starts_no_theano(proved):
    again = [
        sys.executable,
        "-m",
        "parity",
        "run",
        "--model",
        "CRNN50",
        "--weights",
        str(proved / "seeded-CRNN50.h5"),
        "--layer",
        "gru1",
        "--port",
        "mapped_port:steps",
        "--clips",
        str(proved / "seeded-1.npy"),
        str(proved / "seeded-1.wav"),
        "--out",
        str(proved / "again"),
    ]
    here = {**os.environ, "PYTHONPATH": str(Path(__file__).parent)}
    done = subprocess.run(again, capture_output=True, text=True, env=here)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 traces from the cache" in done.stderr and "recorded" not in done.stderr, (
        done.stderr
    )
    document = json.loads((proved / "again" / "parity.json").read_text())
    (model,) = document["models"]
    assert [layer["name"] for layer in model["layers"]] == ["gru1"]
    assert model["whole_call"] is None and "chainer" not in document["environment"]
