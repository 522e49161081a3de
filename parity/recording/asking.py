"""Keras itself, asked what one layer makes of given inputs: a recorder that stays open."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from parity import untrusted
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import Case
from parity.processes import scratch
from parity.recording import recorder as recorders
from parity.recording.cache import default_folder, key_of, limit_bytes
from parity.recording.job import Job, source_of, sources_sha256, weights_sha256
from parity.recording.stacks import LANES, SETTINGS, STACKS
from parity.recording.trace import Layer, array_sha256
from parity.store import Store

__all__ = ["Original", "asking", "job_of"]

WHOLE = ""  # asked as a layer: the model, up to its first output
PROGRAM = "probes"  # the folder of the recorder that answers
SEED = 20160618  # of the draws
POLL_S = 0.002
AGAIN = "remove it and run again"

Answer = tuple[np.ndarray, np.ndarray | None]  # value, and the spread of draws where they are made


def job_of(case: Case, lane: str, questions: Path | None = None) -> Job:
    """The job of `reference.probes` for a case's original; without questions it stays open."""
    weights_sha256(case.weights)  # CannotRun where it cannot be read
    return Job.asking(
        case, LANES[lane], np.zeros(1, np.float32),
        {**STACKS[case.model.stack].expect(LANES[lane]), **SETTINGS},
        {"questions": questions and str(questions)},
        program=f"reference.{PROGRAM}", what=", probes",
    )  # fmt: skip


def made_of(case: Case) -> dict[str, Any]:
    """All that can change an answer of a case's original, as JSON has it."""
    definition = case.model.defined
    files = [source_of(definition.path), definition.custom]
    return {
        "recorder": sources_sha256([PROGRAM]),
        "weights": case.weights.sha256,
        "model": case.model.name,
        "files": [sha256_of(each) for each in files if each],
        "definition": definition.path.rpartition("/")[2],
        "stack": STACKS[case.model.stack].packages,
    }


class Original:
    """A case's original in float64. It is started when the first question is not known already.

    Use `asking`, which ends it.
    """

    def __init__(self, case: Case, leave: ExitStack, keeps: bool) -> None:
        self.case, self._leave = case, leave
        self._recorder: _Open | None = None
        folder = default_folder().parent / "answers"
        self._kept = Store(folder, ".h5", limit_bytes=limit_bytes) if keeps else None

    @cached_property
    def made(self) -> dict[str, Any]:
        return made_of(self.case)

    def answering(self, layers: Mapping[str, Layer]) -> dict[str, Layer]:
        """A trace's layers, which can be asked."""
        return {
            name: layer._replace(ask=partial(self.ask, name)) if layer.inbound else layer
            for name, layer in layers.items()
        }

    def ask(self, layer: str, inputs: Sequence[np.ndarray], draws: int = 0) -> Answer:
        """What a layer makes of `inputs`, and the spread of draws of float32's rounding.

        Raises CannotRun where Keras refuses, or has ended.
        """
        if self._kept is None:
            with scratch() as folder:
                return self._read(self._asked(folder, layer, inputs, draws), draws)
        question = {"layer": layer, "inputs": [array_sha256(np.asarray(x)) for x in inputs]}
        key = key_of([self.made, question, draws, SEED if draws else 0])
        path = self._kept.find(key) or self._added(self._kept, key, layer, inputs, draws)
        return self._read(path, draws)

    def _read(self, path: Path, draws: int) -> Answer:
        try:
            with untrusted.hdf5(path) as file:
                value, spread = (read(file, 0, what) for what in ("value", "spread"))
        except OSError as error:
            raise CannotRun(f"{path}: {error}; {AGAIN}") from error
        if value is None or (spread is None) is bool(draws):
            raise CannotRun(f"{path}: the answer lacks a part; {AGAIN}")
        return value, spread

    def _added(
        self, kept: Store, key: str, layer: str, inputs: Sequence[np.ndarray], draws: int
    ) -> Path:
        with ExitStack() as leave:
            while (lock := kept.try_lock(key)) is None:
                time.sleep(POLL_S)
            leave.callback(kept.unlock, lock)
            folder = kept.scratch(key)
            leave.callback(shutil.rmtree, folder, ignore_errors=True)
            return kept.add(key, self._asked(folder, layer, inputs, draws))

    def _asked(self, folder: Path, layer: str, inputs: Sequence[np.ndarray], draws: int) -> Path:
        asked, told = (folder / f"{name}.h5" for name in ("questions", "answers"))
        with h5py.File(asked, "w") as file:
            write(file, 0, layer, inputs, draws=draws, seed=SEED)
        self._running().answer(layer, asked, told)
        return told

    def _running(self) -> "_Open":
        if self._recorder is None:
            job = job_of(self.case, "truth")
            folder = self._leave.enter_context(scratch())
            command = recorders.command_of(job.stack, job.program)
            self._recorder = self._leave.enter_context(_Open(job, folder, command))
        return self._recorder


@contextmanager
def asking(case: Case, keeps: bool = True) -> Iterator[Original]:
    """A case's original, which can be asked until the `with` ends; keeps: answers, for other
    runs.
    """
    with ExitStack() as leave:
        yield Original(case, leave, keeps)


class _Open(recorders.Recorder):
    """A recorder that answers lines on its stdin."""

    STDIN = subprocess.PIPE

    def answer(self, layer: str, questions: Path, answers: Path) -> None:
        """Have a file of questions answered. Raises CannotRun."""
        self.started_s, self.said = time.monotonic(), {}
        line = json.dumps({"questions": str(questions), "answers": str(answers)}) + "\n"
        assert self.process.stdin is not None
        try:
            self.process.stdin.write(line.encode())
            self.process.stdin.flush()
        except OSError:
            pass  # it has ended, and `poll` knows why
        while not self.said.keys() & {"answered", "refused"}:
            if self.poll():
                raise CannotRun(f"{self.job.label}: it ended while it was asked about {layer}")
            time.sleep(POLL_S)
        if "refused" in self.said:
            raise CannotRun(f"layer {layer}: Keras does not answer ({self.said['refused']})")


def write(
    file: h5py.File, number: int, layer: str, inputs: Sequence[np.ndarray], **attributes: Any
) -> None:
    """A question, as reference/probes takes it."""
    group = file.create_group(str(number))
    group.attrs.update({"layer": layer, "of": "run", **attributes})
    for at, x in enumerate(inputs):
        group[str(at)] = x


def read(file: h5py.File, number: int, what: str) -> np.ndarray | None:
    """A part of an answer, None where it is not there; CannotRun where it was changed."""
    if f"{number}/{what}" not in file:
        return None
    held = file[f"{number}/{what}"]
    array: np.ndarray = held[()]
    if held.attrs["sha256"] != array_sha256(array):
        raise CannotRun(f"{file.filename}: an answer was changed; {AGAIN}")
    return array
