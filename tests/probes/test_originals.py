"""The originals are asked what the ports are asked: real Keras, on stand-in weights."""

import functools
from dataclasses import replace

import numpy as np
import pytest

from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.probes import originals
from parity.probes.networks import asked, layers_of
from parity.recording import recorder as recorders


@functools.cache
def case():
    return Case(MODELS["CNN0"], Weights(seeded.weights("CNN0")), (), "seeded")


@pytest.mark.slow
def test_keras_agrees_with_every_formula_and_is_asked_once(tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    met = []
    (found,) = originals.ask_originals([case()], before=lambda: met.append("port")).values()
    assert met == ["port"] and {"conv1", "bn1", "elu_1", "pool1", "output"} <= found.keys()
    assert [name for name, each in found.items() if not each.holds] == []
    monkeypatch.setattr(recorders, "Recorder", None)  # a second run would fail
    (again,) = originals.ask_originals([case()], before=lambda: met.append("again")).values()
    assert again == found and met == ["port"]


def judged(change, lane):
    """What is said of bn5 where an answer of the original, in one lane, is `change` of the formula's."""
    layers = layers_of(case())
    blank = asked(case(), layers, "bn5")
    probes = list(blank.kind.probes(blank, np.random.default_rng(originals.SEED)))[:2]
    right = {at: blank.but(x=probe.x).value() for at, probe in enumerate(probes)}
    lanes = {"own": {key: y.astype(np.float32) for key, y in right.items()}, "wide": dict(right)}
    lanes[lane][0] = change(lanes[lane][0])  # the answer to the first question alone
    questions = iter([originals.Question(blank, probe) for probe in probes])
    (found,) = originals._judged(questions, lanes["own"], lanes["wide"]).values()
    return found


def test_an_original_that_is_the_formula_holds():
    assert judged(lambda y: y, "own").holds


@pytest.mark.parametrize(
    ("change", "lane"),
    [
        (lambda y: y * np.float32(1.0001), "own"),
        (lambda y: y.astype(np.float64), "own"),
        (lambda y: np.where(y == y.flat[3], np.float32("nan"), y), "own"),
        (lambda y: y * (1 + 1e-9), "wide"),
        (lambda y: y[:, 1:], "wide"),
        (lambda y: y * np.nan, "wide"),
    ],
)
def test_one_that_is_another_does_not(change, lane):
    found = judged(change, lane)
    assert not found.holds and found.message


def test_one_that_was_not_asked_does_not():
    assert not replace(judged(lambda y: y, "own"), probes=0).holds
