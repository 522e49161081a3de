"""The run's verdict and its JSON: what is red stays red, whatever the numbers are."""

import json

import numpy as np
import pytest

from parity.compare import verdict
from parity.compare.case import born_failed, first_divergence
from parity.document import document, model_verdict, to_json, worst_cell


def layer(name, isolated="ROUNDING", chained="ROUNDING", rho=0.5):
    record = born_failed(name, "ELU")
    record["isolated"].update(verdict=isolated, rho_port=rho)
    record["chained"].update(verdict=chained, rho_local=rho)
    return record


def model(*layers, holds=True, ratio=0.5, call=None):
    return {
        "layers": list(layers),
        "final": {"holds": holds},
        "oracle_truth": {"ratio": ratio},
        "whole_call": call,
    }


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
        (model(born_failed("a")), "INCOMPLETE"),
        (model(), "INCOMPLETE"),
        (model(layer("a"), holds=False), "DRIFTS"),
        (model(layer("a"), ratio=1.01), "DRIFTS"),
        (model(layer("a"), ratio=float("nan")), "DRIFTS"),
        (model(layer("a"), call={"holds": True}), "HOLDS"),
        (model(layer("a"), call={"holds": False}), "DRIFTS"),
        (model(layer("a"), call={"holds": None}), "INCOMPLETE"),
    ],
)
def test_a_model_holds_only_when_everything_does(record, expected):
    assert model_verdict(record) == expected


@pytest.mark.parametrize(
    ("words", "whole"),
    [
        (["HOLDS", "HOLDS"], "HOLDS"),
        (["HOLDS", "INCOMPLETE"], "INCOMPLETE"),
        (["INCOMPLETE", "DRIFTS"], "DRIFTS"),
        ([], "INCOMPLETE"),
    ],
)
def test_the_run_is_as_good_as_its_worst_model(words, whole):
    models = [{"verdict": word, "data": "real"} for word in words]
    assert document(models, environment={}, command="", port="")["verdict"] == whole


def test_one_seeded_model_makes_the_whole_run_seeded():
    models = [{"verdict": "HOLDS", "data": data} for data in ("real", "seeded")]
    assert document(models, environment={}, command="", port="")["data"] == "seeded"


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
    assert worst_cell(model(layer("a", rho=0.9), layer("b", rho=0.95)))["layer"] == "b"
    assert (
        worst_cell(model(layer("a", "GROSS", rho=None), layer("b", rho=0.95)))["verdict"] == "GROSS"
    )


def test_only_two_verdicts_hold():
    assert {"EXACT", "ROUNDING"} == set(verdict.HOLDS)


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
