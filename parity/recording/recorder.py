"""A running recorder: another program, in its own environment and session.

It gets a job file, and a HOME and Theano flags that are not the user's. It says on stdout how far
it is, and is killed with everything it started when it takes too long.
"""

import errno
import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any, Self

import numpy as np
from filelock import FileLock

from parity import processes
from parity.errors import CannotRun
from parity.progress import Lines, Live
from parity.recording import compiling
from parity.recording.environments import THEANO, WORK, lock_in_work, python_of
from parity.recording.job import RECORDER, Job, changed
from parity.recording.stacks import Stack
from parity.settings import setting

_LOG_TAIL_LINES = 15
# Threads change the order of summation.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_USERS = ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
# The share of one recording's time that is over at each stage, with everything compiled before.
_STAGE_SHARE = {
    "import": 0.0, "load": 0.15, "build": 0.2, "run": 0.4, "time": 0.4, "write": 0.9, "done": 1.0,
}  # fmt: skip


def command_of(stack: Stack, program: str) -> list[str]:
    """How to start a program of `reference/` on `stack`; builds its environment where needed."""
    return [str(python_of(stack)), "-W", "ignore", "-m", program]


class Recorder:
    """One running recorder, killed at the end of its `with`.

    `folder` holds all it reads and writes; `compile_lock` is released once it has compiled.
    """

    STDIN = subprocess.DEVNULL

    def __init__(
        self, job: Job, folder: Path, command: list[str], compile_lock: FileLock | None = None
    ):
        self.job, self.folder, self.started_s = job, folder, time.monotonic()
        self.out, self.log = folder / "trace.h5", folder / "stderr.log"
        self.timings: dict[str, Any] = {}
        self.said: dict[str, Any] = {}  # last
        self._error, self._pending, self._compile_lock = None, b"", compile_lock
        try:
            self.process = self._launch(command)
        except OSError as error:
            raise CannotRun(
                f"{job.label}: the recorder could not be started in {folder} ({error.strerror}); "
                "free space, or choose another folder with PARITY_CACHE"
            ) from error
        assert self.process.stdout is not None
        self._stdout = self.process.stdout
        os.set_blocking(self._stdout.fileno(), False)

    def _launch(self, command: list[str]) -> "subprocess.Popen[bytes]":
        job, folder = self.job, self.folder
        paths = [folder / f"input{number or ''}.npy" for number in range(1 + len(job.others))]
        for path, array in zip(paths, (job.batch, *job.others), strict=True):
            np.save(path, array)
        asked = {
            "model": job.model,
            "lane": job.lane.name,
            "weights": str(job.weights),
            "input": str(paths[0]),
            "inputs": list(map(str, paths)),
            "expect": job.expect,
            **job.more,
        }
        (folder / "job.json").write_text(json.dumps(asked))
        with open(self.log, "wb") as log:
            return processes.start(
                [*command, folder / "job.json", self.out],
                cwd=RECORDER.parent,
                env=_environment(job, folder),
                stdin=self.STDIN,
                stdout=subprocess.PIPE,
                stderr=log,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        processes.stop(self.process)
        self._stdout.close()

    @property
    def age_s(self) -> float:
        return time.monotonic() - self.started_s

    def poll(self, progress: Lines | Live | None = None) -> bool:
        """Take in what it has said so far; returns whether it has ended."""
        ended = self.process.poll() is not None  # asked first, so that nothing it says is missed
        try:
            while said := os.read(self._stdout.fileno(), 1 << 16):
                *lines, self._pending = (self._pending + said).split(b"\n")
                for line in lines:
                    self._understand(line, progress)
        except BlockingIOError:
            pass
        if ended:
            self._raise_failure()
        elif self.age_s > (limit_s := setting("PARITY_RECORDER_TIMEOUT_S")):
            raise CannotRun(
                f"{self.job.label}: the recorder did not end within {limit_s:.0f} s "
                "and was killed; "
                "give it longer with PARITY_RECORDER_TIMEOUT_S, or fewer WORKERS"
            )
        return ended

    def _understand(self, line: bytes, progress: Lines | Live | None) -> None:
        try:
            message = dict(json.loads(line))
        except (ValueError, TypeError):
            return  # something that Keras or Theano prints
        self.said |= message  # a custom layer may print JSON too
        self._error = message.get("error", self._error)
        self.timings = message.get("timings", self.timings)
        if message.get("stage") == "run" and self._compile_lock:
            self._compile_lock.release()
        if progress and "stage" in message:
            progress.update(self.job.label, message["stage"], _STAGE_SHARE.get(message["stage"]))

    def _raise_failure(self) -> None:
        """Raise CannotRun where it failed, with its own sentence or the tail of its log."""
        code = self.process.returncode
        if self._error and (path := changed(self.job)):
            raise CannotRun(f"{self.job.label}: {path} was changed while it was read; run again")
        if self._error:
            raise CannotRun(f"{self.job.label}: {self._error}")
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            tail = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
            if any(os.strerror(errno.ENOSPC) in line for line in tail):
                raise CannotRun(
                    f"{self.job.label}: no space was left while recording in {self.folder}; free "
                    "space, or choose another folder with PARITY_CACHE"
                )
            said = "\n".join(f"  {line}" for line in tail) or "  (nothing)"
            raise CannotRun(f"{self.job.label}: the recorder {how}; its log ends with:\n{said}")


def _environment(job: Job, home: Path) -> dict[str, str]:
    """A HOME with the committed keras.json, flags set here, nothing of the user's own settings."""
    settings = json.loads((RECORDER / "keras.json").read_text())
    (home / ".keras").mkdir()
    (home / ".keras" / "keras.json").write_text(json.dumps({**settings, "floatx": job.lane.floatx}))
    return {
        **{key: os.environ[key] for key in _USERS if key in os.environ},
        **dict.fromkeys(_THREADS, job.expect.get("threads", "1")),
        "HOME": str(home),
        "PYTHONHASHSEED": "0",
        "PYTHONNOUSERSITE": "1",
        **compiling.environment(
            WORK / THEANO, job.lane.floatx, job.lane.optimizer, _compiledir(job)
        ),
    }


def _compiledir(job: Job) -> Path:
    """Where Theano keeps what it compiles, which depends on lane and Theano, not on Keras."""
    return WORK / "theano" / f"{job.stack.theano}-{job.lane.name}"


def compile_lock(job: Job) -> FileLock | None:
    """The right to compile for `job`: two recorders in one folder would lock each other out.

    None while another process has it.
    """
    folder = _compiledir(job)
    return lock_in_work(folder.parent / f"{folder.name}.lock", blocking=False)
