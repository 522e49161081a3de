"""A port in any language: a command that is given a folder of arrays and writes arrays beside them.

It is called as `COMMAND FOLDER`. FOLDER/questions.json lists what is asked:

    {"model": ..., "weights": ..., "keras": ..., "questions":
        [{"layer": "conv1", "inputs": ["0/input0.npy"], "output": "0/output.npy"}, ...]}

Every output is to be written as numpy.save does, or left away for a layer that the port lacks.
"""

import json
import os
import shlex
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from parity import processes, untrusted
from parity.errors import CannotRun
from parity.port_api import Ended, Question, Raised
from parity.recording.trace import array_sha256
from parity.settings import setting

LOOK_S = 0.2  # for the rest of what it prints, once it has ended
SHOWN = 200  # letters of it in messages
LACKING = "wrote no output for it"


class Command:
    """Answers as a port's Process does, by calling the command anew for each set of questions."""

    def __init__(self, command: str, layers: Sequence[str]) -> None:
        self.layers = list(layers)
        self.who = f"--port-command {command:.{SHOWN}}"
        self.timeout_s = setting("PARITY_PORT_TIMEOUT_S")
        self.forgotten: list[int] = []
        self.job: dict[str, Any] = {}
        self.answers: dict[tuple[str, ...], list[Any]] = {}  # each for one question
        self.silent = {*layers}  # those not asked yet; empty as soon as it has answered once
        self._printed: processes.Printed | None = None
        self.over: Ended | None = None
        try:
            self.words = shlex.split(command)
        except ValueError as error:
            raise CannotRun(f"{self.who}: it has {error}; write it as for a shell") from error
        if not self.words or not shutil.which(self.words[0]):
            raise CannotRun(f"{self.who}: there is no such program; give one that can be started")

    def ask(self, doing: str, asked: str, **given: Any) -> Any:
        """As Process.ask; what a command cannot show is None."""
        if asked == "start":
            self.job = given
            own = {"number": 0, "name": self.words[0], "versions": {}, "layers": self.layers}
            return own
        if asked == "with_weights":
            raise Raised("takes its weights from its own file", True, self.who)
        if asked != "run":
            return None
        key = _key(given["layer"], given["inputs"])
        if not self.answers.get(key):
            self.prepare([(given["layer"], given["inputs"])])
        actual = self.answers[key].pop(0)
        if actual is None:
            raise Raised(LACKING, True, f"{self.who}: while {doing}, it")
        return [actual, []]

    def prepare(self, questions: Iterable[Question]) -> None:
        """Call the command once for all of these; each answer is given out once. Ended where it has
        been asked for every layer and has answered nothing.
        """
        if self.over:
            raise self.over
        asked = list(questions)
        try:
            with processes.scratch("parity-port-") as folder:
                rows = [_written(folder, number, *each) for number, each in enumerate(asked)]
                (folder / "questions.json").write_text(json.dumps({**self.job, "questions": rows}))
                self._call(folder)
                found = [self._read(folder / row["output"]) for row in rows]
            for each, given in zip(asked, found, strict=True):
                self.answers.setdefault(_key(*each), []).append(given)
            if self.silent and all(given is None for given in found):
                self.silent -= {layer for layer, _ in asked}
                if not self.silent:
                    self._ends(
                        "wrote no output for any layer", "write each where its question says"
                    )
            else:
                self.silent = set()
        except CannotRun as error:  # of ours, and no answer of the port's
            self.over = Ended(str(error))
            raise self.over from error

    def known(self, layer: str, inputs: Sequence[np.ndarray]) -> np.ndarray | None:
        """An answer that was prepared, left where it is."""
        found: np.ndarray | None = self.answers[_key(layer, inputs)][-1]
        return found

    def _call(self, folder: Path) -> None:
        try:
            process = processes.start(
                [*self.words, str(folder)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={key: value for key, value in os.environ.items() if key[:7] != "PARITY_"},
            )
        except OSError as error:
            self._ends(f"cannot be started ({error.strerror})", "give a program that can")
        assert process.stdout
        self._printed = processes.Printed(process.stdout)
        try:
            code = process.wait(self.timeout_s)
        except subprocess.TimeoutExpired:
            longer = "give it longer with --port-timeout SECONDS"
            self._ends(f"did not end within {self.timeout_s:g} s", longer)
        finally:
            processes.stop(process)
        if code:
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            self._ends(how, "a port that answered ends with 0")

    def _read(self, path: Path) -> np.ndarray | None:
        try:
            return untrusted.npy(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            self._ends(
                f"wrote a file that is no array ({error.strerror})", "write it by numpy.save"
            )

    def _ends(self, what: str, advice: str) -> NoReturn:
        raise Ended(f"{self.who}: it {what}, so nothing is proved; {advice}{self.said()}")

    def damaged(self, doing: str) -> NoReturn:
        """As of Process."""
        self._ends("gave a damaged answer", "write arrays of numbers")

    def said(self) -> str:
        """What it printed, as the end of a message."""
        return self._printed.said(LOOK_S) if self._printed else ""


def _key(layer: str, inputs: Iterable[np.ndarray]) -> tuple[str, ...]:
    return layer, *map(array_sha256, inputs)


def _written(folder: Path, number: int, layer: str, inputs: Sequence[np.ndarray]) -> dict[str, Any]:
    own = folder / str(number)
    own.mkdir()
    for at, array in enumerate(inputs):
        np.save(own / f"input{at}.npy", array)
    names = [f"{number}/input{at}.npy" for at in range(len(inputs))]
    return {"layer": layer, "inputs": names, "output": f"{number}/output.npy"}
