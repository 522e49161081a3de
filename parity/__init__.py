"""Proves a port against recorded originals, layer by layer, by derived rounding bounds.

An installed `parity` holds the rooms `port`, `reference`, `reports`, `fixtures` and `studies`
inside itself, since their names alone are too general for a machine that others use too. In a
clone they lie beside this folder. Both import them as `parity.port` and so on.
"""

import importlib
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

_here = Path(__file__).resolve().parent
if not (_here / "port").is_dir():
    __path__.append(str(_here.parent))


def room(name: str) -> Path:
    """The folder of a room, `reference` say, in a clone or installed."""
    return next(folder for folder in (Path(parent, name) for parent in __path__) if folder.is_dir())


def __getattr__(name: str) -> Any:
    """`prove`, imported when it is asked for: it brings all of the harness."""
    if name in ("prove", "Result"):
        return getattr(importlib.import_module("parity.library"), name)
    raise AttributeError(f"module 'parity' has no attribute {name!r}")
