"""Stand-in weights and short recordings: what the tagger does with files does not depend on what
it has learnt.
"""

import os
import subprocess
import sys

import numpy as np
import pytest
import soundfile

from parity.fixtures import seeded
from tagger import collections
from tagger.__main__ import main

RATE_HZ = 12000


@pytest.fixture(scope="session")
def stand_ins(tmp_path_factory):
    """The folder of stand-ins in a cache of the tests' own, where --seeded finds them."""
    folder = tmp_path_factory.mktemp("cache") / "seeded"
    folder.mkdir()
    for model in ("CRNN", "CNN0", "CNN"):
        seeded.weights(model, folder)
    return folder


@pytest.fixture
def nowhere(monkeypatch, tmp_path):
    """No published weights on this machine."""
    monkeypatch.delenv("PARITY_DATA", raising=False)
    monkeypatch.setenv("PARITY_FIXTURES", str(tmp_path / "no-cache"))


@pytest.fixture
def wav(tmp_path):
    """(name, seconds, pitch, rate, channels, subtype) -> path of a tone in noise; long enough to
    fill a clip, so that nothing is to be said of it.
    """

    def write(
        name="clip.wav",
        seconds=29.12,
        pitch_hz=440.0,
        rate_hz=RATE_HZ,
        channels=1,
        subtype="PCM_16",
    ):
        time_s = np.arange(int(seconds * rate_hz)) / rate_hz
        noise = np.random.default_rng(int(pitch_hz)).normal(0, 0.02, (len(time_s), channels))
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(
            path,
            0.4 * np.sin(2 * np.pi * pitch_hz * time_s)[:, None] + noise,
            rate_hz,
            subtype=subtype,
        )
        return path

    return write


@pytest.fixture
def as_anyone(stand_ins):
    """Command line -> the finished process of a user who may read and write only what file modes
    allow, which root need not heed.
    """
    powerless = (
        ["setpriv", "--bounding-set=-dac_override,-dac_read_search"] if os.geteuid() == 0 else []
    )

    def call(*arguments):
        command = [
            *powerless,
            sys.executable,
            "-W",
            "ignore",
            "-m",
            "tagger",
            *map(os.fspath, arguments),
        ]
        return subprocess.run(
            command,
            capture_output=True,
            check=False,
            env=os.environ | {"PARITY_FIXTURES": str(stand_ins.parent)},
        )

    return call


@pytest.fixture
def run(capfd, stand_ins, monkeypatch):
    """Command line -> (exit code, stdout, stderr, as their descriptors got them); tagging uses the
    stand-ins unless weights are named.
    """
    monkeypatch.setenv("PARITY_FIXTURES", str(stand_ins.parent))

    def call(*arguments):
        arguments = list(map(str, arguments))
        if arguments[0] in ("tag", "evaluate", "calibrate") and not {"--weights", "--seeded"} & set(
            arguments
        ):
            arguments.insert(1, "--seeded")
        if arguments[0] == "evaluate" and "--workers" not in arguments:
            arguments += ["--workers", "0"]  # a cluster takes seconds to start
        code = main(arguments)
        said = capfd.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def collection(wav, tmp_path):
    """Three genres of two tracks, one of them bad."""
    for i, genre in enumerate(("blues", "jazz", "rock")):
        for j in range(2):
            wav(f"music/{genre}/{genre}.0000{j}.wav", pitch_hz=200 * (1 + 3 * i + j))
    (tmp_path / "music" / "rock" / "rock.00001.wav").write_bytes(b"")
    return tmp_path / "music"


@pytest.fixture
def stopped_at_the_third(monkeypatch):
    """From the call on, files are tagged one by one, and the third is where Ctrl-C comes, once;
    returns the list of those that were begun.
    """
    real, tagged = collections.score_files, []

    def stopping(predict, paths, *cut):
        tagged.extend(paths := list(paths))
        if len(tagged) == 3:
            raise KeyboardInterrupt
        return real(predict, paths, *cut)

    def begin():
        monkeypatch.setattr(collections, "BATCHES", 1)
        monkeypatch.setattr(collections, "score_files", stopping)
        return tagged

    return begin
