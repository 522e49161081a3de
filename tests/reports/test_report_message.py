"""The block a cell says when it does not hold: every sentence of it, and the numbers' digits."""

import pytest

from parity.reports import figures, message
from parity.reports.message import cell_message
from tests.reports import factory


def _message(make, model, layer, mode):
    record = make()["models"][model]
    return cell_message(record, record["layers"][layer], mode)


def test_isolated_block_word_for_word():
    assert (
        _message(factory.failing, 0, 3, "isolated")
        == """\
CRNN / gru1 (isolated): the port differs from Keras 1.0.6
  12 of 960 elements beyond rounding (1.2 %), shape (2, 15, 32) float32
  worst 3.1e-04 at (b=0, t=14, unit=7): port 0.48219, original 0.48188, rounding allows 1.5e-06 (rho 209)
  its input agrees, so the fault is in this layer; explained by: reset gate applied after the matrix product (R2 1.000)
  where: time steps 2 to 14, every unit
  reproduce: parity run --out reports/out/again --model CRNN --layer gru1"""
    )


def test_every_formula_that_explains_a_layer_is_said_once():
    survivors = [{"name": "TF32"}, {"name": "float16"}, "float16", {"name": "TF32"}]
    layer = {"cause": {"hypothesis": "TF32", "r2": None, "survivors": survivors}}
    assert message.evidence(layer) == "explained by: TF32; as well by: float16"
    assert message.evidence(layer, others=False) == "explained by: TF32"
    assert message.cause(layer, "isolated") == "Explained by: TF32; as well by: float16."


def test_inherited_block_says_whose_fault_it_is():
    assert (
        _message(factory.failing, 0, 4, "chained")
        == """\
CRNN / gru2 (chained): the port's drift comes from an earlier layer, not from this one
  drift at most 2.2e-04 (rms 7.3e-08), the original's own noise 8.6e-07, shape (2, 32) float32
  inherited 2.2e-04, made here 1.3e-07 (rho 0.40 of this layer alone)
  this layer agrees where its input does; the fault is in gru1
  reproduce: parity run --out reports/out/again --model CRNN --layer gru2"""
    )


def test_not_compared_says_why():
    assert (
        _message(factory.incomplete, 0, 6, "isolated")
        == """\
CNN0 / extra (isolated): was not compared with Keras 1.0.6
  the original has no layer extra
  reproduce: parity run --out reports/out/again --model CNN0 --layer extra"""
    )


def test_exact_counts_its_elements():
    block = _message(factory.document, 0, 2, "isolated")
    assert "EXACT, the port agrees with Keras 1.0.6" in block
    assert "all 2095104 elements equal the original's, shape" in block


CELLS = {
    "INCOMPARABLE": (
        {"message": "shape (2, 3), expected (2, 4)"},
        ["cannot be compared with", "shape (2, 3), expected (2, 4)"],
    ),
    "ORACLE-SUSPECT": (
        {},
        ["the oracle does not explain Keras 1.0.6", "beyond its own rounding (rho 0.34)"],
    ),
    "GROSS": ({}, ["GROSS: differs by more than any number format's rounding could"]),
    "FORMULA(unnamed)": ({}, ["FORMULA(unnamed): computes another formula"]),
    "EXCESS ROUNDING": (
        {"support": {"text": "3 of 64 channels, edges only"}},
        ["where: 3 of 64 channels, edges only"],
    ),
}


@pytest.mark.parametrize(
    ("verdict", "figures", "says"), [(word, *rest) for word, rest in CELLS.items()], ids=CELLS
)
def test_each_verdict_has_its_words(verdict, figures, says):
    layer = factory.layer(isolated=factory.isolated(verdict, **figures))
    block = cell_message(factory.model(), layer, "isolated")
    assert all(words in block for words in says), block


def test_zeros_of_another_sign_are_told():
    layer = factory.layer(isolated=factory.isolated("EXACT", signed_zeros=3))
    assert "equal the original's (3 differ in the sign of zero)" in cell_message(
        factory.model(), layer, "isolated"
    )


def test_worst_difference_is_that_of_the_two_values_beside_it():
    layer = factory.layer(
        isolated=factory.isolated("GROSS", max_abs=9.0, worst_actual=1.5, worst_expected=1.0)
    )
    assert "worst 0.5 at" in cell_message(factory.model(), layer, "isolated")


def test_a_fault_without_a_message_is_the_reason():
    layer = factory.layer(
        isolated=factory.isolated("INCOMPARABLE", fault="dtype float64 instead of float32")
    )
    assert "dtype float64 instead of float32" in cell_message(factory.model(), layer, "isolated")


def test_structure_names_channels_and_limits():
    structure = {
        "structured": True,
        "gain_channels": [7],
        "offset_channels": list(range(20)),
        "gain": 2.4e-7,
        "gain_limit": 1.2e-7,
        "gain_t": 45.1,
        "offset": -5e-5,
        "offset_limit": 1e-6,
        "offset_t": -634.0,
    }
    block = cell_message(
        factory.model(),
        factory.layer(isolated=factory.isolated("FORMULA(unnamed)", structure=structure)),
        "isolated",
    )
    assert "structure: gain in 1 channel (7), strongest 2.4e-07 (allowed 1.2e-07, t 45.1)" in block
    assert "offset in 20 channels (0, 1, 2, 3, 4, 5, 6, 7, ...), strongest -5.0e-05" in block


