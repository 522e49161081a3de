"""One fault on trial, on the end of CRNN: caught, located, named, or shown to be invisible."""

from contextlib import nullcontext
from types import SimpleNamespace

import pytest
import small_original
from small_original import recorded

from parity.errors import CannotRun
from parity.faults import arrays, formulas, table, trial
from parity.faults.behaviours import ScalesWithLogits
from parity.faults.plant import attribute, formula, left_alone, own_weights, planted, weight
from parity.faults.table import Fault


@pytest.fixture(scope="module")
def sound():
    """The sound port on the small original."""
    return small_original.sound()


def made(layer, plant, cause="a cause"):
    return Fault(f"CRNN-{layer}-made-up", plant, cause)


def test_the_sound_port_holds_at_every_layer(sound):
    assert list(sound.verdicts) == ["gru1", "gru2", "final_drop", "preds"]
    assert set(sound.verdicts.values()) <= {"EXACT", "ROUNDING"}


@pytest.mark.parametrize(
    "fault",
    [
        fault
        for fault in table.FAULTS
        if fault.layer in ("gru1", "gru2") and fault.kind not in trial.PROBES_ONLY
    ],
    ids=lambda fault: fault.id,
)
def test_a_fault_of_the_recurrence_is_caught_and_located(fault, sound):
    record = trial.tried(fault, sound)
    assert (record.caught, record.located_layer, record.undecidable) == (
        True,
        fault.layer,
        False,
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        fault
        for fault in table.FAULTS
        if fault.model == "CRNN"
        and fault.layer in ("gru1", "gru2", "preds")
        and fault.kind in trial.PROBES_ONLY
    ],
    ids=lambda fault: fault.id,
)
def test_a_small_fault_or_a_habit_is_found_where_it_is_or_shown_to_be_hidden(fault, sound):
    record = trial.tried(fault, sound)
    assert record.undecidable or (record.caught, record.located_layer) == (True, fault.layer)
    assert record.undecidable <= (fault.layer in ("gru1", "gru2")), "dense layers hide nothing"


@pytest.mark.parametrize(
    "name", ["CRNN-gru1-reset-after", "CRNN-gru2-z-and-r-swapped", "CRNN-gru1-last-for-sequences"]
)
def test_a_fault_of_the_recurrence_is_named(name, sound):
    fault = next(fault for fault in table.FAULTS if fault.id == name)
    record = trial.tried(fault, sound)
    assert record.named, record.cause


@pytest.mark.parametrize(
    "reordering",
    [one for one in table.HARMLESS if one.layer in ("gru1", "gru2", "preds")],
    ids=lambda one: one.id,
)
def test_a_reordering_is_left_alone(reordering, sound):
    record = trial.heard(reordering, sound)
    assert (record.quiet, record.located_layer, record.changed_layers) == (
        True,
        None,
        [] if "same-buffer" in reordering.id else [reordering.layer],
    )


def test_a_fault_is_found_where_it_is_and_not_where_it_was_said_to_be(sound):
    fault = made("gru1", lambda tagger, layer: own_weights(arrays.filled(0))(tagger, "gru2"))
    record = trial.tried(fault, sound)
    assert (record.caught, record.located_layer, record.located) == (True, "gru2", False)


def test_a_fault_that_no_output_shows_is_undecidable_with_its_distance(sound):
    fault = made("gru2", weight("U_h", arrays.one_element((0, 0), 1 + 2**-23)))
    record = trial.tried(fault, sound)
    assert (record.caught, record.undecidable) == (False, True)
    assert 0 < record.observability < 1


@pytest.mark.parametrize("by", [0.5, 1e-5])
def test_a_fault_the_harness_misses_is_not_called_undecidable(by, sound, monkeypatch):
    monkeypatch.setattr(trial.verdict, "holds", lambda word: True)
    monkeypatch.setattr(trial, "_probe", lambda found, mutant, there: None)
    record = trial.tried(made("preds", weight("b", arrays.shifted(by))), sound)
    assert (record.caught, record.undecidable) == (False, False)
    assert record.observability > 1


def test_a_port_that_raises_is_caught_there_and_named_only_after_what_it_says(sound):
    def broken(link, x):
        raise ValueError("no such kernel")

    record = trial.tried(made("gru2", formula(broken)()), sound)
    assert (record.verdict, record.located_layer, record.message) == (
        "NOT COMPARED",
        "gru2",
        "the port's gru2 raised ValueError: no such kernel",
    )
    assert record.cause == trial.Named(None, [], None)
    record = trial.tried(made("preds", formula(lambda link, x: x @ link.W.array)()), sound)
    assert (record.verdict, record.cause.hypothesis) == (
        "NOT COMPARED",
        "matrix transposed",
    )


def test_another_shape_is_caught_and_said(sound):
    record = trial.tried(made("gru1", attribute(return_sequences=False)), sound)
    assert (record.verdict, record.located_layer) == ("INCOMPARABLE", "gru1")
    assert "shape (2, 32) instead of (2, 15, 32)" in record.message


def test_a_port_that_does_not_hold_is_refused():
    broken = planted(recorded().tagger(), made("gru2", formulas.gru(keep="1-z")))
    with pytest.raises(
        CannotRun,
        match=r"CRNN gru2: the port is GROSS with no fault planted .* run `parity run` first",
    ):
        trial.prove(recorded(), broken)


def test_a_trace_without_the_layer_a_fault_needs_is_refused(sound):
    with pytest.raises(
        CannotRun,
        match=r"trace\.h5: the trace has no layer conv1, which the fault CRNN-conv1-made-up needs",
    ):
        trial.tried(made("conv1", attribute()), sound)


def test_a_trace_without_a_middle_layer_is_refused(monkeypatch):
    trace = SimpleNamespace(layers={"input_1": None, "conv1": None, "bn1": None})
    case = SimpleNamespace(model=SimpleNamespace(name="CNN", layers=("conv1", "bn1", "elu_1")))
    monkeypatch.setattr(trial, "open_trace", lambda path: nullcontext(trace))
    with pytest.raises(CannotRun, match=r"trace\.h5: the trace of CNN has no layer elu_1"):
        trial.read_original(case, "trace.h5")


@pytest.mark.parametrize(
    ("expected", "hypothesis", "survivors", "named"),
    [
        ("bias left out", "bias left out", [], True),
        ("bias left out", "bias left out and backwards in time", [], False),
        ("bias left out", "another", ["bias left out"], True),
        ("gain of *", "gain of 3 channels", [], False),
        ("bias left out", None, [], False),
    ],
)
def test_a_fault_is_named_by_its_cause_or_among_the_survivors(
    expected, hypothesis, survivors, named
):
    assert trial.named(expected, trial.Named(hypothesis, survivors, None)) is named
    assert not trial.named(expected, None)


def test_what_a_plant_leaves_alone_is_known_by_its_state(sound):
    def touched(fault):
        port = planted(sound.original.tagger(), fault)
        return set(port.layers) - left_alone(port, sound.port)

    assert touched(made("gru1", weight("U_h", arrays.scaled(1.01)))) == {"gru1"}
    assert touched(made("gru2", formulas.gru(kept=float))) == {"gru2"}
    assert touched(made("gru1", attribute(return_sequences=False))) == {"gru1"}
    assert touched(made("gru1", lambda tagger, layer: ScalesWithLogits(tagger))) == set(
        sound.port.layers
    )
