"""A project file: `parity.toml`, or [tool.parity] of pyproject.toml, in the folder of the command.

    [models.lenet]
    original = "lenet.json"            # as --original
    weights = "lenet.h5"               # not for a file of model.save
    keras = "1.0.6"                    # not where the files say it
    inputs = ["digits.npy"]            # or: clips = ["song.mp3"], spectrograms or audio
    port = "mypackage.port:steps"      # or: port-command = "python port.py"; else one is built
    custom = "layers.py"
    tags = ["zero", "one"]             # or a file with a line for each
    allow-transform = ["conv1"]        # the port may convolve there by way of FFT or Winograd
    only-when-named = true             # left out where no model is named

    [models.lenet.names]               # what the port calls its layers, where not as Keras
    conv1 = "features/0"

    [models.lenet.fused]               # layers that it computes in one
    "conv2+bn2+relu2" = "block2"

With it, `parity run`, `probe` and `gate` are about these models and no others.
"""

import difflib
import io
import json
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from parity import architecture, model
from parity.errors import CannotRun
from parity.files import publish
from parity.model import Case
from parity.naming import nearest
from parity.ports import PREFIX

__all__ = ["FILE", "allowing", "cases", "is_one", "layers_of", "written"]

FILE, SHARED = "parity.toml", "pyproject.toml"
TEXTS = ("original", "weights", "keras", "port", "port-command", "custom")
LISTS = ("inputs", "clips", "allow-transform")
TABLES = ("names", "fused")
NAMED = "only-when-named"
KINDS: dict[str, tuple[type | tuple[type, ...], str]] = {
    **dict.fromkeys(TEXTS, (str, "text")),
    **dict.fromkeys(LISTS, (list, "a list of texts")),
    **dict.fromkeys(TABLES, (dict, "a table of texts")),
    "tags": ((list, str), "a list of texts, or a file"),
    NAMED: (bool, "true or false"),
}
SAMPLES, SIDE = 4, 32  # of inputs that are drawn; where a model takes any length


def cases(
    models: Iterable[str] = (),
    weights: str | PathLike[str] | None = None,
    clips: Iterable[str | PathLike[str]] = (),
    keras: str | None = None,
    folder: Path = Path(),
) -> list[Case]:
    """The cases of a project's models, or, without a project file, of the taggers.

    models : names, none for all. Raises CannotRun.
    """
    found = _entries(folder)
    if found is None:
        return model.cases(models, weights, clips, keras)
    path, entries = found
    if weights or keras or [*clips]:
        raise CannotRun(
            f"{path} says what its models run on; leave out --weights, --keras and clips"
        )
    unasked = [name for name, entry in entries.items() if not entry.get(NAMED)]
    names = [nearest("model", name, entries) for name in models] or unasked or [*entries]
    return [_case(path, name, entries[name]) for name in dict.fromkeys(names)]


def is_one(folder: Path) -> bool:
    """Whether a folder has a project file. Raises CannotRun for one that cannot be read."""
    return _entries(folder) is not None


def layers_of(chosen: Iterable[Case], names: Iterable[str]) -> tuple[str, ...] | None:
    """The layers that were asked for, None for all. Raises CannotRun with the nearest name."""
    known = dict.fromkeys(layer for case in chosen for layer in case.model.layers)
    return tuple(dict.fromkeys(nearest("layer", name, known) for name in names)) or None


def allowing(chosen: list[Case], names: Iterable[str]) -> list[Case]:
    """The cases, whose port may compute these layers by way of a transform too. Raises CannotRun
    with the nearest name.
    """
    allowed = frozenset(layers_of(chosen, names) or ())
    return [case._replace(transforms=case.transforms | allowed) for case in chosen]


def _entries(folder: Path) -> tuple[Path, dict[str, Any]] | None:
    """(the project file, {name: its table}), None where there is none."""
    for path in (folder / FILE, folder / SHARED):
        if not path.is_file():
            continue
        try:
            said = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            if path.name == SHARED:  # not for this program, as far as can be seen
                continue
            raise CannotRun(f"{path}: cannot be read ({error}); mend the line it names") from error
        said = said if path.name == FILE else said.get("tool", {}).get("parity", {})
        if said or path.name == FILE:
            return path, _checked(path, said)
    return None


