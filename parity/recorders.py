"""Starts recorders (`python -m reference.record`) in their environments, side by side, and brings their traces home.

A recorder is another program: it gets a job file, a HOME and Theano flags of its own, says on stdout how far it is, and is
killed with everything it started when it takes too long, when another one fails, or when the user interrupts.
"""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import ExitStack

import numpy as np

from parity.cache import try_flock
from parity.environments import ROOT, WORK, python_of
from parity.errors import CannotRun
from parity.trace import open_trace

RECORDER = ROOT / "reference"
DEFAULT_TIMEOUT_S = 900.0
_POLL_S = 0.05
_LOG_TAIL_LINES = 15
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}  # threads change summation order
# Times relative to CNN's reference, and shares of one recording's time; measured with everything compiled before.
_MODEL_COST = {"CRNN": 3.0, "CRNN50": 3.0}
_LANE_COST = {"truth": 1.2, "noise": 0.4}
_STAGE_SHARE = {"import": 0.0, "load": 0.15, "build": 0.2, "run": 0.4, "time": 0.4, "write": 0.9, "done": 1.0}


def command_of(stack):
    """How to start `stack`'s recorder; builds its environment where needed."""
    return [str(python_of(stack)), "-W", "ignore", "-m", "reference.record"]


def sources_sha256():
    """sha256, hex, of the recorder's own files, computed as reference/record.py does."""
    digest = hashlib.sha256()
    for path in sorted([*RECORDER.glob("*.py"), RECORDER / "keras.json"]):
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def timeout_s():
    """PARITY_RECORDER_TIMEOUT_S, 900 by default. Raises CannotRun for what is no positive number."""
    text = os.environ.get("PARITY_RECORDER_TIMEOUT_S") or str(DEFAULT_TIMEOUT_S)
    try:
        limit_s = float(text)
    except ValueError:
        limit_s = -1.0
    if not limit_s > 0:
        raise CannotRun(f"PARITY_RECORDER_TIMEOUT_S is {text!r}; give a positive number of seconds")
    return limit_s


