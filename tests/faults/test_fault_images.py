"""Faults of convolution, normalisation, ELU, pooling, padding and input on trial, on the first
layers of two networks.
"""

import functools
from dataclasses import replace

import numpy as np
import pytest
from small_front import ROWS, recorded

from parity.faults import arrays, table, trial
from parity.faults.behaviours import gain
from parity.faults.plant import weight
from parity.faults.table import Fault
from parity.numerics.structure import Regression
from parity.port.proof import ChainerPort

pytestmark = pytest.mark.slow

LAYERS = {(model, name) for model, (_, rows) in ROWS.items() for name, *_ in rows}
FRONT = [fault for fault in table.FAULTS if (fault.model, fault.layer) in LAYERS]


@functools.cache
def sound(model):
    there = recorded(model)
    return trial.prove(there, ChainerPort(there.tagger()))


def tried(fault):
    return trial.tried(fault, sound(fault.model))


def test_there_are_faults_of_every_kind_of_layer():
    kinds = {name: kind for _, rows in ROWS.values() for name, kind, _ in rows}
    assert {kinds[fault.layer] for fault in FRONT} == {
        "ZeroPadding2D",
        "BatchNormalization",
        "Convolution2D",
        "ELU",
        "MaxPooling2D",
    }
    assert len(FRONT) > 30


@pytest.mark.parametrize("fault", FRONT, ids=lambda fault: fault.id)
def test_a_fault_of_the_front_is_caught_located_and_named(fault):
    record = tried(fault)
    said = (record.cause and record.cause.hypothesis) or ""
    shows_more = said.startswith(f"{fault.cause}, Chainer's")  # its eps, on quiet input
    # small ones are named on the published weights: see `make faults`
    named = record.named or shows_more or fault.kind in trial.PROBES_ONLY
    assert record.undecidable or (record.located_layer, named) == (
        fault.layer,
        True,
    ), record


def made(name, plant):
    return Fault(f"CRNN-conv2-{name}", plant, "a cause")


SMALL = made("small-gain", gain(32, channel=7))
TINY = made("tiny-tap", weight("W", arrays.one_element((7, 9, 1, 1), 1 + 2**-23)))


def test_a_fault_that_only_all_outputs_together_show_may_not_be_called_undecidable():
    distance, is_equivalent = trial.equivalence(recorded("CRNN"), SMALL)
    assert distance < 1 and not is_equivalent
    assert trial.equivalence(recorded("CRNN"), TINY)[1]
    assert tried(SMALL).located_layer == "conv2"


def test_a_harness_that_has_lost_its_eye_for_structure_is_told_so(monkeypatch):
    """Blind to the fault and to its own blindness: on the published weights only what is known to
    be hidden may be.
    """
    findings = Regression.findings
    monkeypatch.setattr(
        Regression, "findings", lambda self, values: {**findings(self, values), "structured": False}
    )
    monkeypatch.setattr(trial, "_probe", lambda found, mutant, there: None)
    record = tried(SMALL)
    assert not record.caught and record.observability < 1 and record.undecidable, (
        "stand-in weights have no list"
    )
    real = replace(sound("CRNN"), original=recorded("CRNN")._replace(data="real"))
    assert not trial.tried(SMALL, real).undecidable


def test_only_known_faults_may_be_hidden_on_the_published_weights():
    allowed = {fault.id for fault in table.FAULTS if trial.may_be_equivalent(fault, "real")}
    assert allowed == {fault.id for fault in table.FAULTS if fault.equivalent} and all(
        trial.may_be_equivalent(fault, "seeded") for fault in table.FAULTS
    )


def test_an_observability_of_another_shape_is_beyond_any_bound():
    fault = made("rows", lambda tagger, layer: {layer: lambda x: np.asarray(x)[:, :, :1]})
    assert trial.equivalence(recorded("CRNN"), fault) == (float("inf"), False)
