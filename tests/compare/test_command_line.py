"""The command line on bad input: one sentence on stderr, exit 2, no traceback, and the old outputs
left as they were.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest

from parity.fixtures import seeded
from tests.reports import factory

pytestmark = pytest.mark.slow

MEL = (1, 1, 96, 1366)


@pytest.fixture(scope="module")
def stand_ins(tmp_path_factory):
    """A folder with seeded weights of two models and one clip."""
    folder = tmp_path_factory.mktemp("stand-ins")
    seeded.weights("CNN0", folder), seeded.weights("CRNN", folder), seeded.clips(1, folder)
    return folder


def parity(*arguments, **environment):
    command = [sys.executable, "-m", "parity", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PARITY_DATA": "", **environment},
        timeout=300,
    )


def refused(done, *words):
    """One sentence, exit 2, and the words that matter in it."""
    assert done.returncode == 2, (done.returncode, done.stderr)
    *_, said = done.stderr.strip().splitlines()
    assert "Traceback" not in done.stderr and said.startswith("parity: "), done.stderr
    for word in words:
        assert word in said, said


def weights_with(stand_ins, path, change):
    shutil.copy(stand_ins / "seeded-CNN0.h5", path)
    with h5py.File(path, "r+") as file:
        change(file)
    return path


def _nan(file):
    file["conv3/conv3_W"][0, 0, 0, 0] = np.nan


def _drop(file):
    del file["conv3/conv3_b"]


def _extra(file):
    group = file.create_group("conv9")
    group.attrs["weight_names"] = np.array([b"conv9_W"])
    group["conv9_W"] = np.zeros(3, np.float32)
    file.attrs["layer_names"] = np.append(file.attrs["layer_names"], b"conv9")


def _shape(file):
    del file["conv3/conv3_b"]
    file["conv3/conv3_b"] = np.zeros(7, np.float32)


def _dtype(file):
    bias = file["conv3/conv3_b"][...]
    del file["conv3/conv3_b"]
    file["conv3/conv3_b"] = bias.astype(np.float64)


@pytest.mark.parametrize(
    ("change", "words"),
    [(_nan, "conv3"), (_drop, "conv3"), (_extra, "conv9"), (_shape, "conv3"), (_dtype, "conv3")],
)
def test_weights_that_do_not_fit(stand_ins, tmp_path, change, words):
    path = weights_with(stand_ins, tmp_path / "changed.h5", change)
    clip = stand_ins / "seeded-1.npy"
    refused(
        parity("run", "--model", "CNN0", "--weights", path, "--clips", clip, "--out", tmp_path),
        "changed.h5",
        words,
    )
    assert not (tmp_path / "parity.json").exists()


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", "is no HDF5 file"), (b"not HDF5 at all", ""), (None, "no such file")],
)
def test_weights_that_are_no_weights(stand_ins, tmp_path, content, words):
    path = tmp_path / "weights.h5"
    if content is not None:
        path.write_bytes(content)
    refused(
        parity("run", "--model", "CNN0", "--weights", path, "--clips", stand_ins / "seeded-1.npy"),
        "weights.h5",
        words,
    )


def test_truncated_weights(stand_ins, tmp_path):
    path = tmp_path / "cut.h5"
    path.write_bytes((stand_ins / "seeded-CNN0.h5").read_bytes()[:50_000])
    refused(
        parity("run", "--model", "CNN0", "--weights", path, "--clips", stand_ins / "seeded-1.npy"),
        "cut.h5",
    )


def test_weights_of_another_architecture(stand_ins):
    refused(
        parity(
            "run",
            "--model",
            "CNN0",
            "--weights",
            stand_ins / "seeded-CRNN.h5",
            "--clips",
            stand_ins / "seeded-1.npy",
        ),
        "CRNN",
    )


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((1, 1, 96, 1365), np.float32), "shape"),
        (np.zeros(MEL, np.int16), "dtype"),
        (np.full(MEL, np.nan, np.float32), "NaN"),
        (np.array([{}]), "pickle"),
    ],
)
def test_a_mel_spectrogram_that_is_none(stand_ins, tmp_path, array, words):
    np.save(tmp_path / "clip.npy", array, allow_pickle=True)
    refused(parity("run", "--model", "CNN0", "--clips", tmp_path / "clip.npy"), "clip.npy", words)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "--model", "CNN1"), "did you mean CNN"),
        (("run", "--layer", "conv33"), "did you mean conv3"),
        (("run", "--weights", "x.h5"), "--model"),
        (("run", "--model", "CNN0", "--clips", "missing.npy"), "no such file"),
        (("report", "missing.json"), "missing.json"),
    ],
)
def test_names_that_are_not_there(arguments, words):
    refused(parity(*arguments), words)


@pytest.mark.parametrize(
    "port", ["nowhere:steps", "parity.port.proof:nothing", "parity.port.proof"]
)
def test_a_port_that_cannot_be_imported(stand_ins, port):
    refused(parity("run", "--model", "CNN0", "--port", port), port)


@pytest.mark.parametrize(
    ("command", "port", "words"),
    [
        (("run",), "leaves_at_conv3", ("raised SystemExit", "while its conv3 was asked")),
        (
            ("run", "--port-timeout", "9"),
            "hangs_at_conv3",
            ("within 9 s while its conv3 was", "--port-timeout"),
        ),
        (
            ("gate", "--identity-only"),
            "leaves",
            ("raised SystemExit", "while it was called for CNN0"),
        ),
    ],
)
def test_a_port_that_ends_or_hangs_is_no_verdict(tmp_path, command, port, words):
    asked = (*command, "--model", "CNN0", "--port", f"mapped_port:{port}", "--out", tmp_path)
    done = parity(*asked, PYTHONPATH=os.pathsep.join([str(Path(__file__).parent), os.getcwd()]))
    said = next(line for line in done.stderr.splitlines() if line.startswith("parity: "))
    assert done.returncode == 2 and all(word in said for word in words), done.stderr
    assert not list(tmp_path.iterdir())


def test_who_a_command_is_cannot_be_judged(tmp_path):
    asked = ("gate", "--identity-only", "--port-command", "true", "--out", tmp_path / "out")
    refused(parity(*asked), "a command does not say")
    assert not (tmp_path / "out").exists()


def test_a_port_is_asked_before_an_original_is_recorded(tmp_path):
    asked = ("run", "--model", "CNN0", "--port", "nowhere:steps", "--out", tmp_path / "out")
    refused(parity(*asked, PARITY_CACHE=str(tmp_path / "traces")), "No module named 'nowhere'")
    assert not [path for path in (tmp_path / "traces").rglob("*") if path.is_file()]


def test_data_that_was_promised_and_is_not_there(tmp_path):
    refused(parity("run", PARITY_DATA=str(tmp_path / "nowhere")), "PARITY_DATA", "is not a folder")


def test_a_cache_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    refused(
        parity("run", "--model", "CNN0", PARITY_CACHE=str(tmp_path / "file")),
        "cache ",
        "PARITY_CACHE",
    )


def test_outputs_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "parity.json").write_text(json.dumps(factory.document()))
    done = parity("report", tmp_path / "parity.json", "-o", tmp_path / "file" / "page.html")
    refused(done, "page.html cannot be written: ", "choose another")


def test_ctrl_c_says_so_and_leaves_no_recorder(tmp_path):
    command = [sys.executable, "-m", "parity", "run", "--model", "CNN0", "--out", str(tmp_path)]
    environment = {**os.environ, "PARITY_DATA": "", "PARITY_CACHE": str(tmp_path / "traces")}
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env=environment, start_new_session=True
    ) as run:
        deadline = time.monotonic() + 120
        while not list((tmp_path / "traces").rglob("*.part")) and time.monotonic() < deadline:
            time.sleep(0.2)
        os.killpg(run.pid, signal.SIGINT)
        stderr = run.communicate(timeout=60)[1]
    assert (
        run.returncode == 2 and "Traceback" not in stderr and "stopped; what was recorded" in stderr
    ), stderr
    assert not list((tmp_path / "traces").rglob("*.h5")) and not (tmp_path / "parity.json").exists()


def test_version_and_help():
    assert parity("--version").stdout.startswith("parity, version ")
    said = parity("run", "--help").stdout
    assert all(
        option in said
        for option in ("--model", "--layer", "--weights", "--clips", "--port", "--workers")
    )


def test_the_core_starts_without_the_drawing_libraries():
    code = (
        "import sys, parity.run, parity.cli; print(sorted({'pandas', 'jinja2', 'rich', "
        "'librosa', 'chainer'} & set(sys.modules)))"
    )
    assert (
        json.loads(
            subprocess.run(
                [sys.executable, "-c", code], capture_output=True, text=True
            ).stdout.replace("'", '"')
        )
        == []
    )
