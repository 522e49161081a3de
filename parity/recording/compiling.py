"""How Theano compiles what an original computes.

All its C modules begin with the same headers, which take g++ longer than the rest of them. These
are compiled once for each environment, and debug information is left out: half the time, a sixth of
the size, the same arithmetic. g++ itself leaves precompiled headers aside that do not fit.
"""

import os
from pathlib import Path

from parity import processes, room

HEADERS = "theano_headers.h"  # found by its name alone: a path in Theano's flags may hold no space


def precompile(home: Path) -> None:
    """Write the headers into the environment `home`, precompiled where g++ can."""
    header(home).parent.mkdir(parents=True, exist_ok=True)
    header(home).touch()  # what is included even where the rest fails
    with processes.scratch() as folder:
        own = {key: value for key, value in os.environ.items() if key == "PATH"}
        own |= {"HOME": str(folder)}
        own |= {"THEANO_FLAGS": f"device=cpu,blas.ldflags=,base_compiledir={folder}"}
        words = [home / "bin" / "python", "-W", "ignore", "-m", "reference.headers", header(home)]
        command = list(map(str, words))
        processes.run(command, cwd=room("reference").parent, env=own)


def environment(home: Path, floatx: str, optimizer: str, folder: Path) -> dict[str, str]:
    """What Theano of the environment `home` is told: numbers of type `floatx`, the graph as written
    (optimizer None) or optimised, modules kept in `folder`.
    """
    flags = {
        "floatX": floatx,
        "optimizer": optimizer,
        "device": "cpu",
        "blas.ldflags": "",
        "base_compiledir": folder,
        "compile.wait": 1,
        "gcc.cxxflags": f"-g0 -include {HEADERS}",
    }
    return {
        "CPLUS_INCLUDE_PATH": str(header(home).parent),
        "THEANO_FLAGS": ",".join(f"{key}={value}" for key, value in flags.items()),
    }


def header(home: Path) -> Path:
    """Where the environment `home` has the headers; what g++ made of them lies beside it."""
    return home / "include" / "precompiled" / HEADERS
