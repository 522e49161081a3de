"""Environments of old packages: built by uv from a lock where missing or stale, and checked for
what Theano needs.
"""

import os
import shutil
import subprocess
from importlib import util
from pathlib import Path

import platformdirs
from filelock import FileLock, Timeout

from parity import processes
from parity.errors import CannotRun
from parity.files import publish, sha256_of
from parity.program import say
from parity.recording import compiling
from parity.recording.stacks import Stack

THEANO = "reference"  # the environment that all originals share
PYTHON = "3.11"  # the last that Theano and Chainer run on
SITE = Path("lib", f"python{PYTHON}", "site-packages")
ROOT = Path(__file__).resolve().parents[2]
IS_CLONE = (ROOT / "tox.ini").exists()
LOCKS = (ROOT if IS_CLONE else ROOT / "parity") / "requirements"
WORK = ROOT / ".tox" if IS_CLONE else platformdirs.user_cache_path("music-tagger-parity") / "envs"
UV = ROOT / ".tools" / "bin" / "uv"


def python_of(stack: Stack) -> Path:
    """The Python of `stack`'s environment, for a recorder."""
    if not shutil.which("g++"):
        raise CannotRun(
            "g++ is not on the PATH, and Theano compiles with it; install it (Debian: "
            "apt-get install g++)"
        )
    below = built(THEANO).parents[1]
    python = built(stack.name, below)
    check_headers(python)
    return python


def built(name: str, below: Path | None = None) -> Path:
    """The Python of the environment that the lock `name` describes, built first where it is missing
    or stale.

    It finds what it lacks in the environment `below`. Theano lies in one place so, for every Keras;
    what it compiles depends on where its headers lie.
    """
    lock = lock_in_work(WORK / f"{name}.lock")  # two runs at once build it once
    try:
        if not is_built(name):
            _build(name, below)
    finally:
        if lock:
            lock.release()
    return WORK / name / "bin" / "python"


def sizes() -> dict[str, int]:
    """{environment: bytes of its files}, those linked to uv's cache or to another one counted in
    each; what Theano compiled is one of them.
    """
    homes = sorted(WORK.glob("*/"))
    said = processes.run(["du", "-0sbl", "--", *homes]).stdout if homes else ""  # ten times as fast
    rows = (row.split("\t", 1) for row in said.split("\0")[:-1])
    return {Path(name).name: int(size_bytes) for size_bytes, name in rows}


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


def is_built(name: str) -> bool:
    """Whether the environment is there, whole, and of this very lock."""
    try:
        whole = name != THEANO or compiling.header(WORK / name).exists()
        return whole and _stamp(name).read_text() == sha256_of(LOCKS / f"{name}.txt")
    except OSError:
        return False


def _stamp(name: str) -> Path:
    """What a whole environment has: the digest of its lock, written last."""
    return WORK / name / "lock.sha256"


def _build(name: str, below: Path | None) -> None:
    home, lock = WORK / name, LOCKS / f"{name}.txt"
    say(f"{name}: building its environment, about {5 if below else 230} MB in {home}", err=True)
    python = str(home / "bin" / "python")
    _uv(name, "venv", "--quiet", "--clear", "--python", _python(), home)
    build = ("--build-constraint", LOCKS / "build.txt", "--require-hashes")
    _uv(name, "pip", "sync", "--quiet", "--python", python, *build, lock)
    if below:
        there = os.path.relpath(below / SITE, home / SITE)  # so that the folder may be moved
        publish({home / SITE / "below.pth": there})
    if name == THEANO:
        compiling.precompile(home)
    publish({_stamp(name): sha256_of(lock)})


def _python() -> str:
    """A Python that the old packages run on, fetched by uv where there is none."""
    if not _said_by_uv("python", "find", "--no-python-downloads", PYTHON).returncode:
        return PYTHON
    say(
        f"no Python {PYTHON} here: uv fetches one, about 30 MB "
        "(UV_PYTHON_DOWNLOADS=never forbids it)",
        err=True,
    )
    fetched = _said_by_uv("python", "install", "--no-bin", PYTHON)
    if fetched.returncode:
        raise CannotRun(
            f"no Python {PYTHON} here, Keras 1, Theano and Chainer run on no later one, and uv "
            f"could not fetch it ({_last(fetched.stderr, 1).strip()}); install it, or "
            "let uv: `uv python install 3.11`"
        )
    return PYTHON


def _uv(name: str, *words: str | Path) -> None:
    done = _said_by_uv(*words)
    if done.returncode:
        raise CannotRun(
            f"{name}: its environment could not be built; `uv {words[0]}` ends with:\n"
            + _last(done.stdout + done.stderr, 12)
        )


def _said_by_uv(*words: str | Path) -> "subprocess.CompletedProcess[str]":
    inherited = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    return processes.run([_uv_path(), "--color", "never", *words], env=inherited)


def _uv_path() -> Path:
    """The Makefile's, the one installed beside this package, or the user's."""
    if UV.exists():
        return UV
    if util.find_spec("uv"):
        from uv import find_uv_bin

        return Path(find_uv_bin())
    if found := shutil.which("uv"):
        return Path(found)
    raise CannotRun("uv is not here, and environments are built with it; run: pip install uv")


def _last(said: str, lines: int) -> str:
    kept = [line for line in said.splitlines() if line.strip()] or ["no output"]
    return "\n".join(f"  {line}" for line in kept[-lines:])


def check_headers(python: Path) -> None:
    """Raise CannotRun where the Python behind the environment has no C headers."""
    command = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
    asked = processes.run(command)
    if asked.returncode:
        raise CannotRun(
            f"{python}: does not run; delete {python.parent.parent}, and the next run builds it "
            "again"
        )
    header = Path(asked.stdout.strip()) / "Python.h"
    if not header.exists():
        raise CannotRun(
            f"{header}: not there, and Theano compiles against it; install the headers of that "
            "Python (Debian: apt-get install python3.11-dev) or use a Python 3.11 that has them"
        )
