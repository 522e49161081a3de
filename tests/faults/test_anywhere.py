"""Any model's port, broken by every formula that is known for a layer."""

import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.errors import CannotRun
from parity.faults import anywhere
from parity.kinds import Formula
from parity.ports.callables import Callables
from parity.stand_in import formulas, stand_in

ROWS = (
    ("sum", "Dense", {"activation": "tanh", "bias": True, "output_dim": 3}),
    ("out", "Activation", {"activation": "softmax"}),
)
RNG = np.random.default_rng(4)
PARAMS = {
    "sum": {
        "W": RNG.normal(0, 0.5, (5, 3)).astype(np.float32),
        "b": RNG.normal(0, 0.5, 3).astype(np.float32),
    }
}
X = RNG.normal(0, 1, (4, 5)).astype(np.float32)


def tried(port=None, layers=None, ids=()):
    case, lanes = stand_in(ROWS, PARAMS, X, keras="1.1.0", tags="abc")
    port = port or Callables(formulas(ROWS, PARAMS, "1.1.0"))
    return dict(anywhere.trials(case, lanes["reference"], port, layers, ids))


def test_every_known_fault_of_every_layer_is_caught_and_most_are_named():
    found = [each for each in tried().values() if each]
    assert {each.layer for each in found} == {"sum", "out"}
    decidable = [each for each in found if not each.undecidable]
    assert [each.id for each in decidable if not (each.caught and each.located)] == []
    assert sum(each.named for each in decidable) >= 0.95 * len(decidable) > 20
    (bias,) = (each for each in found if each.expected_cause == "bias left out")
    assert (bias.id, bias.model) == ("stand-in-sum: bias left out", "stand-in")
    assert bias.cause.hypothesis == "bias left out" and bias.ways == ["isolated", "probed"]


def test_one_is_asked_for_by_its_id_or_its_layer():
    only = tried(ids=["stand-in-sum: bias left out"])
    assert [name for name, each in only.items() if each] == ["stand-in-sum: bias left out"]
    assert all(name.startswith("stand-in-out: ") for name in tried(layers=["out"]))


def test_a_formula_that_changes_nothing_is_no_fault(monkeypatch):
    bias = {"W": PARAMS["sum"]["W"], "b": np.zeros(3, np.float32)}
    monkeypatch.setitem(PARAMS, "sum", bias)
    assert tried(ids=["stand-in-sum: bias left out"])["stand-in-sum: bias left out"] is None
    monkeypatch.setitem(PARAMS, "sum", {**bias, "b": np.full(3, 1e-9, np.float32)})
    found = tried(ids=["stand-in-sum: bias left out"])["stand-in-sum: bias left out"]
    assert found.ways == ["probed"] and found.verdict == "ROUNDING"  # no clip shows so little


def test_a_formula_below_rounding_is_undecidable(monkeypatch):
    def nearly(case):
        return case.but(params={"b": case.parameter("b") * (1 + 2.0**-23)})

    planted = {"one ulp of the bias": Formula("one ulp of the bias", nearly)}
    monkeypatch.setattr(anywhere, "registered", lambda case: planted)
    found = tried(layers=["sum"])["stand-in-sum: one ulp of the bias"]
    assert not found.caught and found.undecidable and 0 < found.observability < 1
    assert "rounding may hide it" in found.why


def test_a_port_that_does_not_hold_is_refused():
    wrong = {**PARAMS["sum"], "b": PARAMS["sum"]["b"] * 2}
    port = Callables(formulas(ROWS, {"sum": wrong}, "1.1.0"))
    with pytest.raises(CannotRun, match=r"sum: the port is .* with no fault planted"):
        tried(port)
    silent = Callables({"out": formulas(ROWS, PARAMS, "1.1.0")["out"]})
    with pytest.raises(CannotRun, match="NOT COMPARED"):
        tried(silent)


def test_the_command_has_no_list_for_a_project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "parity.toml").write_text('[models.net]\noriginal = "none.json"\n')
    listed = CliRunner().invoke(main, ["faults", "--list"])
    assert listed.exit_code == 2 and "parity hypotheses" in listed.output
    lacking = CliRunner().invoke(main, ["faults"])
    assert lacking.exit_code == 2 and "none.json: no such file" in lacking.output
