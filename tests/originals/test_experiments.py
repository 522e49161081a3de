"""Layers without a formula: Keras is asked, draws of rounding bound its answers, and ports that are
sound hold while broken ones do not.
"""

import os
import shutil
from functools import cache, partial
from pathlib import Path

import h5py
import numpy as np
import numpy_layers
import pytest

from parity import known, originals
from parity.errors import CannotRun
from parity.fixtures.gallery import WITHOUT_KINDS, made
from parity.kinds import EXPERIMENT, KINDS, kind_of, layer_case
from parity.kinds.experiment import Experiment
from parity.numerics.experiment import LEAST, bound_of, draws_for
from parity.numerics.rounding import FALSE_ALARM
from parity.ports.callables import Callables
from parity.probes import originals as asked_originals
from parity.probes.asking import RIGHT
from parity.probes.networks import layers_of
from parity.probes.proof import probe
from parity.proving import compare_case
from parity.recording.asking import asking
from parity.recording.clips import clips_of
from tests.kinds.judging import experiment, used_of
from tests.kinds.recorded_layers import layer

F = np.float32
CUSTOM = Path(__file__).with_name("attention.py")


def test_so_few_draws_leave_no_element_with_a_spread_below_half_of_its_own():
    rng = np.random.default_rng(0)
    elements, rate = 200, FALSE_ALARM
    squares = np.square(rng.standard_normal((draws_for(elements), 20_000))).mean(axis=0)
    assert squares.min() > LEAST  # a hundred tensors
    few = np.square(rng.standard_normal((10, 20_000))).mean(axis=0)
    assert few.min() < LEAST and draws_for(elements / rate) > draws_for(elements)


def test_what_no_draw_moves_must_arrive_and_the_rest_may_round():
    value, spread = np.array([[1.0, 0.1, 2.0]]), np.array([[0.0, 0.0, 1e-7]])
    witness = experiment(value, spread)
    allowed = bound_of(spread)[0, 2]
    right = F([[1, 0.1, 2 + allowed * 0.9]])
    assert used_of(witness, right)[0] < 1
    for at, off in enumerate((1e-6, 1e-7, allowed * 1.2)):
        wrong = right.copy()
        wrong[0, at] = value[0, at] + off
        assert used_of(witness, wrong)[0] > 1, at
    assert not witness.moves and experiment(value, 0 * spread).moves
    assert used_of(experiment(value, 0 * spread), F([[1, 0.1, 2]])) == (0, 0)


def test_only_what_has_no_formula_is_asked_of_the_original():
    def ask(inputs, draws=0):
        return np.zeros((2, 3)), np.ones((2, 3)) if draws else None

    def kind(name, ask=ask, **config):
        return kind_of(layer(name, **config)._replace(ask=ask))

    assert kind("Dense", activation="relu") is KINDS["Dense"]
    assert kind("Dense", activation="selu") is kind("Highway") is EXPERIMENT
    inner = {"class_name": "Highway", "config": {}}
    assert kind("TimeDistributed", layer=inner) is EXPERIMENT
    assert kind("Bidirectional", layer=inner, merge_mode="sum") is EXPERIMENT
    with pytest.raises(CannotRun, match="no formula for Highway"):
        kind("Highway", None)
    case = layer_case(layer("Highway")._replace(ask=ask), {}, np.zeros((2, 3), F), "1.2.2")
    assert isinstance(case.but(x=case.x + 1).witness, Experiment)
    with pytest.raises(CannotRun, match="cannot be asked about other settings or weights"):
        _ = case.but(config={"activation": "relu"}).witness


@pytest.fixture(scope="module")
def case_of(tmp_path_factory):
    @cache
    def make(name):
        files = made(name, tmp_path_factory.mktemp(name))
        return originals.case_of(
            str(files.definition), files.weights, files.inputs, custom=str(CUSTOM)
        )

    return make


def ported(case, **changes):
    """The port in NumPy, some of its classes computed otherwise."""
    layers = {**numpy_layers.LAYERS, **changes}
    steps = numpy_layers.steps(case.model.asked, case.weights, "1.2.2", layers)
    return Callables(steps)


