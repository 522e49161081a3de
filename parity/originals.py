"""Originals from outside: any Keras 1 model that somebody gives, with its weights and inputs."""

import shlex
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from parity import architecture, untrusted
from parity.errors import CannotRun
from parity.files import sha256_of
from parity.model import KERAS_VERSIONS, MODELS, Case, Definition, Model, Weights, stack_of
from parity.processes import scratch
from parity.recording import recorder, scheduler
from parity.recording.cache import default_folder, key_of
from parity.recording.job import Job, source_of, sources_sha256
from parity.recording.stacks import LANES, SETTINGS, STACKS
from parity.store import Store

__all__ = ["case_of", "layers_of"]


def case_of(
    original: str,
    weights: str | PathLike[str] | None,
    inputs: Iterable[str | PathLike[str]] | None,
    *,
    keras: str | None = None,
    custom: str | None = None,
    name: str | None = None,
    of_clips: bool = False,
) -> Case:
    """The case of an original that is given.

    Parameters
    ----------
    original : str
        The path of what model.to_json() returned or of a file of model.save, or
        "file.py:function", which returns the model in the recorder's environment.
    weights : path or None
        Its weights; None where `original` is a file of model.save, which holds them.
    inputs : iterable of path or None
        An array (.npy) for each input of the model, in their order; None where it is not run.
    keras : str, optional
        The release to run it on; by default what the files say.
    custom : str, optional
        A Python file with classes and functions of its own.
    name : str, optional
        By default that of the file.
    of_clips : bool
        Whether `inputs` are clips for its only input, spectrograms or audio.

    Raises
    ------
    CannotRun
        Where something is missing, or the model cannot be read.
    """
    (source, is_code), paths = _there(original, custom), tuple(map(Path, inputs or ()))
    is_json = source.suffix.lower() == ".json"
    if weights is None and (is_code or is_json):
        raise CannotRun(f"{original} holds no weights; give them with --weights")
    read = Weights(Path(weights or source))
    said = {} if is_code else architecture.read(source)
    release, told = keras or _said_by(original, read, said), "asked" if keras else "file"
    definition, classes = _absolute(original, custom)
    path = source.absolute()
    if is_code:
        path = _asked("reference.record", definition, classes, release)
    found = architecture.parse(said or architecture.read(path), original)
    if inputs is not None and not of_clips and len(paths) != len(found.inputs):
        raise CannotRun(
            f"{original} has {len(found.inputs)} inputs ({', '.join(found.inputs)}), and "
            f"{len(paths)} were given; give an array for each with --input"
        )
    layers = tuple(node.name for node in found.nodes if node.kind != architecture.INPUT)
    around = tuple(architecture.wrapped(found.nodes).items())
    given = Definition(
        definition,
        classes,
        path,
        _asked_by(original=original, weights=weights, keras=keras, custom=custom, input=paths),
    )
    model = Model(name or source.stem, stack_of(release), "", layers, (), given, of_clips)
    return Case(model, Weights(read.path, layers, around), paths, "real", told)  # type: ignore[arg-type]


def _there(original: str, custom: str | None) -> tuple[Path, bool]:
    """(the file of an original, whether it is Python code). Raises CannotRun where one is not."""
    source = source_of(original)
    if custom and not Path(custom).is_file():
        raise CannotRun(f"{custom}: no such file; give the Python file with the model's classes")
    if not source.is_file():
        raise CannotRun(f"{source}: no such file; {architecture.NOT_ONE}")
    return source, source != Path(original)


def _absolute(original: str, custom: str | None) -> tuple[str, str | None]:
    """The same files from any folder."""
    source = source_of(original)
    definition = f"{source.absolute()}{original[len(str(source)) :]}"
    return definition, custom and str(Path(custom).absolute())


def _asked_by(**options: Any) -> str:
    """The options as they are typed."""
    words = []
    for name, value in options.items():
        for each in value if isinstance(value, tuple) else [value]:
            words += [f"--{name}", str(each)] if each else []
    return shlex.join(words)


def _said_by(original: str, weights: Weights | None, description: Mapping[str, Any]) -> str:
    """The release that the files name."""
    said = str((weights and weights.said.keras) or description.get("keras_version") or "")
    known = ", ".join(KERAS_VERSIONS)
    if not said:
        who = f"neither {original} nor {weights} says" if weights else f"{original} does not say"
        raise CannotRun(f"{who} which Keras wrote it; give the release with --keras ({known})")
    if said not in KERAS_VERSIONS:
        raise CannotRun(
            f"Keras {said} wrote {original}, and no environment has that; say with --keras on "
            f"which of {known} to run it"
        )
    return said


def layers_of(original: str, keras: str | None, custom: str | None) -> list[dict[str, Any]]:
    """What Keras says of every layer of a model, as reference/layers writes it; a tagger by its
    name. Raises CannotRun.
    """
    if original in MODELS:
        keras = keras or STACKS[MODELS[original].stack].keras
        original = MODELS[original].defined.path
    source, is_code = _there(original, custom)
    release = keras or _said_by(original, None, {} if is_code else architecture.read(source))
    definition, classes = _absolute(original, custom)
    found: Any = untrusted.read_json(_asked("reference.layers", definition, classes, release))
    return found


def _asked(program: str, original: str, custom: str | None, release: str) -> Path:
    """The path of what a program of the recorder says of a model without weights, kept."""
    stack, lane = STACKS[stack_of(release)], LANES["reference"]
    expect = {
        **stack.expect(lane),
        **SETTINGS,
        "recorder_sha256": sources_sha256(),
        "definition_sha256": sha256_of(source_of(original)),
        "custom_sha256": custom and sha256_of(custom),
    }
    kept = Store(default_folder().parent / "architectures", ".json")
    key = key_of([original, expect, program, sources_sha256([program.partition(".")[2]])])
    if found := kept.find(key):
        return found
    more = {"definition": original, "custom": custom, "describe": True}
    job = Job(
        source_of(original).stem, stack, lane, Path(), np.zeros(0), expect, program=program,
        more=more, what=", its layers",
    )  # fmt: skip
    command = recorder.command_of(stack, job.program)
    while (compiling := recorder.compile_lock(job)) is None:  # Theano tidies its folder at the end
        time.sleep(scheduler.POLL_S)
    with (
        ExitStack() as leave,
        scratch() as folder,
        recorder.Recorder(job, folder, command) as running,
    ):
        leave.callback(compiling.release)
        while not running.poll():
            time.sleep(scheduler.POLL_S)
        return kept.write(key, running.out.read_text())
