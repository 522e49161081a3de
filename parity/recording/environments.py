"""The recorders' environments under tox: built when missing, checked for what Theano compiles
with.
"""

import importlib.metadata
import os
import re
import shutil
import subprocess
from pathlib import Path

from filelock import FileLock, Timeout

from parity.errors import CannotRun

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("TOX_WORK_DIR") or ROOT / ".tox")
_NO_PYTHON = (
    "could not find python interpreter",
    "No interpreter found",
    "Failed to inspect Python interpreter",
)
TOX = ROOT / ".tools" / "bin" / "tox"


def python_of(stack):
    """The Python of `stack`'s environment, which is built first where it is missing or not what
    the stack asks for.

    Raises CannotRun where it cannot be built, or where Theano could not compile in it (no g++, no
    Python headers).
    """
    check_compiler()
    python = WORK / stack.name / "bin" / "python"
    with lock_in_work(WORK / f"{stack.name}.lock"):  # two runs at once build it once
        if not is_built(stack):
            _build(stack.name)
    check_headers(python)
    return python


def lock_in_work(path, blocking=True):
    """The lock at `path` in the work folder, taken; None where it is busy and not `blocking`."""
    lock = FileLock(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire(blocking=blocking)
        return lock
    except Timeout:
        return None
    except OSError as error:
        raise CannotRun(
            f"{path}: cannot be written ({error.strerror}); the recorders' environments "
            "are kept there, "
            "so make that folder writable or free space"
        ) from error


def is_built(stack):
    """Whether the environment holds the stack's packages in the stack's versions."""
    site = WORK / stack.name / "lib" / f"python{stack.python}" / "site-packages"
    held = {
        found.name.lower(): found.version
        for found in importlib.metadata.distributions(path=[str(site)])
    }
    return (
        WORK / stack.name / "bin" / "python"
    ).exists() and stack.packages.items() <= held.items()


def _build(name):
    if not TOX.exists():
        raise CannotRun(
            f"{TOX}: not there, and {name} has to be built with it; run `make parity` "
            "once, which makes it"
        )
    command = [TOX, "run", "-q", "--notest", "--workdir", WORK, "-e", name]
    inherited = {
        key: value
        for key, value in os.environ.items()
        if not key.startswith("TOX_") and key != "PYTHONPATH"
    }
    built = subprocess.run(
        command,
        cwd=ROOT,
        env={"UV_PYTHON_DOWNLOADS": "never", **inherited},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if built.returncode == 0:
        return
    said = re.sub(r"\x1b\[[0-9;]*m", "", built.stdout + built.stderr)
    if any(words in said for words in _NO_PYTHON):
        raise CannotRun(
            f"{name}: no Python 3.11 here, and Keras 1 with Theano runs on no later one; "
            "install it (Debian: apt-get install python3.11 python3.11-venv python3.11-dev)"
        )
    lines = [line for line in said.splitlines() if line.strip()] or ["no output"]
    tail = "\n".join(f"  {line}" for line in lines[-12:])
    raise CannotRun(
        f"{name}: its environment could not be built; `.tools/bin/tox run --notest -e "
        f"{name}` ends with:\n{tail}"
    )


def check_compiler():
    """Raise CannotRun where there is no g++: Theano compiles each operation with it."""
    if not shutil.which("g++"):
        raise CannotRun(
            "g++ is not on the PATH, and Theano compiles with it; install it (Debian: "
            "apt-get install g++)"
        )


def check_headers(python):
    """Raise CannotRun where the Python behind the environment has no C headers."""
    asked = subprocess.run(
        [python, "-c", "import sysconfig; print(sysconfig.get_path('include'))"],
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise CannotRun(
            f"{python}: does not run; build it again (.tools/bin/tox run -r --notest -e "
            f"{python.parent.parent.name})"
        )
    header = Path(asked.stdout.strip()) / "Python.h"
    if not header.exists():
        raise CannotRun(
            f"{header}: not there, and Theano compiles against it; install the headers of "
            "that Python "
            "(Debian: apt-get install python3.11-dev) or use a Python 3.11 that has them"
        )
