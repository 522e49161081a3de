"""Whatever becomes of a process, what it started ends with it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from parity import processes
from parity.errors import CannotRun
from parity.processes import run, side_by_side, start, stop

ROOT = Path(__file__).resolve().parents[1]
# A program with a child of its own, and two workers; it tells their numbers.
SCRIPT = """
import os, signal, sys, time
from parity.processes import scratch, side_by_side, start
def work(path):
    open(path, "w").write(str(os.getpid()))
    time.sleep(60)
if __name__ == "__main__":
    signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell's `&` has it ignored
    folder = sys.argv[1]
    made = scratch()
    print(made.__enter__(), flush=True)
    start(["bash", "-c", f"echo $$ > {folder}/a; sleep 60 & echo $! > {folder}/b; wait"])
    list(side_by_side(work, {n: (f"{folder}/{n}",) for n in "cd"}, 2))
"""


def alive(number):
    try:
        state = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


def wait_until(true, seconds):
    end_s = time.monotonic() + seconds
    while not true() and time.monotonic() < end_s:
        time.sleep(0.05)
    return true()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_nothing_is_left_of_a_killed_run(tmp_path, number):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    folder = tmp_path / "numbers"
    folder.mkdir()
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    parent = subprocess.Popen(
        [sys.executable, script, folder],
        env=environment,
        start_new_session=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    scratch = Path(parent.stdout.readline().strip())

    def numbers():
        return [int(text) for path in folder.iterdir() if (text := path.read_text())]

    assert wait_until(lambda: len(numbers()) == 4, 20)
    assert all(map(alive, numbers())) and scratch.is_dir()
    parent.send_signal(number)
    parent.wait(timeout=20)
    assert wait_until(lambda: not any(map(alive, numbers())), 5)
    assert wait_until(lambda: not scratch.exists(), 5)


def test_workers_end_with_a_run_that_was_killed_before_its_guard_knew_them(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT.replace("    folder = ", "    processes._tell = len\n    folder = "))
    script.write_text(f"from parity import processes\n{script.read_text()}")
    parent = subprocess.Popen(
        [sys.executable, script, tmp_path],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    )
    files = [tmp_path / name for name in "abcd"]
    assert wait_until(lambda: all(path.exists() and path.read_text() for path in files), 60)
    parent.kill()
    a, _, c, d = (int(path.read_text()) for path in files)
    os.killpg(a, signal.SIGKILL)  # a program of its own, whose guard this test has silenced
    assert wait_until(lambda: not alive(c) and not alive(d), 5)


def test_a_program_is_stopped_with_all_that_it_started(tmp_path):
    process = start(["bash", "-c", f"sleep 60 & echo $! > {tmp_path}/n; wait"])
    assert wait_until(lambda: (tmp_path / "n").exists() and (tmp_path / "n").read_text(), 5)
    stop(process)
    assert wait_until(lambda: not alive(int((tmp_path / "n").read_text())), 5)


def test_a_program_that_ends_says_how(monkeypatch):
    done = run(["bash", "-c", "echo out; echo err >&2; exit 3"])
    assert (done.returncode, done.stdout, done.stderr) == (3, "out\n", "err\n")


def test_workers_get_their_variables_and_this_process_keeps_its_own(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    asked = side_by_side(os.getenv, {1: ("OPENBLAS_CORETYPE",)}, 1, OPENBLAS_CORETYPE="Prescott")
    assert dict(asked) == {1: "Prescott"} and os.environ["OPENBLAS_CORETYPE"] == "Haswell"


def test_where_a_pool_has_no_room_for_a_thread_it_ends(monkeypatch):
    def start(_):
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("multiprocessing.queues.Queue._start_thread", start)
    before = threading.excepthook
    with pytest.raises(CannotRun, match="for want of memory; try WORKERS=1"):
        list(side_by_side(os.getpid, {1: ()}, 1))
    assert threading.excepthook is before


def test_an_exit_code_is_waited_for_where_another_thread_notes_it():
    codes = iter([None, None, 77])

    class Child:
        exitcode = property(lambda _: next(codes))

    assert processes._exit_code(Child()) == 77


UNGUARDED = """
from parity.errors import CannotRun
from parity.processes import side_by_side
try:
    list(side_by_side(print, {1: (1,)}, 1))
except CannotRun as error:
    raise SystemExit(f"said: {error}")
"""


def test_a_call_without_a_main_guard_is_told_so(tmp_path):
    (tmp_path / "script.py").write_text(UNGUARDED)
    done = run([sys.executable, tmp_path / "script.py"], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert done.stderr.startswith("said: ") and 'if __name__ == "__main__":' in done.stderr
