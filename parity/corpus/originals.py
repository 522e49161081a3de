"""Originals that stay open: one recorder for each lane, fed batch after batch."""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np

from parity.errors import CannotRun
from parity.model import Case
from parity.recording.cache import key_of, trace_cache
from parity.recording.job import Job
from parity.recording.recorder import Recorder, command_of, compile_lock
from parity.recording.recordings import check_open
from parity.recording.stacks import LANES
from parity.recording.trace import Trace, open_trace
from parity.store import Store

POLL_S = 0.03
PROGRAM = "reference.stream"
Inputs = Sequence[np.ndarray]


class RefusedBatch(CannotRun):
    """The original cannot be run on a batch."""


class _Open(Recorder):
    """One recorder that waits for batches."""

    STDIN = subprocess.PIPE

    def __init__(self, *args: Any):
        super().__init__(*args)
        self.said: dict[str, str] = {}  # of each trace that was asked for: why it is refused, or ""

    def ask(self, inputs: Sequence[Path], out: Path) -> None:
        """Have a trace written."""
        assert self.process.stdin is not None
        self.started_s = time.monotonic()
        line = json.dumps({"inputs": list(map(str, inputs)), "out": str(out)})
        try:
            self.process.stdin.write(f"{line}\n".encode())
            self.process.stdin.flush()
        except OSError:
            self.poll()  # says why it has ended
            raise

    def hear(self) -> None:
        """Take in what it has said. Raises CannotRun where it has ended."""
        if self.poll():
            raise CannotRun(f"{self.job.label}: the recorder ended without a word; run it again")

    def _understand(self, line: bytes, progress: Any) -> None:
        super()._understand(line, progress)
        try:
            message = dict(json.loads(line))
        except (ValueError, TypeError):
            return
        if "out" in message:
            self.said[message["out"]] = message["refused"]
        elif "written" in message:
            self.said[message["written"]] = ""


class Originals:
    """The three lanes of an original, open until `close`.

    Raises CannotRun where one cannot be opened.
    """

    def __init__(self, case: Case, store: Store | None = None) -> None:
        self.case, self.leave = case, ExitStack()
        self.store = store or trace_cache()
        self.lanes: dict[str, _Open] = {}
        self.asked: dict[int, tuple[Inputs, dict[str, Path]]] = {}
        try:
            self.folder = self._own_folder()
            self._start()
        except BaseException:
            self.close()
            raise

    def ask(self, number: int, inputs: Inputs) -> None:
        """Have a batch recorded, the one of that number, in every lane."""
        paths = [self.folder / f"{number}-{at}.npy" for at in range(len(inputs))]
        outs = {lane: self.folder / f"{number}-{lane}.h5" for lane in self.lanes}
        try:
            for path, array in zip(paths, inputs, strict=True):
                np.save(path, array)
        except OSError as error:
            raise self._full(error) from error
        self.asked[number] = inputs, outs
        for lane, recorder in self.lanes.items():
            recorder.ask(paths, outs[lane])

    def traces(self, number: int, leave: ExitStack) -> dict[str, Trace]:
        """The traces of a batch, open as long as `leave` lasts and checked to be what was asked
        for; `drop` them then.

        Raises RefusedBatch where a recorder refuses it, and CannotRun where one ends or the disk is
        full.
        """
        inputs, outs = self.asked[number]
        for lane, recorder in self.lanes.items():
            while str(outs[lane]) not in recorder.said:
                for each in self.lanes.values():
                    each.hear()
                time.sleep(POLL_S)
            if why := recorder.said.pop(str(outs[lane])):
                full = why.startswith(str(outs[lane]))  # no fault of the batch's
                raise (CannotRun if full else RefusedBatch)(f"{recorder.job.label}: {why}")
        opened = {
            lane: leave.enter_context(open_trace(path, fresh=True)) for lane, path in outs.items()
        }
        for lane, trace in opened.items():
            check_open(self.job(lane, inputs), trace)
        return {lane: trace.grouped(self.case.names) for lane, trace in opened.items()}

    def job(self, lane: str, inputs: Inputs) -> Job:
        """What `parity record` would have recorded."""
        return Job.of_case(self.case, lane, inputs[0], inputs[1:])

    def keep(self, number: int) -> dict[str, str]:
        """Move the traces of a batch into the trace cache; returns their keys."""
        inputs, outs = self.asked[number]
        keys = {lane: self.job(lane, inputs).key for lane in outs}
        for lane, path in outs.items():
            self.store.add(keys[lane], path)
        return keys

    def drop(self, number: int) -> None:
        """Remove what belongs to a batch."""
        self.asked.pop(number, None)
        for path in self.folder.glob(f"{number}-*"):
            path.unlink()

    def close(self) -> None:
        """End the recorders and remove their folder."""
        self.leave.close()

    def _own_folder(self) -> Path:
        """A folder for what is recorded and compared; what a killed process left there goes."""
        for slot in itertools.count():
            key = key_of(["corpus", slot])
            if lock := self.store.try_lock(key):
                self.leave.callback(self.store.unlock, lock)
                folder = self.store.scratch(key)
                self.leave.callback(shutil.rmtree, folder, ignore_errors=True)
                return folder
        raise AssertionError

    def _start(self) -> None:
        waiting = list(LANES)
        while waiting:
            for lane in list(waiting):
                job = self._opening(lane)
                if (lock := compile_lock(job)) is None:
                    continue
                self.leave.callback(lock.release)
                (self.folder / lane).mkdir()
                command = command_of(job.stack, job.program)
                recorder = _Open(job, self.folder / lane, command, lock)
                self.lanes[lane] = self.leave.enter_context(recorder)
                waiting.remove(lane)
            for each in self.lanes.values():
                each.hear()
            time.sleep(POLL_S if not waiting else 10 * POLL_S)

    def _opening(self, lane: str) -> Job:
        """What a recorder is told when it starts: all but the input."""
        case = self.case
        sample = np.zeros((1, 1, 96, 1366), np.float32)
        job = Job.of_case(case, lane, sample)
        expect = {name: value for name, value in job.expect.items() if name != "input_sha256"}
        return job._replace(batch=np.zeros(0), expect=expect, program=PROGRAM)

    def _full(self, error: OSError) -> CannotRun:
        return CannotRun(
            f"{self.folder}: cannot be written ({error.strerror}); free space, or choose another "
            "folder with PARITY_CACHE"
        )
