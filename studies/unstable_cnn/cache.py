"""What an investigation has already found out, kept in the cache folder under a digest of all that
it depends on: the input, the recorder, and the files that a module computes with.
"""

import ast
import functools
import json
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

import parity
from parity.files import sha256_of
from parity.recording.cache import default_folder, key_of
from parity.recording.job import RECORDER
from parity.store import Store

PROJECT = Path(__file__).parents[2]
PACKAGES = ("parity", "tagger")
NAMED_ONLY = ("parity.port.proof",)  # imported by a name that is put together as the program runs
DATA = ("fixtures/published.json",)
COMPUTES_WITH = ("numpy", "chainer", "soxr", "av", "resampy", "h5py")


def folder() -> Path:
    """Where answers lie, beside the traces."""
    return default_folder() / "investigations"


def recalled(what: str, depends_on: Any, make: Callable, module: str, lasting=lambda _: True):
    """The JSON value kept for `what` and `depends_on` (plain values); made by `make()` where there
    is none, and kept if `lasting`.

    module: the name of the one that makes it. An edit of a file that it imports, directly or not,
    makes the value again; an edit of any other file does not.
    """
    store = Store(folder(), ".json")
    ingredients = {
        "what": what,
        "depends_on": depends_on,
        "code": digests(module),
        "versions": versions(),
        "program": program(),
    }
    key = f"{what}.{key_of(ingredients)}"
    found = store.load(key)
    if found is None:
        found = json.loads(json.dumps(make(), default=np.generic.item))
        if lasting(found):
            store.keep(key, found)
    return found


def program() -> dict[str, str]:
    """{file: sha256} of everything under reference/."""
    files = [*RECORDER.rglob("*.py"), RECORDER / "keras.json"]
    return {str(path.relative_to(RECORDER)): sha256_of(path) for path in sorted(files)}


def digests(module: str) -> dict[str, str]:
    """{file: sha256} of a module, by its dotted name, of all that it imports, and of DATA."""
    paths = sorted([*sources(module), *(PROJECT / name for name in DATA)])
    return {str(path.relative_to(PROJECT)): sha256_of(path) for path in paths}


def sources(module: str) -> set[Path]:
    """A module's file and those of all that it imports from this project, directly or not."""
    found, waiting = set(), [module, *NAMED_ONLY]
    while waiting:
        dotted = waiting.pop()
        path = _path(dotted)
        if path and "." in dotted:
            waiting.append(dotted.rpartition(".")[0])  # its package runs first
        if path and path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def _path(dotted: str) -> Path | None:
    """The file of a module of this project, None for any other."""
    top, *inner = dotted.split(".")
    roots = parity.__path__ if top == "parity" else [PROJECT / top]
    for root in roots if top in PACKAGES else ():
        whole = Path(root, *inner)
        for place in (whole.with_suffix(".py"), whole / "__init__.py"):
            if place.is_file():
                return place
    return None


def _imported(path: Path) -> list[str]:
    """Dotted names of all that a file imports: of `from a import b`, both a and a.b."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):  # always absolute here
            names += [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


@functools.cache
def versions() -> dict[str, str]:
    """{package: version} of the packages here whose arithmetic an answer rests on."""
    found = {}
    for name in COMPUTES_WITH:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