def _checked(path: Path, said: dict[str, Any]) -> dict[str, Any]:
    entries = said.get("models")
    if not isinstance(entries, dict) or not entries or [*said] != ["models"]:
        raise CannotRun(f"{path}: it has to hold tables [models.NAME] and nothing else; write one")
    for name, entry in entries.items():
        if not isinstance(entry, dict):
            raise CannotRun(f"{path}: models.{name} is no table; write [models.{name}]")
        for key, value in entry.items():
            if key not in KINDS:
                near = difflib.get_close_matches(key, KINDS, n=1, cutoff=0)[0]
                raise CannotRun(f"{path}: models.{name} has {key}, which is not known; {near}?")
            kind, what = KINDS[key]
            texts = value.values() if isinstance(value, dict) else value
            texts = texts if isinstance(value, list | dict) else ()
            if not isinstance(value, kind) or not all(isinstance(each, str) for each in texts):
                raise CannotRun(f"{path}: models.{name}.{key} has to be {what}")
        if "original" not in entry:
            raise CannotRun(f"{path}: models.{name} has no original; name its file")
        for one, other in (("port", "port-command"), ("inputs", "clips")):
            if one in entry and other in entry:
                raise CannotRun(f"{path}: models.{name} has {one} and {other}; leave one away")
    return entries


def _case(path: Path, name: str, entry: dict[str, Any]) -> Case:
    def there(file: str | None) -> str | None:
        return file and str(path.parent / file)

    from parity import originals  # late: it brings the recorders

    case = originals.case_of(
        str(there(entry["original"])),
        there(entry.get("weights")),
        [path.parent / file for file in entry.get("clips", entry.get("inputs", []))],
        keras=entry.get("keras"),
        custom=there(entry.get("custom")),
        name=name,
        of_clips="clips" in entry,
    )
    command = entry.get("port-command")
    definition = case.model.defined._replace(asked_by=f"--model {shlex.quote(name)}")
    tags = model.tags_of(entry, path.parent)
    port = PREFIX + command if command else entry.get("port")
    case = case._replace(model=case.model._replace(tags=tags, definition=definition, port=port))
    (case,) = allowing([case], entry.get("allow-transform", ()))
    names, fused = (entry.get(table, {}) for table in TABLES)
    if not names and not fused:
        return case
    from parity.port_names import named  # late: it brings every kind

    return named(case, names, fused, f"{path}: models.{name}")


def written(
    original: str,
    weights: str | None,
    inputs: Iterable[str],
    *,
    keras: str | None = None,
    custom: str | None = None,
    folder: Path = Path(),
) -> list[str]:
    """Begin a project file with one model, and draw inputs for it where none are given; returns
    what was written, a sentence each. Raises CannotRun where there is a file already.
    """
    path, given = folder / FILE, [*inputs]
    name = _name_of(original)
    if path.exists():
        raise CannotRun(f"{path} is there already; add a table [models.{name}] to it by hand")
    drawn = {} if given else dict(_drawn(folder / original, name))
    given += drawn
    rows = {
        **{"original": original, "weights": weights, "keras": keras, "custom": custom},
        "inputs": given,
    }
    lines = [f"[models.{name}]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in rows.items() if value]
    lines.append('# port = "module:function", or port-command = "COMMAND"; without, one is built')
    made = tomllib.loads("\n".join(lines))["models"][name]
    _case(path, name, made)  # what is lacking is said before anything is written
    arrays: dict[Any, Any] = {folder / file: _npy(array) for file, array in drawn.items()}
    publish({**arrays, path: "\n".join(lines) + "\n"})
    said = [
        f"{folder / file}: random values {array.shape}; better ones are your own"
        for file, array in drawn.items()
    ]
    return [*said, f"{path}: {name}; now run: parity run"]


def drawn_into(folder: Path, original: Path, name: str) -> list[Path]:
    """The paths of random inputs for a model, written to a folder."""
    drawn: dict[Any, Any] = {folder / file: _npy(array) for file, array in _drawn(original, name)}
    for path, data in drawn.items():
        if not path.is_file() or path.read_bytes() != data:  # they are the same each time
            publish({path: data})
    return [*drawn]


def _name_of(original: str) -> str:
    """What a model is called after: its file."""
    stem = Path(original.rpartition(".py:")[0] or original).stem
    return re.sub(r"[^A-Za-z0-9_-]", "-", stem) or "model"


def _drawn(original: Path, name: str) -> Iterator[tuple[str, np.ndarray]]:
    if ".py:" in str(original):
        raise CannotRun(f"{original} is code, whose inputs are not known yet; give them by --input")
    nodes = architecture.parse(architecture.read(original), original).nodes
    rng = np.random.default_rng(1)
    for number, entry in enumerate(node for node in nodes if node.kind == architecture.INPUT):
        shape = entry.config.get("batch_input_shape")
        if not shape or len(shape) < 2:
            raise CannotRun(f"{original} does not say its inputs' shapes; give them by --input")
        shape = (SAMPLES, *(SIDE if side is None else side for side in shape[1:]))
        reader = next(node for node in nodes if entry.name in node.inbound)
        is_number = str(entry.config.get("input_dtype")).startswith("int")
        values = (
            rng.integers(0, int(reader.config.get("input_dim", 2)), shape).astype(np.int32)
            if is_number
            else rng.standard_normal(shape).astype(np.float32)
        )
        yield f"{name}-input{number or ''}.npy", values


def _npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()
