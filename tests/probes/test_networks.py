"""The kept networks are what Keras says of the originals, and what probes of a whole port rest on."""

import zlib

import numpy as np
import pytest

from parity import architecture
from parity.model import MODELS, case_for
from parity.probes import proof
from parity.probes.networks import asked, described, layers_of, without_clips
from parity.recording import recordings
from parity.recording.clips import read_clips
from parity.recording.trace import open_trace
from parity.results import EXACT, NOT_PROBED, Probed, Read
from tests.probes.formula_ports import computed


@pytest.mark.slow
@pytest.mark.parametrize("name", ["CRNN", "CNN0", "CNN"])
def test_a_kept_network_is_what_its_trace_says(name):
    case = case_for(name)
    lanes = recordings.traces({case: read_clips(case.clips).batch}, lanes=["reference"])[case]
    with open_trace(lanes["reference"]) as trace:
        said = without_clips(trace.layers)
    known = layers_of(case)
    filled = {
        each: layer._replace(config={**said[each].config, **layer.config})
        for each, layer in known.items()
    }
    assert described(filled) == described(said)
    left = {key for each, layer in said.items() for key in {*layer.config} - {*known[each].config}}
    later = {"sparse", "beta_regularizer", "gamma_regularizer"}  # which 1.0.6 does not know
    assert left - later - {"input_dim", "input_length"} == {"epsilon", "momentum"}  # Keras's own


@pytest.mark.parametrize("name", MODELS)
def test_a_kept_network_has_every_declared_layer_and_its_weights(name):
    case = case_for(name)
    layers = layers_of(case)
    assert [each for each in layers if layers[each].inbound] == list(MODELS[name].layers)
    assert {each for each, params in case.weights.params.items() if params} <= {*layers}
    for each in MODELS[name].layers:
        assert asked(case, layers, each).x.shape[0] == 1


def test_a_description_holds_nothing_that_some_release_does_not_know():
    """CRNN was described by Keras 1.1.0 and CRNN50 by 1.0.6; each is run on every release."""
    said = [
        {
            (layer["class_name"], key)
            for layer in architecture.read(MODELS[name].defined.architecture)["config"]["layers"]
            for key in layer["config"]
        }
        for name in ("CRNN", "CRNN50")
    ]
    assert said[0] == said[1]


class Few:
    """A port of a network's last layers, by formula."""

    name, versions = "few", {}

    def __init__(self, case, layers, names):
        self.cases = {name: asked(case, layers, name) for name in names}
        self.layers, self.seen = tuple(names), []

    def run(self, layer, x):
        self.seen.append(zlib.crc32(x.tobytes()))
        return computed(self.cases[layer], x)

    def logits(self, x):
        return None

    def __call__(self, x):
        return None


@pytest.fixture(scope="module")
def crnn():
    case = case_for("CRNN")
    return case, layers_of(case)


def test_a_layer_that_either_side_lacks_is_not_probed(crnn):
    case, layers = crnn
    port = Few(case, layers, ["pool4", "preds"])
    port.layers = ("pool4", "extra", "preds")
    found = proof.probe(case, port, 7, layers, only=["pool4", "elu_4"])
    assert found.layers["pool4"].verdict == EXACT
    for name, said in (("elu_4", "the port has no"), ("extra", "the original has no layer extra")):
        assert found.layers[name].verdict == NOT_PROBED and said in found.layers[name].message
    assert found.verdict == "INCOMPLETE" and [*found.proved] == ["pool4"]


def test_a_layer_alone_is_asked_what_it_is_asked_among_others(crnn):
    case, layers = crnn
    seen = []
    for only in (["preds"], ["pool4", "preds"]):
        port = Few(case, layers, only)
        proof.probe(case, port, 7, layers, only=only)
        seen.append(set(port.seen))
    assert seen[0] <= seen[1]
    other = Few(case, layers, ["preds"])
    proof.probe(case, other, 8, layers, only=["preds"])
    assert not set(other.seen) >= seen[0]


def test_sums_count_weights_read_exactly_of_every_layer():
    counts = {"count": 9, "read": 9, "within": 9, "equal": 8, "close": 9}
    exact, close = Read("W", **counts), Read("scale", **counts, to_u=8.0)
    found = proof.Proof("CNN", 1, {
        "a": Probed(EXACT, None, read=[exact, close]), "b": Probed("FORMULA(x)", None, read=[exact]),
    })  # fmt: skip
    assert (found.summary().weights, found.summary().read) == (18, 16)
    assert (found.summary().proved, found.verdict) == (1, "DRIFTS")
    assert proof.Proof("CNN", 1, {"a": Probed(EXACT, None)}, call="other").verdict == "DRIFTS"
    assert proof.Proof("CNN", 1).verdict == "INCOMPLETE"


def test_what_users_call_has_to_be_the_layers(crnn):
    case, layers = crnn
    few = {name: layers[name] for name in ("final_drop", "preds")}
    few["final_drop"] = few["final_drop"]._replace(inbound=("in",))
    source = layers["final_drop"].inbound[0]
    few = {"in": layers[source]._replace(name="in", inbound=()), **few}

    class Called(Few):
        def __call__(self, x):
            return self.run("preds", x) + np.float32(self.off)

    for off, holds in ((0, True), (1e-3, False)):
        called = Called(case, layers, ["final_drop", "preds"])
        called.off = off
        found = proof.probe(case, called, 7, few)
        assert (found.call is None) == holds
    assert "not the composition of the layers" in found.call
