"""How every command line ends: 0 and 1 are said by a verdict alone, whatever else happens is 2."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from parity.errors import CannotRun
from parity.program import Group, end, say

ROOT = Path(__file__).resolve().parents[1]


def ends(raised):
    """(exit code, stdout, stderr) of a command that does `raised()`."""
    command = click.Command("go", callback=raised)
    result = CliRunner().invoke(Group("prog", commands={"go": command}, stopped="stop"), ["go"])
    return result.exit_code, result.stdout, result.stderr


def raising(error):
    def callback():
        raise error

    return callback


@pytest.mark.parametrize("code", [0, 1, 3])
def test_a_verdict_is_the_exit_code(code):
    assert ends(lambda: end(code)) == (code, "", "")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (CannotRun("x: no y; do z"), "prog: x: no y; do z\n"),
        (KeyboardInterrupt(), "prog: stop\n"),
        (ModuleNotFoundError(name="chainer"), "prog: this command needs chainer beside it"),
        (MemoryError(), "prog: there is not enough memory"),
        (SystemExit(0), "an error in the program itself (SystemExit: 0)"),
        (SystemExit(), "an error in the program itself (SystemExit:)"),
        (EOFError(), "an error in the program itself (EOFError:)"),
        (OSError(errno.EPIPE, "Broken pipe"), "(BrokenPipeError: [Errno 32] Broken pipe)"),
        (KeyError("a\x1b[31m"), "(KeyError: 'a\\x1b[31m')"),
        (RecursionError("deep"), "(RecursionError: deep)"),
        (BaseException("any"), "(BaseException: any)"),
    ],
)
def test_anything_else_is_2_and_one_sentence(error, said, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, out, err = ends(raising(error))
    assert (code, out) == (2, "") and said in err and err.count("\n") == 1
    for path in tmp_path.iterdir():
        assert f"report it with {path}" in err and "Traceback" in path.read_text()
    assert bool(list(tmp_path.iterdir())) == ("program itself" in err)


def test_a_traceback_that_cannot_be_kept_is_no_second_error(monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/proc/nowhere")
    assert ends(raising(KeyError("x")))[0] == 2


def test_what_is_printed_is_printable():
    hostile = "\x1b[2J\x9b\u202e\udcff\nname"
    _, out, _ = ends(lambda: say(hostile))
    assert out == "\\x1b[2J\\x9b\\u202e\\udcff\\nname\n"
    assert ends(lambda: say("two\nlines\n", lines=True))[1] == "two\nlines\n"
    result = CliRunner().invoke(Group("prog"), ["\x1b[2J"])
    assert result.exit_code == 2 and "\x1b" not in result.stderr


SCRIPT = """
import time, click
from parity.program import Group, end, say
@click.group(cls=Group, name="prog", stopped="stop")
def main(): pass
@main.command()
@click.option("--wait", is_flag=True)
def go(wait):
    say("x" * 100)
    if wait:
        try: time.sleep(60)
        finally: print("put away", flush=True)
    end(0)
main()
"""


def program(*arguments, **settings):
    command = [sys.executable, "-c", SCRIPT, "go", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, **settings)


def test_a_full_or_closed_standard_output_is_2():
    with open("/dev/full", "w") as full:
        run = program(stdout=full)
        assert "cannot be written (No space left on device)" in run.communicate()[1]
    assert run.returncode == 2
    read, write = os.pipe()
    os.close(read)
    run = program(stdout=write)
    os.close(write)
    assert "cannot be written (Broken pipe)" in run.communicate()[1]
    assert run.returncode == 2
    command = ["bash", "-c", '"$0" -c "$1" go >&-', sys.executable, SCRIPT]
    none = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True, check=False)
    assert "cannot be written (it is closed)" in none.stderr and none.returncode == 2


def test_no_file_gets_the_number_of_a_stream_that_is_closed(tmp_path):
    """Whatever is printed by a library would be written into it."""
    script = SCRIPT.replace('say("x" * 100)', f"open({str(tmp_path / 'own')!r}, 'wb')")
    script = script.replace("    end(0)", "    import os; os.write(2, b'x'); end(0)")
    script = script.replace("open(", "own = open(")
    command = ["bash", "-c", '"$0" -c "$1" go >&- 2>&-', sys.executable, script]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    assert (tmp_path / "own").read_bytes() == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_stops_with_a_sentence_after_all_is_put_away(number):
    own = signal.signal(number, signal.SIG_DFL)  # these tests may run under nohup
    try:
        run = program("--wait", stdout=subprocess.PIPE)
    finally:
        signal.signal(number, own)
    assert run.stdout.readline().startswith("x")
    time.sleep(0.1)
    run.send_signal(number)
    out, err = run.communicate(timeout=10)
    assert (run.returncode, out) == (2, "put away\n") and err.strip() == "prog: stop"


@pytest.mark.parametrize("stream", ["closed", "full"])
def test_a_closed_or_full_stderr_changes_no_verdict(stream):
    """What cannot be told does not fail a run that holds."""
    script = SCRIPT.replace("end(0)", "say('x', err=True)\n    Lines().done('a', 'b')\n    end(0)")
    script = f"from parity.progress import Lines\n{script}"
    turned = "2>&-" if stream == "closed" else "2>/dev/full"
    command = ["bash", "-c", f'"$0" -c "$1" go {turned}', sys.executable, script]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout) == (0, "x" * 100 + "\n")


def test_a_python_without_what_is_needed_is_told_in_a_sentence():
    hidden = "import sys; sys.path.insert(0, '.'); sys.modules['click'] = None; "
    code = hidden + "import runpy; runpy.run_path('parity/__main__.py')"
    command = [sys.executable, "-c", code]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 2 and run.stderr.startswith("parity: ") and run.stderr.count("\n") == 1
