"""The table of verdicts, row by row: first match wins, and NaN passes no row."""

import pytest

from parity.compare.verdict import (
    HOLDS,
    INHERITED,
    MISBEHAVES,
    NOT_COMPARED,
    RULES,
    VERDICTS,
    holds,
    judge,
    reference_is_sane,
    worst,
)
from parity.results import Chained, Isolated

NAN, INF = float("nan"), float("inf")
CLEAN = {
    "fault": "",
    "exact": False,
    "bitwise_equal": False,
    "rho_port": 0.5,
    "q_port": 0.9,
    "rho_reference": 0.5,
    "q_reference": 0.5,
    "rho_det": 0.1,
    "structured": False,
    "u_in": None,
    "effective_bits": 22.0,
}


def cell(**changes):
    return Chained(**{**CLEAN, **changes})


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "ROUNDING"),
        ({"fault": "shape (2,) instead of (3,)"}, "INCOMPARABLE"),
        ({"fault": "NaN", "exact": True}, "INCOMPARABLE"),
        ({"exact": True, "rho_reference": 9.0}, "EXACT"),
        ({"rho_reference": 1.01}, "ORACLE-SUSPECT"),
        ({"rho_reference": 1.01, "rho_port": 1e6, "effective_bits": 0.0}, "ORACLE-SUSPECT"),
        ({"rho_reference": NAN}, "ORACLE-SUSPECT"),
        ({"rho_port": 1.0, "q_port": 1.5}, "ROUNDING"),
        ({"rho_port": 1.01}, "EXCESS ROUNDING"),
        ({"q_port": 1.51}, "EXCESS ROUNDING"),
        ({"rho_port": 400.0, "rho_det": 1.0}, "EXCESS ROUNDING"),
        ({"rho_port": 400.0, "rho_det": 1.3, "u_in": 2.0**-11}, "EXCESS ROUNDING"),
        ({"rho_port": 4000.0, "rho_det": 13.0, "u_in": 2.0**-8.5}, "EXCESS ROUNDING"),
        ({"rho_port": 400.0, "rho_det": 1.3, "u_in": 2.0**-9.5}, "FORMULA(unnamed)"),
        (
            {"rho_port": 400.0, "rho_det": 1.3, "u_in": 2.0**-11, "structured": True},
            "FORMULA(unnamed)",
        ),
        ({"structured": True}, "FORMULA(unnamed)"),
        ({"rho_port": 400.0, "rho_det": 1.3}, "FORMULA(unnamed)"),
        ({"rho_port": 400.0, "rho_det": 1.3, "effective_bits": 8.0}, "FORMULA(unnamed)"),
        ({"rho_port": 400.0, "rho_det": 1.3, "effective_bits": 7.99}, "GROSS"),
        ({"rho_port": INF, "rho_det": INF, "effective_bits": NAN}, "GROSS"),
    ],
)
def test_each_row(changes, verdict):
    assert judge(cell(**changes)) == verdict


@pytest.mark.parametrize(
    "key", ["rho_port", "q_port", "rho_reference", "rho_det", "effective_bits"]
)
def test_nan_passes_no_row(key):
    failing = {
        "rho_det": {"rho_port": 2.0},
        "effective_bits": {"rho_port": 2.0, "rho_det": 2.0},
    }.get(key, {})
    assert judge(cell(**failing, **{key: NAN})) not in HOLDS


def test_a_cell_never_compared_is_not_green():
    assert Isolated().verdict == Chained().verdict == NOT_COMPARED
    assert not holds(NOT_COMPARED)
    assert worst([]) == NOT_COMPARED


def test_below_a_broken_layer_a_clean_one_has_inherited_its_difference():
    assert judge(cell(), upstream_holds=False) == INHERITED
    assert judge(cell(exact=True), upstream_holds=False) == INHERITED
    assert judge(cell(exact=True, bitwise_equal=True), upstream_holds=False) == "EXACT"
    assert (
        judge(cell(fault="NaN", input_fault="its input holds NaN"), upstream_holds=False)
        == INHERITED
    )
    assert judge(cell(fault="NaN", input_fault="its input holds NaN")) == "INCOMPARABLE"
    assert judge(cell(rho_port=9.0, rho_det=9.0), upstream_holds=False) == "FORMULA(unnamed)"


def test_severity():
    assert worst(["ROUNDING", "EXACT"]) == "ROUNDING"
    assert worst(["GROSS", "FORMULA(unnamed)", "EXCESS ROUNDING"]) == "GROSS"
    assert worst([*VERDICTS]) == NOT_COMPARED
    assert {name for name, _ in RULES} | {INHERITED, MISBEHAVES, NOT_COMPARED} == set(VERDICTS)
    assert {name for name in VERDICTS if holds(name)} == {"EXACT", "ROUNDING", "ALLOWED TRANSFORM"}


def test_the_guard_on_the_original():
    assert reference_is_sane(0.5, 0.5) and reference_is_sane(0.0, 0.0)
    for rho, q in ((1.1, 0.5), (0.5, 0.01), (0.5, 1.3), (0.5, NAN)):
        assert not reference_is_sane(rho, q)
