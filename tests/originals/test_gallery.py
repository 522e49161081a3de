"""Architectures of the time through the whole road: the built port holds, a broken one does not."""

from functools import cache

import numpy as np
import pytest

from parity import known, originals, run
from parity.architecture import layer_of
from parity.errors import CannotRun
from parity.fixtures.gallery import NAMES, made
from parity.port.from_keras import KerasModel, KerasPort, steps
from parity.ports import BUILT
from parity.probes.asking import RIGHT
from parity.probes.networks import without_clips
from parity.probes.proof import probe
from parity.proving import compare_case
from parity.recording.clips import clips_of
from parity.recording.trace import open_trace
from parity.results import NOT_PROBED

pytestmark = pytest.mark.slow
OTHER = {"relu": "softplus", "tanh": "sigmoid", "sigmoid": "hard_sigmoid", "softmax": "sigmoid"}


@pytest.fixture(scope="module")
def case_of(tmp_path_factory):
    @cache
    def make(name):
        files = made(name, tmp_path_factory.mktemp(name))
        return originals.case_of(str(files.definition), files.weights, files.inputs)

    return make


@pytest.mark.parametrize("name", NAMES)
def test_the_built_port_holds(name, case_of):
    document = run.run([case_of(name)], port=BUILT, seed=1)
    (model,) = document["models"]
    wrong = [layer["name"] for layer in model["layers"] if layer["probed"]["verdict"] in ("GROSS",)]
    assert (document["verdict"], model["first_divergence"], wrong) == ("HOLDS", None, [])
    assert [layer["name"] for layer in model["layers"]] == [*case_of(name).model.layers]


def built(case, changed=lambda described, arrays: described):
    """The port with what `changed` makes of its description, or does to its arrays."""
    own = steps(case.model.asked, str(case.weights), "1.1.0").model
    release = case.model.stack.removeprefix("keras")
    arrays = {
        layer: {key: a.copy() for key, a in held.items()} for layer, held in own.arrays.items()
    }
    described = changed(own.described, arrays)
    port = KerasPort(KerasModel(described, arrays, ".".join(release)))
    port.layers = case.model.layers  # every call of a layer
    return port


def weighted(described, arrays):
    layers = dict.fromkeys(layer_of(node.name) for node in described.nodes)
    return [layer for layer in layers if layer in arrays]


def one_weight(at):
    def change(described, arrays):
        layer = weighted(described, arrays)[at]
        array = next(iter(arrays[layer].values()))
        array.flat[np.abs(array).argmax()] *= np.float32(1.01)
        change.layer = layer
        return described

    return change


def reversed_matrix(described, arrays):
    layer = weighted(described, arrays)[-1]
    key = next(iter(arrays[layer]))
    arrays[layer][key] = np.ascontiguousarray(np.flip(arrays[layer][key]))
    reversed_matrix.layer = layer
    return described


def bias_forgotten(described, arrays):
    for layer in weighted(described, arrays):
        key = next((key for key in arrays[layer] if key.rpartition("_")[2].startswith("b")), None)
        if key and arrays[layer][key].any():
            arrays[layer][key][...] = 0
            bias_forgotten.layer = layer
            return described
    raise AssertionError("no layer has a bias")


def other_activation(described, arrays):
    at, node = next(
        (at, node)
        for at, node in enumerate(described.nodes)
        if node.config.get("activation") in OTHER
    )
    config = {**node.config, "activation": OTHER[node.config["activation"]]}
    other_activation.layer = layer_of(node.name)
    nodes = list(described.nodes)
    nodes[at] = node._replace(config=config)
    return described._replace(nodes=tuple(nodes))


FAULTS = {
    "first weight": one_weight(0),
    "last weight": one_weight(-1),
    "matrix reversed": reversed_matrix,
    "bias forgotten": bias_forgotten,
    "another activation": other_activation,
}


def first_wrong(case, lanes, port):
    """The first layer that probes find wrong: a word that no sample has, say."""
    with open_trace(lanes["reference"]) as trace:
        found = probe(case, port, 1, without_clips(trace.layers), None, trace).layers
    right = {*RIGHT, NOT_PROBED}
    return next((name for name, each in found.items() if each.verdict not in right), None)


@pytest.mark.parametrize("name", NAMES)
def test_planted_faults_are_caught_and_located(name, case_of):
    case = case_of(name)
    lanes = known.traces({case: clips_of([case])[case].inputs})[case]
    sound = compare_case(case, lanes, built(case), explain=False)
    assert sound.first_divergence is None
    located, causes = {}, {}
    for fault, change in FAULTS.items():
        port = built(case, change)
        found = compare_case(case, lanes, port, explain=False)
        first = found.first_divergence or first_wrong(case, lanes, port)
        located[fault] = first and layer_of(first) == change.layer
        causes[fault] = [
            layer.cause and layer.cause.hypothesis for layer in found.layers if layer.name == first
        ]
    assert all(located.values()), (located, causes)


CODE = """
from keras.layers import Dense
from keras.models import Sequential


def build():
    return Sequential([Dense(3, input_dim=4, name="first"), Dense(2, name="last")])


def nothing():
    return None
"""


def test_a_function_in_a_file_gives_the_model(tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    path = tmp_path / "mine.py"
    path.write_text(CODE)
    made("lenet", tmp_path)  # any weights: they are not read yet
    given = (tmp_path / "lenet.h5", [tmp_path / "lenet-0.npy"])
    first, again = (originals.case_of(f"{path}:build", *given, keras="1.1.0") for _ in range(2))
    assert first.model.layers == again.model.layers == ("first", "last")
    assert first.model.defined.architecture.is_file()
    with pytest.raises(CannotRun, match="gives no Keras model with inputs"):
        originals.case_of(f"{path}:nothing", *given, keras="1.1.0")
    with pytest.raises(CannotRun, match="Keras cannot build it"):
        originals.case_of(f"{path}:absent", *given, keras="1.1.0")