class Recorder:
    """One running recorder. `folder` holds all it reads and writes; `compile_lock` is closed once it has compiled."""

    def __init__(self, job, folder, command, *, time_only=False, compile_lock=None):
        self.job, self.folder, self.started_s = job, folder, time.monotonic()
        self.out, self.log = folder / "trace.h5", folder / "stderr.log"
        self.timings, self._error, self._pending, self._compile_lock = None, None, b"", compile_lock
        np.save(folder / "input.npy", job.batch)
        asked = {"model": job.model, "lane": job.lane.name, "weights": str(job.weights), "input": str(folder / "input.npy"),
                 "expect": job.expect, "time": time_only}
        (folder / "job.json").write_text(json.dumps(asked))
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([*command, folder / "job.json", self.out], cwd=ROOT, env=_environment(job, folder),
                                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, start_new_session=True)
        os.set_blocking(self.process.stdout.fileno(), False)

    @property
    def age_s(self):
        return time.monotonic() - self.started_s

    def poll(self, progress=None):
        """Take in what the recorder has said so far; returns whether it has ended. Raises CannotRun where it takes too long."""
        ended = self.process.poll() is not None  # before listening, so that nothing it says is missed
        try:
            while said := os.read(self.process.stdout.fileno(), 1 << 16):
                *lines, self._pending = (self._pending + said).split(b"\n")
                for line in lines:
                    self._understand(line, progress)
        except BlockingIOError:
            pass
        if not ended and self.age_s > timeout_s():
            raise CannotRun(f"{self.job.label}: the recorder did not end within {timeout_s():.0f} s and was killed; "
                            "give it longer with PARITY_RECORDER_TIMEOUT_S, or fewer WORKERS")
        return ended

    def _understand(self, line, progress):
        try:
            message = dict(json.loads(line))
        except (ValueError, TypeError):
            return  # something that Keras or Theano prints
        self._error, self.timings = message.get("error", self._error), message.get("timings", self.timings)
        if message.get("stage") == "run" and self._compile_lock:
            self._compile_lock.close()
        if progress and "stage" in message:
            progress.update(self.job.label, message["stage"], _STAGE_SHARE.get(message["stage"]))

    def finish(self):
        """Raise CannotRun where an ended recorder failed, with its own sentence or the tail of its log."""
        code = self.process.returncode
        if self._error:
            raise CannotRun(f"{self.job.label}: {self._error}")
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise CannotRun(f"{self.job.label}: the recorder {how}; its log ends with:\n{self._log_tail()}")

    def _log_tail(self):
        lines = self.log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
        return "\n".join(f"  {line}" for line in lines) or "  (nothing)"

    def kill(self):
        """End it, if it runs, and everything it started."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        self.process.stdout.close()


def _environment(job, home):
    """Nothing of the user's own Keras and Theano settings gets in: a HOME with the committed keras.json, flags set here."""
    settings = json.loads((RECORDER / "keras.json").read_text())
    (home / ".keras").mkdir()
    (home / ".keras" / "keras.json").write_text(json.dumps({**settings, "floatx": job.lane.floatx}))
    flags = {"floatX": job.lane.floatx, "optimizer": job.lane.optimizer, "device": "cpu", "blas.ldflags": "",
             "base_compiledir": compiledir(job), "compile.wait": 1}
    kept = {key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH") if key in os.environ}
    return {**kept, **_ONE_THREAD, "HOME": str(home), "PYTHONHASHSEED": "0", "PYTHONNOUSERSITE": "1",
            "THEANO_FLAGS": ",".join(f"{key}={value}" for key, value in flags.items())}


def compiledir(job):
    """Where Theano keeps what it has compiled between runs: by lane and Theano, for what it compiles does not depend on Keras.

    Two recorders that compile in one folder at once would lock each other out, so one of them builds at a time.
    """
    return WORK / "theano" / f"{job.stack.theano}-{job.lane.name}"


def record_all(jobs, cache, *, workers=2, progress=None):
    """Record Jobs {key: Job} into `cache`, `workers` side by side, the longest first; returns {key: path}.

    Raises CannotRun for the first that fails; the others are killed, and nothing of them stays.
    """
    commands = {job.stack: command_of(job.stack) for job in jobs.values()}
    waiting = sorted(jobs, key=lambda key: -_cost(jobs[key]))
    paths, running = {}, {}
    with ExitStack() as everything:
        while waiting or running:
            for key in list(waiting) if len(running) < workers else ():
                if len(running) < workers and _start(key, jobs[key], commands, cache, paths, running, everything, progress):
                    waiting.remove(key)
            for key in [key for key, (recorder, _) in running.items() if recorder.poll(progress)]:
                recorder, leave = running.pop(key)
                with leave:
                    paths[key] = _bring_home(key, recorder, cache, progress)
            time.sleep(_POLL_S)
    return paths


def _cost(job):
    return _MODEL_COST.get(job.model, 1.0) * _LANE_COST.get(job.lane.name, 1.0) * len(job.batch)


def _start(key, job, commands, cache, paths, running, everything, progress):
    """Start the recorder of `key`, or find that another run has just recorded it; False while it has to wait for one."""
    leave = everything.enter_context(ExitStack())  # undone when the recorder is done, or all together
    lock = cache.try_lock(key)
    if lock is None:
        return False
    leave.callback(cache.unlock, key, lock)
    if path := cache.find(key):
        paths[key] = path
        leave.close()
        _done(progress, job, "recorded by another run")
        return True
    compile_lock = leave.enter_context(_compile_lock(job))
    if not try_flock(compile_lock):
        leave.close()
        return False
    folder = cache.scratch(key)
    leave.callback(shutil.rmtree, folder, ignore_errors=True)
    recorder = _launch(job, folder, commands[job.stack], compile_lock=compile_lock)
    leave.callback(recorder.kill)
    running[key] = recorder, leave
    return True


def _compile_lock(job):
    """An open file whose flock is the right to compile in the job's folder."""
    folder = compiledir(job)
    folder.mkdir(parents=True, exist_ok=True)
    return open(folder.with_suffix(".lock"), "w")


def _launch(job, folder, command, **options):
    try:
        return Recorder(job, folder, command, **options)
    except OSError as error:
        raise CannotRun(f"{job.label}: the recorder could not be started in {folder} ({error.strerror}); "
                        "free space, or choose another folder with PARITY_CACHE") from error


def _bring_home(key, recorder, cache, progress):
    recorder.finish()
    check_trace(recorder.job, recorder.out)
    path = cache.add(key, recorder.out)
    _done(progress, recorder.job, f"recorded in {recorder.age_s:.1f} s")
    return path


def check_trace(job, path):
    """Raise CannotRun unless the trace at `path` is whole and says that what was asked for is what ran."""
    if not path.exists():
        raise CannotRun(f"{job.label}: the recorder ended without writing its trace; run it again")
    with open_trace(path) as trace:
        found = trace.provenance
    asked = {"model": job.model, "lane": job.lane.name, **job.expect}
    wrong = [f"{name} is {found.get(name)!r}, asked for {value!r}" for name, value in asked.items() if found.get(name) != value]
    if wrong:
        raise CannotRun(f"{job.label}: the trace is not the one asked for: {'; '.join(wrong)}; rebuild the environment with "
                        f"`.tools/bin/tox run -r --notest -e {job.stack.name}`")


def time_one(job, folder):
    """Start `job`'s recorder to time itself; see stacks.timings."""
    with ExitStack() as leave:
        recorder = _launch(job, folder, command_of(job.stack), time_only=True)
        leave.callback(recorder.kill)
        while not recorder.poll():
            time.sleep(_POLL_S)
        recorder.finish()
        return recorder.timings


def _done(progress, job, text):
    if progress:
        progress.done(job.label, text)
