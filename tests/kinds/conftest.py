"""Real Keras, one release at a time, on the layers of layers.py."""

import json
import os
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from parity import room
from parity.recording.environments import WORK, python_of
from parity.recording.stacks import STACKS
from tests.kinds.layers import LAYERS

RELEASES = ("1.0.6", "1.1.0", "1.2.2")
FLOATS = ("float64", "float32")
ROOT = room("reference").parent


@pytest.fixture(scope="session", params=RELEASES)
def originals(request, tmp_path_factory):
    """(release, [(single, {dtype: (layer as Keras described it, its output)})]) of all LAYERS that
    the release has.

    A layer is described in each lane: Keras rounds an ELU's alpha to the lane's own floats.
    """
    stack = STACKS["keras" + request.param.replace(".", "")]
    python, folder = python_of(stack), tmp_path_factory.mktemp(stack.name)
    had = [one for one in LAYERS if one.since <= request.param <= one.until]
    (folder / "layers.json").write_text(json.dumps([[one.kind, one.arguments] for one in had]))
    for number, one in enumerate(had):
        weights = {f"w{at}": array for at, array in enumerate(one.weights.values())}
        inputs = {f"i{at}": array for at, array in enumerate(one.more, 1)}
        np.savez(folder / f"{number}.npz", x=one.x, **inputs, **weights)
    lanes = {floatx: _run(python, stack, floatx, folder, had) for floatx in FLOATS}
    return request.param, [
        (one, {floatx: lane[number] for floatx, lane in lanes.items()})
        for number, one in enumerate(had)
    ]


def _run(python, stack, floatx, folder, had):
    out = folder / floatx
    (out / ".keras").mkdir(parents=True)
    settings = json.loads((room("reference") / "keras.json").read_text())
    (out / ".keras" / "keras.json").write_text(json.dumps({**settings, "floatx": floatx}))
    compiled = WORK / "theano" / f"{stack.theano}-layers-{floatx}"
    flags = f"floatX={floatx},optimizer=None,device=cpu,blas.ldflags=,base_compiledir={compiled}"
    environment = {"PATH": os.environ["PATH"], "HOME": str(out), "THEANO_FLAGS": flags}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [python, "-W", "ignore", "-m", "tests.kinds.single_layers", folder, out]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    configs = json.loads((out / "configs.json").read_text())
    return [
        (
            SimpleNamespace(name=f"{one.kind}_{number}", kind=one.kind, config=config),
            np.load(out / f"{number}.npy"),
        )
        for number, (one, config) in enumerate(zip(had, configs, strict=True))
    ]
