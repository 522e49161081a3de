"""Recorders side by side: the longest first, one compiling in a folder at a time, all of them
killed when one fails.
"""

import shutil
import time
from contextlib import ExitStack

from parity.errors import CannotRun
from parity.recording import recorder as recorders
from parity.recording.environments import lock_in_work
from parity.recording.trace import open_trace

_POLL_S = 0.05
# Times relative to CNN's reference, with everything compiled before.
_MODEL_COST = {"CRNN": 3.0, "CRNN50": 3.0}
_LANE_COST = {"truth": 1.2, "noise": 0.4}


def record_all(jobs, cache, *, workers=2, progress=None):
    """Record Jobs {key: Job} into `cache`, `workers` side by side, the longest first; returns
    {key: path}.

    Raises CannotRun for the first that fails, and whatever interrupts; the others are killed then,
    and nothing of them stays.
    """
    with _Shift(jobs, cache, progress) as shift:
        while shift.waiting or shift.running:
            for key in list(shift.waiting):
                if len(shift.running) < workers:
                    shift.start(key)
            shift.bring_home()
            time.sleep(_POLL_S)
        return shift.paths


def time_one(job, folder):
    """Start `job`'s recorder to time itself; see stacks.timings."""
    with ExitStack() as leave:
        recorder = recorders.Recorder(job, folder, recorders.command_of(job.stack), time_only=True)
        leave.callback(recorder.kill)
        while not recorder.poll():
            time.sleep(_POLL_S)
        recorder.finish()
        return recorder.timings


class _Shift:
    """Jobs still waiting, recorders running with what has to be undone after each, and the traces
    brought home.
    """

    def __init__(self, jobs, cache, progress):
        self.jobs, self.cache, self.progress = jobs, cache, progress
        self.commands = {
            stack: recorders.command_of(stack)
            for stack in dict.fromkeys(job.stack for job in jobs.values())
        }
        self.waiting = sorted(jobs, key=lambda key: -_cost(jobs[key]))
        self.running, self.paths = {}, {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        with ExitStack() as everything:
            for _, leave in self.running.values():
                everything.enter_context(leave)

    def start(self, key):
        """Start the recorder of `key`, or take what another run has just recorded; without either
        it stays waiting.
        """
        job = self.jobs[key]
        with ExitStack() as leave:
            lock = self.cache.try_lock(key)
            if lock is None:
                return
            leave.callback(self.cache.unlock, lock)
            if path := self.cache.find(key):
                self._done(key, path, "recorded by another run")
                self.waiting.remove(key)
                return
            if (lock_to_compile := compile_lock(job)) is None:
                return
            leave.callback(lock_to_compile.release)
            folder = self.cache.scratch(key)
            leave.callback(shutil.rmtree, folder, ignore_errors=True)
            recorder = recorders.Recorder(
                job, folder, self.commands[job.stack], compile_lock=lock_to_compile
            )
            leave.callback(recorder.kill)
            self.running[key] = recorder, leave.pop_all()
        self.waiting.remove(key)

    def bring_home(self):
        """Move the traces of the recorders that have ended into the cache."""
        for key in [
            key for key, (recorder, _) in self.running.items() if recorder.poll(self.progress)
        ]:
            recorder, leave = self.running.pop(key)
            with leave:
                recorder.finish()
                check_trace(recorder.job, recorder.out)
                self._done(
                    key, self.cache.add(key, recorder.out), f"recorded in {recorder.age_s:.1f} s"
                )

    def _done(self, key, path, text):
        self.paths[key] = path
        if self.progress:
            self.progress.done(self.jobs[key].label, text)


def _cost(job):
    return _MODEL_COST.get(job.model, 1.0) * _LANE_COST.get(job.lane.name, 1.0) * len(job.batch)


def compile_lock(job):
    """The right to compile in the job's folder, or None while another has it."""
    folder = recorders.compiledir(job)
    return lock_in_work(folder.parent / f"{folder.name}.lock", blocking=False)


def check_trace(job, path):
    """Raise CannotRun unless the trace at `path` is whole and says that what was asked for is what
    ran.
    """
    if not path.exists():
        raise CannotRun(f"{job.label}: the recorder ended without writing its trace; run it again")
    with open_trace(path) as trace:
        found = trace.provenance
    asked = {"model": job.model, "lane": job.lane.name, **job.expect}
    wrong = [
        f"{name} is {found.get(name)!r}, asked for {value!r}"
        for name, value in asked.items()
        if found.get(name) != value
    ]
    if wrong:
        raise CannotRun(
            f"{job.label}: the trace is not the one asked for: {'; '.join(wrong)}; "
            "rebuild the environment with "
            f"`.tools/bin/tox run -r --notest -e {job.stack.name}`"
        )
