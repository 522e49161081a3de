"""The files of the project that a module computes with: itself and all that it imports, directly
or not.
"""

import ast
import functools
from importlib.metadata import version
from pathlib import Path

import parity
from parity.files import sha256_of

PROJECT = Path(__file__).parents[2]
PACKAGES = ("parity", "tagger")
NAMED_ONLY = ("parity.port.proof",)  # imported by a name that is put together as the program runs
DATA = ("fixtures/published.json",)
COMPUTES_WITH = ("numpy", "chainer", "scipy", "soxr", "soundfile", "resampy", "h5py")


def digests(module):
    """{file: sha256} of `module`, by its dotted name, of what it imports, and of the data that is
    read beside them.
    """
    found = {
        path: sha256_of(path) for path in (*sources(module), *(PROJECT / name for name in DATA))
    }
    return {str(path.relative_to(PROJECT)): digest for path, digest in sorted(found.items())}


def sources(module):
    """The set of paths."""
    found, waiting = set(), [module, *NAMED_ONLY]
    while waiting:
        dotted = waiting.pop()
        path = _path(dotted)
        waiting += (
            [dotted.rpartition(".")[0]] if path and "." in dotted else []
        )  # its package runs first
        if path and path not in found:
            found.add(path)
            waiting += _imported(path)
    return found


def versions():
    """{package: version} of the packages whose arithmetic an answer rests on; those that are not
    here are left out.
    """
    return {name: _version(name) for name in COMPUTES_WITH if _version(name)}


@functools.cache
def _version(name):
    try:
        return version(name)
    except ImportError:  # PackageNotFoundError is one
        return None


def _path(dotted):
    """The file of a module of this project, None for any other."""
    top, *inner = dotted.split(".")
    roots = parity.__path__ if top == "parity" else [PROJECT / top]
    wholes = [Path(root, *inner) for root in roots] if top in PACKAGES else []
    places = [
        place for whole in wholes for place in (whole.with_suffix(".py"), whole / "__init__.py")
    ]
    return next((place for place in places if place.is_file()), None)


def _imported(path):
    """Dotted names of all that a file imports, in its functions too: of `from a import b`, both a
    and a.b.
    """
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):  # always absolute here
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
