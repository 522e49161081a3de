"""Real Keras on single layers: every layer of a list in one process for each float."""

import json
import os
import subprocess
from types import SimpleNamespace

import numpy as np

from parity import room
from parity.recording import compiling
from parity.recording.environments import THEANO, WORK, python_of
from parity.recording.stacks import STACKS

RELEASES = ("1.0.6", "1.1.0", "1.2.2")
FLOATS = ("float64", "float32")
ROOT = room("reference").parent


def write(rows, folder):
    """What a process of a release is asked: the layers, their inputs and their weights."""
    (folder / "layers.json").write_text(json.dumps([[one.kind, one.arguments] for one in rows]))
    for number, one in enumerate(rows):
        weights = {f"w{at}": array for at, array in enumerate(one.weights.values())}
        inputs = {f"i{at}": array for at, array in enumerate(one.more, 1)}
        np.savez(folder / f"{number}.npz", x=one.x, **inputs, **weights)


def run(rows, release, floatx, folder, draws=0):
    """[(layer as Keras described it, its output, or why Keras refused it)] of the rows that `write`
    wrote there. With draws, `spread_of` has what they came to.
    """
    stack = STACKS["keras" + release.replace(".", "")]
    out = folder / floatx
    (out / ".keras").mkdir(parents=True)
    settings = json.loads((room("reference") / "keras.json").read_text())
    (out / ".keras" / "keras.json").write_text(json.dumps({**settings, "floatx": floatx}))
    compiled = WORK / "theano" / f"{stack.theano}-layers-{floatx}"
    environment = compiling.environment(WORK / THEANO, floatx, "None", compiled)
    environment |= {"PATH": os.environ["PATH"], "HOME": str(out)}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [python_of(stack), "-W", "ignore", "-m", "tests.kinds.single_layers", folder, out]
    command += [str(draws)] if draws else []
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    configs = json.loads((out / "configs.json").read_text())
    found = []
    for number, (one, config) in enumerate(zip(rows, configs, strict=True)):
        described = SimpleNamespace(name=f"{one.kind}_{number}", kind=one.kind, config=config)
        refused = config.get("refused")
        found.append((described, refused or np.load(out / f"{number}.npy")))
    return found


def spread_of(folder, number, floatx="float64"):
    """How far the draws strayed of a row that `run` had drawn."""
    return np.load(folder / floatx / f"{number}_spread.npy")