def off(kind, key, change):
    """A layer class with one of its parameters changed."""

    def run(config, p, *inputs):
        return numpy_layers.LAYERS[kind](config, {**p, key: change(p[key])}, *inputs)

    return {kind: run}


def one_of(array):
    array = array.copy()
    array.flat[np.abs(array).argmax()] *= F(1 + 2**-12)
    return array


FAULTS = {
    "volumes": [
        off("Convolution3D", "W", lambda w: w[:, :, ::-1]),
        off("Convolution3D", "W", one_of),
        off("Convolution3D", "b", lambda b: b[::-1]),
        {"MaxPooling3D": lambda c, p, x: numpy_layers.pooled(np.mean, x).astype(F)},
        {"AveragePooling3D": lambda c, p, x: numpy_layers.pooled(np.max, x)},
    ],
    "unshared": [
        off("LocallyConnected2D", "W", lambda w: w[::-1]),
        off("LocallyConnected2D", "b", lambda b: b.transpose(2, 0, 1)),
        off("MaxoutDense", "W", one_of),
        off("Highway", "b_carry", lambda b: b + F(2**-12)),
        off("AtrousConvolution2D", "W", lambda w: w[:, :, ::-1, ::-1]),
        off("ParametricSoftplus", "betas", lambda b: 1 + 0 * b),
    ],
    "attended": [
        {"Attention": lambda c, p, x, mask: numpy_layers.attention(c, p, x, mask | True)},
        off("Attention", "W", one_of),
        {"Lambda": lambda c, p, x: x / np.sqrt(1 + x * x)},
        off("AtrousConvolution1D", "W", lambda w: w[::-1]),
        {"GRU": lambda c, p, *x: numpy_layers.gru({**c, "inner_activation": "sigmoid"}, p, *x)},
    ],
}


def right(found, proof):
    """(the first layer that clips find wrong, the layers that probes find wrong)"""
    wrong = [name for name, each in proof.layers.items() if each.verdict not in RIGHT]
    return found.first_divergence, wrong


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT_KINDS)
def test_a_sound_port_holds_and_a_broken_one_does_not(name, case_of):
    case = case_of(name)
    lanes = known.traces({case: clips_of([case])[case].inputs})[case]
    (said,) = asked_originals.ask_originals([case]).values()
    assert said and [layer for layer, each in said.items() if not each.holds] == []
    with asking(case) as original:
        layers = original.answering(layers_of(case))
        judged = partial(compare_case, case, lanes, explain=False, original=original)
        proof = partial(probe, case, seed=1, layers=layers)
        sound = ported(case)
        found = judged(sound)
        assert right(found, proof(sound)) == (None, [])
        by = {each.name for each in found.layers if each.bound == "experiment"}
        assert by and {each.kind for each in found.layers if each.name not in by} <= set(KINDS)
        for change in FAULTS[name]:
            (kind,) = change
            broken = ported(case, **change)
            only = {each.name for each in found.layers if each.kind == kind}
            first, wrong = right(judged(broken), proof(broken, only=only))
            assert first in only or set(wrong) == only, (kind, first, wrong)


@pytest.mark.slow
def test_what_keras_does_not_answer_is_one_sentence(case_of, tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    case, x = case_of("volumes"), np.zeros((1, 2, 6, 6, 6), F)
    with asking(case) as original:
        with pytest.raises(CannotRun, match="the original has no layer no"):
            original.ask("no", [x])
        with pytest.raises(CannotRun, match="layer scan reads 1 inputs, 2 were given"):
            original.ask("scan", [x, x])
        value, spread = original.ask("scan", [x], draws=2)
        assert value.dtype == spread.dtype == np.float64 and value.shape == spread.shape
        original._recorder.process.kill()
        with pytest.raises(CannotRun, match="was killed by signal 9"):
            original.ask("scan", [x + 1])
        again, _ = original.ask("scan", [x], draws=2)  # is kept
        assert np.array_equal(again, value)
        (kept,) = tmp_path.rglob("answers/*.h5")
        other = shutil.copy(kept, tmp_path / "other.h5")
        with h5py.File(other, "r+") as file:
            file["0/value"][...] = 1
        os.replace(other, kept)
        with pytest.raises(CannotRun, match="an answer was changed; remove it and run again"):
            original.ask("scan", [x], draws=2)
