"""A port that is a command: it answers by files, or the run cannot be made."""

import errno
import json
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.model import Case, Model, Weights
from parity.naming import Names
from parity.port_api import Ended, answer, prepare
from parity.ports import PREFIX, answering, load

DOUBLES = """
import json, os, pathlib, sys
import numpy as np
folder = pathlib.Path(sys.argv[1])
job = json.loads((folder / "questions.json").read_text())
print("asked", len(job["questions"]), "for", job["model"])
for row in job["questions"]:
    if row["layer"] == "a":
        np.save(folder / row["output"], 2 * np.load(folder / row["inputs"][0]))
"""
SAVED = 'np.save(folder / row["output"], 2 * np.load(folder / row["inputs"][0]))'
NO_ARRAY = DOUBLES.replace(SAVED, '(folder / row["output"]).write_text("2")')
LETTERS = DOUBLES.replace(SAVED, 'np.save(folder / row["output"], np.array(["a"]))')
PIPE = DOUBLES.replace(SAVED, 'os.mkfifo(folder / row["output"])')
HOLES = DOUBLES.replace(SAVED, 'os.truncate(open(folder / row["output"], "w").name, 1 << 36)')
X = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.fixture
def port_of(tmp_path):
    """The port of a script, on a case with the layers a and b."""

    def make(script, suffix=""):
        path = tmp_path / "port.py"
        path.write_text(script)
        model = Model("net", "keras110", "", ("a", "b"), ())
        case = Case(model, Weights(tmp_path / "w.h5"), (), "real")
        return load(f"{PREFIX}{sys.executable} {path}{suffix}", case)

    return make


def test_it_answers_layer_by_layer_and_may_lack_one(port_of):
    port = port_of(DOUBLES)
    assert port.layers == ("a", "b")
    assert np.array_equal(answer(port, "a", X).actual, 2 * X)
    assert "wrote no output" in answer(port, "b", X).fault
    assert port(X) is None and port.logits(X) is None and port.describe() is None


def test_one_that_answers_for_no_layer_has_ended(port_of):
    port = port_of("")
    assert "wrote no output for it" in answer(port, "b", X).fault
    for _ in range(2):  # it is not asked again
        with pytest.raises(Ended, match="wrote no output for any layer, so nothing is proved"):
            prepare(port, [("a", [X]), ("a", [X + 1])])


def test_what_is_known_beforehand_is_asked_in_one_call_and_given_out_once(port_of):
    port = port_of(DOUBLES)
    prepare(port, [("a", [X]), ("a", [X]), ("a", [X + 1]), ("c", [X])])
    assert "asked 3 for" in port.process.said()
    for x in (X, X, X + 1):
        assert np.array_equal(port.run("a", x), 2 * x)
    assert "asked 3 for" in port.process.said()
    port.run("a", X)
    assert "asked 1 for" in port.process.said()


def test_layers_in_a_row_are_asked_row_by_row(port_of):
    port = port_of(DOUBLES.replace('== "a"', 'in "ab"'))
    port.names = Names((("both", "a + b"),))
    port.layers = ("both",)
    prepare(port, [("both", [X]), ("both", [X + 1])])
    for x in (X, X + 1):
        assert np.array_equal(port.run("both", x), 4 * x)
    assert "asked 2 for" in port.process.said()


@pytest.mark.parametrize(
    "script, words",
    [
        ("import sys; print('no weights'); sys.exit(3)", "ended with exit code 3"),
        ("import os; os.kill(os.getpid(), 9)", "was killed by signal 9"),
        ("import nothing_of_the_kind", "ended with exit code 1"),
        (NO_ARRAY, "wrote a file that is no array"),
        (LETTERS, "gave a damaged answer"),
        (PIPE, "wrote a file that is no array"),
        (HOLES, "is mostly holes"),
    ],
    ids=["fails", "killed", "broken", "no array", "letters", "pipe", "holes"],
)  # fmt: skip
def test_a_command_that_does_not_answer_ends_the_run(port_of, script, words):
    with pytest.raises(CannotRun, match=words):
        answer(port_of(script), "a", X)


def test_a_command_that_hangs_is_stopped(port_of, monkeypatch):
    monkeypatch.setenv("PARITY_PORT_TIMEOUT_S", "1")
    port, start = port_of("import time; time.sleep(60)"), time.monotonic()
    with pytest.raises(CannotRun, match="did not end within 1 s"):
        answer(port, "a", X)
    assert time.monotonic() - start < 20


def test_what_it_leaves_running_is_not_waited_for(port_of):
    left = "import subprocess; subprocess.Popen(['sleep', '60'], start_new_session=True)"
    port, start = port_of(DOUBLES + left), time.monotonic()
    assert np.array_equal(answer(port, "a", X).actual, 2 * X)
    assert time.monotonic() - start < 20


def test_of_what_it_prints_the_last_is_kept(port_of):
    port = port_of("print('x' * 10**7)\nprint('the end')\n" + DOUBLES)
    assert np.array_equal(answer(port, "a", X).actual, 2 * X)
    said = port.process.said()
    assert "  the end\n" in said and len(said) < 1 << 17


@pytest.mark.parametrize(
    "command, words",
    [
        ("no-such-program --now", "there is no such program"),
        ("python 'x", "it has No closing quotation; write it as for a shell"),
        ("", "there is no such program"),
        ("{} --now", r"it cannot be started \(Exec format error\)"),
    ],
)
def test_a_program_has_to_be_there(command, words, tmp_path):
    text = tmp_path / "text"
    text.write_text("hello")
    text.chmod(0o755)
    model = Model("net", "keras110", "", ("a",), ())
    case = Case(model, Weights(Path("w.h5")), (), "real")
    with pytest.raises(CannotRun, match=words):
        answer(load(PREFIX + command.format(text), case), "a", X)


def test_no_room_for_the_questions_is_no_fault_of_the_port(port_of, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    with pytest.raises(CannotRun, match="no temporary folder can be had"):
        answer(port_of(DOUBLES), "a", X)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.undo()
    monkeypatch.setattr(np, "save", full)
    with pytest.raises(CannotRun, match="No space left on device"):
        answer(port_of(DOUBLES), "a", X)


MINE = """
def steps(model, weights, keras):
    return {"a": lambda x: 2 * x, "b": lambda x: 1 / None, "more": lambda x: x}
"""


@pytest.fixture
def asked(tmp_path, monkeypatch):
    """A folder of questions for `mine:steps`: of a layer that answers, one that fails, one that is
    not there.
    """
    (tmp_path / "mine.py").write_text(MINE)
    monkeypatch.syspath_prepend(tmp_path)
    np.save(tmp_path / "x.npy", X)
    rows = [{"layer": name, "inputs": ["x.npy"], "output": f"{name}.npy"} for name in "abc"]
    job = {"model": "net", "weights": "w.h5", "keras": "1.1.0", "layers": ["a", "b", "c"]}
    (tmp_path / "questions.json").write_text(json.dumps({**job, "questions": rows}))
    return tmp_path


def test_a_port_in_python_answers_by_files(asked, capsys):
    answering.answer("mine:steps", asked)
    assert np.array_equal(np.load(asked / "a.npy"), 2 * X)
    assert not (asked / "b.npy").exists() and not (asked / "c.npy").exists()
    assert "b " in capsys.readouterr().err


def test_where_there_is_no_port_it_says_so(asked):
    with pytest.raises(SystemExit, match="no function 'port'"):
        answering.answer("mine:port", asked)