def test_clean_structure_is_not_shouted():
    structure = {"structured": False, "gain": 1e-9, "gain_limit": 1.2e-7, "gain_t": 1.0}
    assert "structure" not in cell_message(
        factory.model(),
        factory.layer(isolated=factory.isolated("GROSS", structure=structure)),
        "isolated",
    )


def test_hostile_names_cannot_write_control_characters_or_lines():
    block = _message(factory.hostile, 0, 4, "isolated")
    assert "\x1b" not in block and "\x00" not in block and "\ud800" not in block
    assert "\\x1b[31mred\\x00\\n\\ud800" in block and len(block.splitlines()) == 6


def test_reproduce_line_survives_a_shell():
    block = _message(factory.hostile, 0, 5, "isolated")
    assert "--layer 'a b/c#d?e%20' --seed 7" in block


@pytest.mark.parametrize(
    ("write", "value", "text"),
    [
        (figures.drift, 3.14159e-7, "3.1e-07"),
        (figures.drift, 0, "0"),
        (figures.drift, None, "–"),
        (figures.drift, "inf", "inf"),
        (figures.ratio, 0.5812, "0.58"),
        (figures.ratio, 209.34, "209"),
        (figures.ratio, 12345678.0, "1.2e+07"),
        (figures.ratio, 0.00123, "0.00123"),
        (figures.allowance, 0.4237, "42 %"),
        (figures.allowance, 1.0, "100 %"),
        (figures.allowance, 209.3, "209 times"),
        (figures.allowance, 1e-5, "< 1 %"),
        (figures.allowance, 0, "0 %"),
        (figures.allowance, "inf", "inf"),
        (figures.allowance, "nan", "nan"),
        (figures.allowance, None, "–"),
        (figures.percent, 0.025, "2.5 %"),
        (figures.percent, 1.0, "100 %"),
        (figures.percent, 0, "0 %"),
        (figures.percent, 0.0996, "10 %"),
        (figures.percent, 0.0001, "0.01 %"),
        (figures.percent, 3e-9, "< 0.01 %"),
        (figures.percent, -3e-9, "> -0.01 %"),
        (figures.drift, 0.00996, "1.0e-02"),
        (figures.drift, 0.0123, "0.012"),
        (figures.drift, 430.2, "430"),
        (figures.drift, 1.2e5, "1.2e+05"),
        (figures.bits, 22.44, "22.4"),
        (figures.many, 5545.2, "5\u202f500"),
        (figures.many, 42.0, "42"),
        (figures.many, 3.4e6, "3.4e+06"),
        (figures.times, 1, "="),
        (figures.times, 0.5, "0.5 times"),
        (figures.times, 301.2, "301 times"),
        (figures.times, 1.4e6, "1.4e+06 times"),
        (figures.score, 0.8123456, "0.8123"),
        (figures.cell, None, "–"),
        (figures.shape, None, "–"),
    ],
)
def test_digits(write, value, text):
    assert write(value) == text


def test_just_beyond_the_allowance_never_reads_as_within():
    assert figures.allowance(1.004) == "1.00 times" and figures.allowance(1.0001).endswith("times")


def test_pair_shows_the_difference():
    assert figures.pair(0.48219, 0.48188) == ("0.48219", "0.48188")
    assert figures.pair(0.48218999, 0.48219003) == ("0.48218999", "0.48219003")
    assert figures.pair(0.482184123, 0.482176456) == ("0.482184", "0.482176")
    assert figures.pair("nan", 0.5) == ("nan", "0.5") and figures.pair(None, 0.5) == ("–", "0.5")


def test_place_names_axes():
    assert figures.place([1, 2, 3, 4], factory.AXES[4]) == "(b=1, c=2, f=3, t=4)"
    assert figures.place([0, 14, 7], factory.AXES[3]) == "(b=0, t=14, unit=7)"
    assert figures.place([5], factory.AXES[2]) == "(5)", "axes of another number"
    assert figures.place([5], None) == "(5)" and figures.place(None, []) == "–"


def test_the_cause_of_an_offender_in_a_sentence():
    layer = factory.failing()["models"][0]["layers"][3]
    assert (
        message.cause(layer, "isolated")
        == "Explained by: reset gate applied after the matrix product."
    )
    layer["cause"] = {**layer["cause"], "hypothesis": None}
    assert message.cause(layer, "isolated") == (
        "Computes another formula than the original; none of the formulas tried explains it."
    )
    layer["cause"] = None
    assert message.cause(layer, "isolated") == "Computes another formula than the original."
    late = factory.incomplete()["models"][0]["layers"][-1]
    assert message.cause(late, "isolated") == "The original has no layer extra."
