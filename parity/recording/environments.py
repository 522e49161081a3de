"""The recorders' environments: built by tox where missing, checked for what Theano needs."""

import importlib.metadata
import os
import re
import shutil
from pathlib import Path

from filelock import FileLock, Timeout

from parity import processes
from parity.errors import CannotRun
from parity.recording.stacks import Stack

ROOT = Path(__file__).resolve().parents[2]
WORK = Path(os.environ.get("TOX_WORK_DIR") or ROOT / ".tox")
TOX = ROOT / ".tools" / "bin" / "tox"
_NO_PYTHON = (
    "could not find python interpreter",
    "No interpreter found",
    "Failed to inspect Python interpreter",
)


def python_of(stack: Stack) -> Path:
    """The Python of `stack`'s environment, built first where it is missing or stale."""
    if not shutil.which("g++"):
        raise CannotRun(
            "g++ is not on the PATH, and Theano compiles with it; install it (Debian: "
            "apt-get install g++)"
        )
    lock = lock_in_work(WORK / f"{stack.name}.lock")  # two runs at once build it once
    try:
        if not is_built(stack):
            _build(stack.name)
    finally:
        if lock:
            lock.release()
    python = WORK / stack.name / "bin" / "python"
    check_headers(python)
    return python


def lock_in_work(path: Path, blocking: bool = True) -> FileLock | None:
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
            f"{path}: cannot be written ({error.strerror}); the recorders' environments are kept "
            "there, so make that folder writable or free space"
        ) from error


def is_built(stack: Stack) -> bool:
    """Whether the environment holds the stack's packages in the stack's versions."""
    home = WORK / stack.name
    site = home / "lib" / f"python{stack.python}" / "site-packages"
    found = importlib.metadata.distributions(path=[str(site)])
    held = {each.name.lower(): each.version for each in found}
    return (home / "bin" / "python").exists() and stack.packages.items() <= held.items()


def _build(name: str) -> None:
    if not TOX.exists():
        raise CannotRun(
            f"{TOX}: not there, and {name} has to be built with it; run `make parity` "
            "once, which makes it"
        )
    outer = {key for key in os.environ if key.startswith("TOX_")} | {"PYTHONPATH"}
    inherited = {key: value for key, value in os.environ.items() if key not in outer}
    built = processes.run(
        [TOX, "run", "-q", "--notest", "--workdir", WORK, "-e", name],
        cwd=ROOT,
        env={"UV_PYTHON_DOWNLOADS": "never", **inherited},
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


def check_headers(python: Path) -> None:
    """Raise CannotRun where the Python behind the environment has no C headers."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
    asked = processes.run(command)
    if asked.returncode:
        raise CannotRun(
            f"{python}: does not run; build it again (.tools/bin/tox run -r --notest -e "
            f"{python.parent.parent.name})"
        )
    header = Path(asked.stdout.strip()) / "Python.h"
    if not header.exists():
        raise CannotRun(
            f"{header}: not there, and Theano compiles against it; install the headers of that "
            "Python (Debian: apt-get install python3.11-dev) or use a Python 3.11 that has them"
        )
