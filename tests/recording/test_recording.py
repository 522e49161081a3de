"""Recorders that work, die, hang, lie or are interrupted: the trace is right or there is none, and
nobody stays behind.
"""

import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from parity.errors import CannotRun
from parity.recording import recorder as recorders
from parity.recording import recordings, stacks
from parity.recording.trace import open_trace

ROOT = Path(__file__).resolve().parents[2]


class Heard:
    """A progress display that remembers."""

    def __init__(self):
        self.stages, self.ends = [], []

    def update(self, job, stage, share=None):
        self.stages.append((job, stage, share))

    def done(self, job, text):
        self.ends.append((job, text))


def test_a_recording_lands_in_the_cache_and_the_next_run_starts_nothing(
    cache, behave, make_job, monkeypatch, notes
):
    behave("chat")
    heard, job = Heard(), make_job()
    first = recordings.record([job], progress=heard, cache=cache)[job.key]
    with open_trace(first) as trace:
        assert trace.provenance["keras"] == "1.0.6"
    assert heard.stages == [("CNN0 reference (Keras 1.0.6)", "run", 0.4)]
    assert heard.ends[0][1].startswith("recorded in ")
    assert list(cache.folder.iterdir()) == [first]
    monkeypatch.setattr(recorders, "command_of", lambda *_: pytest.fail("a recorder was started"))
    assert recordings.record([job], progress=heard, cache=cache) == {job.key: first}
    assert heard.ends[1] == ("originals", "1 of 1 traces from the cache")
    assert len((notes / "started").read_text().split()) == 1


def test_a_trace_under_the_key_of_another_is_refused(cache, behave, make_job):
    behave("write")
    truth, job = make_job("truth"), make_job()
    path = recordings.record([truth], cache=cache)[truth.key]
    shutil.copyfile(path, cache.path(job.key))
    said = r"CNN0 reference .*: the trace is not the one asked for: lane is 'truth', .*; remove "
    with pytest.raises(CannotRun, match=said):
        recordings.record([job], cache=cache)


def test_what_must_come_before_a_recording_comes_before_it_and_only_then(cache, behave, make_job):
    behave("write")
    called = []
    for _ in range(2):
        recordings.record(
            [make_job()], cache=cache, before=lambda: called.append(len(cache.entries()))
        )
    assert called == [0]


@pytest.mark.parametrize(
    ("mode", "sentence"),
    [
        (
            "die",
            r"CNN0 reference \(Keras 1\.0\.6\): the recorder ended with exit code 3; "
            r"its log ends with:\n.*\n  Segmentation fault, said Theano$",
        ),
        ("crash", r"was killed by signal 9; its log ends with:\n  \(nothing\)"),
        ("refuse", r"^CNN0 reference \(Keras 1\.0\.6\): w\.h5: conv1_W holds NaN; take another$"),
        (
            "other keras",
            (
                r"the trace is not the one asked for: keras is '1\.1\.0', asked for "
                r"'1\.0\.6'; delete .*keras106"
            ),
        ),
        (
            "full",
            r"^CNN0 reference .*: no space was left while recording in .*; free space, or choose",
        ),
        ("nothing", r"the recorder ended without writing its trace"),
        ("half", r"the trace cannot be opened \(not a whole HDF5 file\)"),
    ],
)
def test_a_recorder_that_fails_is_told_in_a_sentence_and_leaves_nothing(
    cache, behave, make_job, nobody_left, mode, sentence
):
    behave(mode)
    with pytest.raises(CannotRun, match=sentence):
        recordings.record([make_job()], cache=cache)
    nobody_left()


def test_a_recorder_that_hangs_is_killed_with_its_children(
    cache, behave, make_job, nobody_left, monkeypatch
):
    behave("hang")
    monkeypatch.setenv("PARITY_RECORDER_TIMEOUT_S", "1.5")
    with pytest.raises(
        CannotRun,
        match=(
            r"did not end within 2 s and was killed; give it longer with "
            r"PARITY_RECORDER_TIMEOUT_S"
        ),
    ):
        recordings.record([make_job()], cache=cache)
    nobody_left()


def test_when_one_fails_the_others_are_killed(cache, behave, make_job, nobody_left):
    behave("one dies")
    with pytest.raises(CannotRun, match=r"noise .* ended with exit code 3"):
        recordings.record([make_job(lane) for lane in stacks.LANES], workers=3, cache=cache)
    nobody_left()


@pytest.mark.parametrize("text", ["soon", "0", "-1", "nan"])
def test_a_time_limit_that_is_no_positive_number_is_refused(
    cache, behave, make_job, monkeypatch, text
):
    behave("write")
    monkeypatch.setenv("PARITY_RECORDER_TIMEOUT_S", text)
    with pytest.raises(
        CannotRun, match=r"PARITY_RECORDER_TIMEOUT_S is .* positive number of seconds"
    ):
        recordings.record([make_job()], cache=cache)


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
from parity.recording import recorder as recorders, recordings
from parity.recording.job import Job
from parity.model import MODELS, Case, Weights
recorders.WORK = Path({work!r})
recorders.command_of = lambda *_: [sys.executable, {fake!r}, {mode!r}, {notes!r}]
case = Case(MODELS["CNN0"], Weights(Path({weights!r})), (), "seeded")
job = Job.of_case(case, "reference", np.zeros((1, 1, 96, 1366), np.float32))
try:
    print(recordings.record([job])[job.key])
