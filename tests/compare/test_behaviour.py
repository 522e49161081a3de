"""Right layers with habits, and layers that only seem right: each is told by its own name, and none
puts the original under suspicion.
"""

import numpy as np
import pytest
from test_compare import recorded, verdicts

from parity import ports
from parity import proving as job
from parity.document import model_verdict
from parity.errors import CannotRun
from parity.port_api import unsteady
from parity.ports.callables import Callables

__all__ = ["recorded"]

CHANGES, OTHER = "changes the array that it is given", "gives another answer when it is asked"
# port: (layer, its isolated verdict, {habit: fault}, what its message says)
TOLD = {
    "in_place": ("output", "MISBEHAVES", {"changes-input": True}, CHANGES),
    "in_place_pool": ("pool1", "MISBEHAVES", {"changes-input": True}, CHANGES),
    "scratch": ("pool1", "EXACT", {"same-buffer": False}, None),
    "fortran": ("flatten_1", "EXACT", {"not-c-order": False}, None),
    "random": ("pool1", None, {"random": True}, f"{OTHER} the same again: it draws random numbers"),
    "state": (
        "output",
        None,
        {"keeps-state": True},
        f"{OTHER} the same again: it keeps state from",
    ),
    "late": ("output", None, {}, None),
    "float64": ("output", "INCOMPARABLE", {}, "float64"),
    "a_list": ("output", "NOT COMPARED", {}, "returned list, expected a NumPy array"),
    "masked": ("output", "NOT COMPARED", {}, "returned MaskedArray of float32"),
    "complexes": ("output", "NOT COMPARED", {}, "returned ndarray of complex64"),
    "none": ("output", "NOT COMPARED", {}, "returned NoneType"),
}


def compared(recorded, name):
    case, lanes, _ = recorded
    return job.compare_case(case, lanes, ports.load(f"tiny_ports:{name}", case))


@pytest.mark.parametrize("name", TOLD)
def test_a_habit_is_told_by_its_name_and_blamed_on_its_layer_alone(recorded, name):
    layer, word, habits, said = TOLD[name]
    found = compared(recorded, name)
    (record,) = [each for each in found.layers if each.name == layer]
    assert record.isolated.verdict == (word or record.isolated.verdict)
    assert {habit.habit: habit.fault for habit in record.habits} == habits
    assert "ORACLE-SUSPECT" not in {*verdicts(found).values(), *verdicts(found, "chained").values()}
    harmless = word == "EXACT"
    assert model_verdict(found) == (
        "HOLDS" if harmless else "INCOMPLETE" if word == "NOT COMPARED" else "DRIFTS"
    )
    assert found.first_divergence == (None if harmless else layer)
    assert (said or "") in (record.isolated.message or "")


def test_draws_that_are_equal_at_first_are_no_state():
    def port(number):
        draws = iter([0, 0, number, number])
        return Callables({"a": lambda x: np.full(2, next(draws, 0))})

    for numbers, habit in (((1, 2), "random"), ((1, 1), "keeps-state")):
        asked = port(0)
        asked.anew = map(port, numbers).__next__
        assert unsteady(asked, "a", np.zeros(2)) == habit


def test_no_formula_is_blamed_for_what_is_another_answer_each_time(recorded):
    for name in ("random", "state"):
        cause = next(each.cause for each in compared(recorded, name).layers if each.habits)
        assert cause.hypothesis.startswith(OTHER) and not cause.survivors


@pytest.mark.parametrize("name", ["right", "prints", "one_batch_only"])
def test_a_port_without_habits_holds(recorded, name):
    found = compared(recorded, name)
    assert model_verdict(found) == "HOLDS" and not any(layer.habits for layer in found.layers)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("narrow", r"^the port's output gives \(2, 4\), where Keras says \(2, 5\); "),
        ("no_clips", r"^the port's flatten_1 gives \(12,\), where Keras says \(2, 12\); "),
        ("leaves", "the port raised SystemExit: 0 while its output was asked"),
    ],
)
def test_a_bad_shape_or_end_stops_the_run_before_anything_is_compared(
    recorded, name, said, monkeypatch
):
    monkeypatch.setattr(job, "compare_layer", lambda *_: pytest.fail("a layer was compared"))
    with pytest.raises(CannotRun, match=said):
        compared(recorded, name)
