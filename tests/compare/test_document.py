"""The run's verdict and its JSON: what is red stays red, whatever the numbers are."""

import json
from dataclasses import fields

import numpy as np
import pytest

from parity.compare import verdict
from parity.document import document, model_verdict, to_json, worst_cell
from parity.proving import first_divergence
from parity.results import Chained, Final, Isolated, Layer, Model, OracleTruth, WholeCall


def layer(name, isolated="ROUNDING", chained="ROUNDING", rho=0.5):
    return Layer(
        name,
        isolated=Isolated(isolated, rho_port=rho),
        chained=Chained(chained, rho_local=rho),
    )


def model(*layers, holds=True, ratio=0.5, call=None):
    final, truth = Final(0.0, 0.0, 0.0, 0.0, 0.0, holds=holds), OracleTruth("a", ratio)
    return whole(layers=list(layers), final=final, oracle_truth=truth, whole_call=call)


def whole(**known):
    return Model(**{**dict.fromkeys(field.name for field in fields(Model)), **known})


def call(holds):
    return WholeCall(False, 0.0, holds, "")


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (model(layer("a"), layer("b", "EXACT", "EXACT")), "HOLDS"),
        (model(layer("a", isolated="GROSS")), "DRIFTS"),
        (model(layer("a", chained="INHERITED")), "DRIFTS"),
        (model(layer("a", isolated="ORACLE-SUSPECT")), "DRIFTS"),
        (model(layer("a", isolated="INCOMPARABLE")), "DRIFTS"),
        (model(layer("a", isolated="a word nobody knows")), "DRIFTS"),
        (model(layer("a", chained="NOT COMPARED")), "INCOMPLETE"),
        (model(layer("a", chained="NOT COMPARED"), layer("b", "GROSS")), "DRIFTS"),
        (model(Layer("a")), "INCOMPLETE"),
        (model(), "INCOMPLETE"),
        (model(layer("a"), holds=False), "DRIFTS"),
        (model(layer("a"), ratio=1.01), "DRIFTS"),
        (model(layer("a"), ratio=float("nan")), "DRIFTS"),
        (model(layer("a"), call=call(True)), "HOLDS"),
        (model(layer("a"), call=call(False)), "DRIFTS"),
        (model(layer("a"), call=call(None)), "INCOMPLETE"),
    ],
)
def test_a_model_holds_only_when_everything_does(record, expected):
    assert model_verdict(record) == expected


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["HOLDS", "HOLDS"], "HOLDS"),
        (["HOLDS", "INCOMPLETE"], "INCOMPLETE"),
        (["INCOMPLETE", "DRIFTS"], "DRIFTS"),
        ([], "INCOMPLETE"),
    ],
)
def test_the_run_is_as_good_as_its_worst_model(words, expected):
    found = document(
        [whole(verdict=word, data="real") for word in words], environment=None, command="", port=""
    )
    assert found["verdict"] == expected


def test_one_seeded_model_makes_the_whole_run_seeded():
    models = [whole(verdict="HOLDS", data=data) for data in ("real", "seeded")]
    assert document(models, environment=None, command="", port="")["data"] == "seeded"


def test_first_divergence_is_the_first_layer_at_fault_and_never_an_heir():
    layers = [
        layer("a"),
        layer("b", chained="INHERITED"),
        layer("c", isolated="GROSS"),
        layer("d", isolated="GROSS"),
    ]
    assert first_divergence(layers) == "c"
    assert first_divergence(layers[:2]) is None


def test_the_worst_cell_is_the_gravest_then_the_fullest():
    assert worst_cell(model(layer("a", rho=0.9), layer("b", rho=0.95))).layer == "b"
    assert worst_cell(model(layer("a", "GROSS", rho=None), layer("b", rho=0.95))).verdict == "GROSS"


def test_only_these_verdicts_hold():
    assert {"EXACT", "ROUNDING", "ALLOWED TRANSFORM"} == set(verdict.HOLDS)


def test_json_has_no_bare_infinities_and_the_same_bytes_each_time(monkeypatch):
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    found = document(
        [],
        environment={"x": np.float32(1.5), "y": float("inf"), "z": (float("nan"), -np.inf)},
        command="",
        port="",
    )
    text = to_json(found)
    assert text == to_json(document([], environment=found["environment"], command="", port=""))
    assert json.loads(text)["environment"] == {"x": 1.5, "y": "inf", "z": ["nan", "-inf"]}
    assert json.loads(text)["created"] == "1970-01-01T00:00:00Z"
