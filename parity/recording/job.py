"""One recording that is asked for: what to run, on what, and what has to be found running."""

import hashlib
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from parity import room
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import INPUT_SHAPE, Case, Weights
from parity.recording.cache import key_of
from parity.recording.stacks import LANES, SETTINGS, STACKS, Lane, Stack
from parity.recording.trace import array_sha256

RECORDER = room("reference")


class Job(NamedTuple):
    """One recording; `of_case` makes one of a trace.

    program: the module of `reference/` to run; more: what else its job file says; what:
    follows the lane in the label, where it is no trace.
    """

    model: str
    stack: Stack
    lane: Lane
    weights: Path
    batch: np.ndarray
    expect: dict[str, Any]
    program: str = "reference.record"
    more: dict[str, Any] = {}  # noqa: RUF012 - a NamedTuple's default, never changed
    what: str = ""
    others: tuple[np.ndarray, ...] = ()  # of an original with several inputs

    @classmethod
    def of_case(cls, case: Case, lane: str, batch: np.ndarray, others: Sequence[Any] = ()) -> "Job":
        """The recording of a case on its inputs, in the lane of that name."""
        model = case.model
        if model.of_clips:
            check_batch(batch)
        definition, custom = model.defined.path, model.defined.custom
        expect = {
            **STACKS[model.stack].expect(LANES[lane]),
            **SETTINGS,
            "recorder_sha256": sources_sha256(),
            "definition_sha256": sha256_of(source_of(definition)),
            "custom_sha256": custom and sha256_of(custom),
            "weights_sha256": weights_sha256(case.weights),
            "input_sha256": "+".join(map(array_sha256, [batch, *others])),
        }
        return cls.asking(case, LANES[lane], batch, expect, others=tuple(others))

    @classmethod
    def asking(
        cls,
        case: Case,
        lane: Lane,
        batch: np.ndarray,
        expect: dict[str, Any],
        more: Mapping[str, Any] = MappingProxyType({}),
        **settings: Any,
    ) -> "Job":
        """Any program's work with the original of a case."""
        model, path = case.model, Path(case.weights).absolute()
        known = {"definition": model.defined.path, "custom": model.defined.custom, **more}
        return cls(
            model.name, STACKS[model.stack], lane, path, batch, expect, more=known, **settings
        )

    @property
    def label(self) -> str:
        return f"{self.model} {self.lane.name}{self.what} (Keras {self.stack.keras})"

    @property
    def key(self) -> str:
        """Everything that can change a number of the trace, and the make-up of the batch."""
        asked = {"model": self.model, "lane": self.lane.name, "batch_size": len(self.batch)}
        _, is_code, function = str(self.more.get("definition")).rpartition(".py:")
        return key_of({**asked, **self.expect, "function": function if is_code else None})


def changed(job: Job) -> Path | None:
    """A file of the job that is no longer what it was when it was asked for."""
    definition, custom = job.more.get("definition"), job.more.get("custom")
    files = {
        "weights_sha256": job.weights,
        "definition_sha256": definition and source_of(definition),
        "custom_sha256": custom and Path(custom),
    }
    return next(
        (path for key, path in files.items()
         if path and key in job.expect and sha256_of(path) != job.expect[key]),
        None,
    )  # fmt: skip


def sources_sha256(more: Sequence[str] = ()) -> str:
    """sha256, hex, of the recorder's own files, those of the folders `more` too, computed as
    reference/program.py does.
    """
    files = sorted([*RECORDER.glob("*.py"), RECORDER / "keras.json"])
    for name in more:
        files += sorted((RECORDER / name).glob("*.py"))
    digest = hashlib.sha256()
    for path in files:
        digest.update(f"{path.name}\n".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def source_of(definition: str) -> Path:
    """The file of a definition: a path, or "file.py:function"."""
    path, is_code, _ = definition.rpartition(".py:")
    return Path(f"{path}.py" if is_code else definition)


def weights_sha256(path: PathLike[str]) -> str:
    """sha256, hex, of a weight file; CannotRun where it cannot be read."""
    try:
        return (path if isinstance(path, Weights) else Weights(Path(path))).sha256
    except OSError as error:
        raise CannotRun(
            f"{path}: the weights cannot be read ({error.strerror}); check the path"
        ) from error


def check_batch(batch: np.ndarray) -> None:
    """Raise CannotRun unless `batch` is float32 (B, 1, 96, 1366), B at least 1, and finite."""
    form = batch.shape[1:], batch.dtype
    if batch.ndim != 4 or form != (INPUT_SHAPE, np.float32) or not len(batch):
        raise CannotRun(
            f"the input is {batch.dtype} {batch.shape}, expected float32 (B, 1, 96, "
            "1366): mel spectrograms, decibel"
        )
    if not np.isfinite(batch).all():
        raise CannotRun("the input holds NaN or infinity; make the mel spectrogram again")
