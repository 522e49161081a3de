"""examples/fine_tune.py on synthesised folders: the loss falls, and what it saves is tagged
with.
"""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tagger import load_tagger

pytestmark = pytest.mark.slow

SOURCE = Path(__file__).parents[2] / "examples" / "fine_tune.py"
PITCHES_HZ = {"classical": 300, "metal": 3000}


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("fine_tune", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def collection(wav, tmp_path):
    for genre, pitch_hz in PITCHES_HZ.items():
        for i in range(2):
            wav(f"music/{genre}/{i}.wav", pitch_hz=pitch_hz * (1 + 0.1 * i), seconds=29.12)
    (tmp_path / "music" / "metal" / "bad.wav").write_bytes(b"")
    return tmp_path / "music"


def test_the_head_learns_folders_of_ones_own(example, collection, stand_ins, tmp_path, capsys):
    start = stand_ins / "seeded-CRNN.h5"
    assert (
        example.main(
            [str(collection), str(tmp_path / "mine.npz"), "--weights", str(start), "--epochs", "30"]
        )
        == 0
    )
    said = capsys.readouterr()
    losses = [float(line.split()[-1]) for line in said.out.splitlines()]
    assert (
        len(losses) == 30
        and losses[-1] < losses[0] / 2
        and "left out" in said.err
        and "bad.wav" in said.err
    )
    before, after = load_tagger("CRNN", start), load_tagger("CRNN", tmp_path / "mine.npz")
    one, other = before.network, after.network
    np.testing.assert_array_equal(one.conv1.W.array, other.conv1.W.array)
    np.testing.assert_array_equal(one.bn1.running_std, other.bn1.running_std)
    for genre in PITCHES_HZ:
        assert after.tag(collection / genre / "0.wav").iloc[0].tag == genre


def test_the_whole_network_learns(example, collection, stand_ins):
    tagger = load_tagger("CRNN", stand_ins / "seeded-CRNN.h5")
    clips, targets = example.read_folder(collection, tagger.tags)
    network = tagger.network
    kernel = network.conv1.W.array.copy()
    np.random.seed(0)  # dropout draws from it
    losses = example.fine_tune(network, clips[:1], targets[:1], epochs=5, whole=True)
    assert losses[-1] < losses[0] and (network.conv1.W.array != kernel).any()


def test_bad_folders_are_one_sentence(example, stand_ins, tmp_path, capsys):
    start = str(stand_ins / "seeded-CRNN.h5")
    assert example.main([str(tmp_path / "none"), str(tmp_path / "x.npz"), "--weights", start]) == 2
    (tmp_path / "music" / "jazz").mkdir(parents=True)
    assert example.main([str(tmp_path / "music"), str(tmp_path / "x.npz"), "--weights", start]) == 2
    err = capsys.readouterr().err.splitlines()
    assert (
        len(err) == 3
        and "is not a folder" in err[0]
        and "holds no audio file" in err[1]
        and "no track could be read" in err[2]
    )
    assert not (tmp_path / "x.npz").exists()


def test_it_runs_as_its_docstring_says_and_sees_first_whether_it_can_write(stand_ins, tmp_path):
    start, command = (
        stand_ins / "seeded-CRNN.h5",
        [sys.executable, "-W", "ignore", "examples/fine_tune.py"],
    )
    assert "python examples/fine_tune.py FOLDER_OF_GENRES OUT.npz" in SOURCE.read_text()
    said = subprocess.run(
        [*command, tmp_path, tmp_path / "none" / "x.npz", "--weights", start],
        cwd=SOURCE.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (
        said.returncode == 2
        and said.stderr.count("\n") == 1
        and "x.npz cannot be written" in said.stderr
    )
