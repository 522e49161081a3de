"""Answers for --port-command by a port in Python: a network of another environment.

    python -m parity.ports.answering MODULE:FUNCTION FOLDER

It needs NumPy and what the port imports, no more. MODULE:FUNCTION is as of --port, so the function
may return a torch.nn.Module. The harness adds FOLDER.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

from parity import untrusted
from parity.ports.child import Served


def answer(name: str, folder: Path) -> None:
    """Write the outputs that FOLDER/questions.json asks for. A layer that fails is left out, and
    what it raised is printed. SystemExit, in words, where there is no port.
    """
    job = untrusted.read_json(folder / "questions.json")
    questions = job.pop("questions")
    served = Served()
    _gives(served.answer("open", {"name": name}))
    port = _gives(served.answer("start", job))
    for row in questions:
        if row["layer"] not in port["layers"]:
            continue
        inputs = [untrusted.npy(folder / each) for each in row["inputs"]]
        found = served.answer("run", {"port": 0, "layer": row["layer"], "inputs": inputs})
        if "gives" in found:
            np.save(folder / row["output"], found["gives"][0])
        else:
            sys.stderr.write(f"{row['layer']} {next(iter(found.values()))}\n")


def _gives(said: dict[str, Any]) -> Any:
    if "gives" not in said:
        sys.exit(next(iter(said.values())))
    return said["gives"]


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    answer(sys.argv[1], Path(sys.argv[2]))