except KeyboardInterrupt:
    sys.exit(130)
"""


@pytest.fixture
def start_run(tmp_path, notes, cache):
    """start_run(mode): a whole run of one recording in a process of its own."""
    (tmp_path / "weights.h5").write_bytes(b"weights")

    def start(mode):
        script = SCRIPT.format(
            work=str(tmp_path / "tox"),
            fake=str(Path(__file__).with_name("fake_recorder.py")),
            mode=mode,
            notes=str(notes),
            weights=str(tmp_path / "weights.h5"),
        )
        return subprocess.Popen(
            [sys.executable, "-c", script],
            cwd=ROOT,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


def wait_for_starts(notes, count):
    deadline_s = time.monotonic() + 20
    while time.monotonic() < deadline_s:
        if (notes / "started").exists() and len((notes / "started").read_text().split()) >= count:
            return
        time.sleep(0.05)
    pytest.fail("the recorder was never started")


def test_ctrl_c_ends_the_recorder_and_leaves_nothing(start_run, notes, nobody_left):
    run = start_run("hang")
    wait_for_starts(notes, 2)
    run.send_signal(signal.SIGINT)
    _, errors = run.communicate(timeout=20)
    assert run.returncode == 130, errors
    assert "Traceback" not in errors
    nobody_left()


def test_what_a_killed_run_leaves_looks_unfinished_and_the_next_run_removes_it(
    start_run, notes, cache, nobody_left
):
    run = start_run("hang")
    wait_for_starts(notes, 2)
    run.kill()
    run.communicate()
    nobody_left(of_the_cache=False)
    assert cache.entries() == []
    assert [
        path.suffix for path in sorted(cache.folder.iterdir(), key=lambda path: path.suffix)
    ] == [".lock", ".part"]
    again = start_run("write")
    output, errors = again.communicate(timeout=20)
    assert again.returncode == 0, errors
    assert [str(path) for path in cache.folder.iterdir()] == [output.strip()]


def test_two_runs_at_once_record_once_and_both_get_the_trace(start_run, notes, cache):
    runs = [start_run("compile") for _ in range(2)]
    outputs = [run.communicate(timeout=30) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], outputs
    assert outputs[0][0] == outputs[1][0]
    assert len((notes / "started").read_text().split()) == 1
    assert [str(path) for path in cache.folder.iterdir()] == [outputs[0][0].strip()]


def test_two_recorders_never_compile_in_one_folder_at_once_but_run_at_once(
    cache, behave, make_job, notes
):
    behave("overlap")
    recordings.record(
        [make_job("noise", model) for model in ("CNN0", "CNN", "CRNN50")], workers=3, cache=cache
    )
    assert (notes / "noise.compiling").read_text() == "in out in out in out "


def test_no_more_than_the_asked_number_run_and_the_longest_start_first(
    cache, behave, make_job, notes
):
    behave("environment")
    jobs = [make_job(lane, model) for model in ("CNN0", "CRNN") for lane in stacks.LANES]
    recordings.record(jobs, workers=1, cache=cache)
    told = (notes / "environment").read_text().replace("}{", "}\n{").splitlines()
    order = [(json.loads(line)["job"]["model"], json.loads(line)["job"]["lane"]) for line in told]
    assert order == [
        (model, lane) for model in ("CRNN", "CNN0") for lane in ("truth", "reference", "noise")
    ]


@pytest.mark.parametrize(
    ("lane", "floatx", "optimizer"),
    [
        ("reference", "float32", "None"),
        ("truth", "float64", "None"),
        ("noise", "float32", "fast_run"),
    ],
)
def test_a_recorder_gets_its_lanes_settings_and_none_of_the_users(
    cache, behave, make_job, notes, monkeypatch, tmp_path, lane, floatx, optimizer
):
    for name in ("THEANO_FLAGS", "THEANORC", "KERAS_BACKEND", "PYTHONPATH", "OMP_NUM_THREADS"):
        monkeypatch.setenv(name, "the user's own")
    behave("environment")
    recordings.record([make_job(lane)], cache=cache)
    told = json.loads((notes / "environment").read_text())
    flags = dict(flag.split("=") for flag in told["environ"]["THEANO_FLAGS"].split(","))
    assert (flags["floatX"], flags["optimizer"], flags["device"], flags["blas.ldflags"]) == (
        floatx,
        optimizer,
        "cpu",
        "",
    )
    assert flags["base_compiledir"] == str(tmp_path / "tox" / "theano" / f"1.0.5-{lane}")
    assert told["keras"] == {
        "image_dim_ordering": "th",
        "backend": "theano",
        "floatx": floatx,
        "epsilon": 1e-07,
    }
    assert told["environ"]["HOME"].startswith(str(cache.folder))
    assert told["environ"]["OMP_NUM_THREADS"] == told["environ"]["OPENBLAS_NUM_THREADS"] == "1"
    assert "the user's own" not in told["environ"].values()
    assert told["cwd"] == str(ROOT)
    assert {
        "keras",
        "theano",
        "backend",
        "image_dim_ordering",
        "floatx",
        "floatX",
        "optimizer",
    } <= set(told["job"]["expect"])


def test_timings_come_back_and_nothing_is_kept(cache, behave, make_job):
    behave("time")
    assert recordings.timings(make_job()) == {"predict": {"cpu_s": 2.0}}
    assert list(cache.folder.iterdir()) == []
