"""The core on a newer Python and NumPy: our port in an environment of its own, others as ever."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import parity
from parity import originals, ports
from parity.cli import main
from parity.fixtures.gallery import made
from parity.recording.environments import built

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    return made("lenet", tmp_path_factory.mktemp("lenet"))


def prove(files, port=None, **more):
    inputs = [np.load(path) for path in files.inputs]
    known = {"weights": files.weights, "keras": files.keras, "seed": 1}
    return parity.prove(files.definition, port, inputs, **known, **more)


def test_it_is_newer():
    assert sys.version_info >= (3, 12) and int(np.__version__.partition(".")[0]) >= 2


def test_our_port_runs_beside_it_on_a_numpy_of_its_own(lenet, tmp_path):
    found = prove(lenet)
    assert found.holds and found.document["environment"]["chainer"] == "7.8.1"
    assert found.document["models"][0]["whole_call"]["bitwise_equal"]
    assert found.document["environment"]["numpy"] == "1.23.5"  # the port's own
    assert len(found.to_frame()) == 2 * len(found.layers)
    found.save(tmp_path)
    assert (tmp_path / "parity.html").stat().st_size > 10_000


def test_a_fault_is_found_and_named(lenet):
    case = originals.case_of(str(lenet.definition), lenet.weights, lenet.inputs, keras=lenet.keras)
    own = ports.load(ports.BUILT, case)
    port = {name: (lambda *x, name=name: own.run(name, *x)) for name in own.layers}
    f6 = port["f6"]
    found = prove(lenet, port | {"f6": lambda x: np.roll(f6(x), 1, axis=0)})
    assert (found.worst.name, found.worst.cause) == ("f6", "clips in another order")


def test_our_port_as_a_command(tmp_path, monkeypatch):
    files = made("siamese", tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    asked = f"{built('chainer')} -m parity.ports.answering {ports.BUILT}"
    words = ["--original", files.definition, "--weights", files.weights, "--keras", files.keras]
    words += [word for path in files.inputs for word in ("--input", path)]
    words += ["--port-command", asked, "--out", tmp_path / "out"]
    done = CliRunner().invoke(main, ["run", *map(str, words)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    assert json.loads((tmp_path / "out" / "parity.json").read_text())["verdict"] == "HOLDS"


@pytest.mark.parametrize("command", ["faults", "microscope", "investigate"])
def test_what_changes_our_port_from_inside_says_what_it_needs(command):
    done = CliRunner().invoke(main, [command])
    assert done.exit_code == 2 and "needs chainer beside it" in done.stderr
    assert len(done.stderr.splitlines()) == 1
