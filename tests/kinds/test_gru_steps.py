"""The GRU step by step: a fault at one step shows there, forced, and from there on, free."""

import numpy as np
import pytest

from parity.errors import CannotRun
from parity.kinds import layer_case
from parity.kinds.recurrent import unrolled as gru
from tests.kinds.recorded_layers import F, FloatGRU, Inside, gru_params, layer

STEPS = 8


@pytest.fixture
def setting():
    rng = np.random.default_rng(3)
    params = gru_params(rng)
    x = rng.standard_normal((2, STEPS, 7)).astype(F)
    return params, x, FloatGRU(params)


def look(params, x, original, port, sequences=True, unrolled=True):
    case = layer_case(layer("GRU", return_sequences=sequences), params, x, "1.1.0")
    expected, step = (
        (original.sequence(x), port.sequence) if sequences else (original.last(x), port.last)
    )
    shown = Inside({"it": step}, {"it": port.unrolled} if unrolled else {})
    return gru.examine(case, expected, step(x), shown)


def beyond(rows):
    return [row.step for row in rows if row.rho_port > 1]


def test_clean_steps_are_within_what_rounding_allows(setting):
    params, x, clean = setting
    found = look(params, x, clean, clean)
    assert beyond(found.free) == beyond(found.forced) == []
    assert all(row.rho_original <= 1 for row in found.free + found.forced)
    assert all(0 < gap < 1e-6 for row in found.forced for gap in row.gates.values())
    assert found.sources["states_original"] == gru.RECORDED


def test_a_fault_at_one_step_shows_there_alone_when_the_state_is_forced(setting):
    params, x, clean = setting
    found = look(params, x, clean, FloatGRU(params, disturb={4: 1e-4}))
    assert beyond(found.forced) == [4]
    assert beyond(found.free) == [4, 5, 6, 7, 8]
    assert found.forced[3].state.max_abs == pytest.approx(1e-4, rel=0.01)
    assert found.free[0].state.max_abs == 0


def test_a_wrong_gate_is_told_from_the_others(setting):
    params, x, clean = setting
    found = look(params, x, clean, FloatGRU(params, gate_r=lambda a: F(1) / (F(1) + np.exp(-a))))
    for row in found.forced:
        assert row.gates["r"] > 1e-3 and row.gates["z"] < 1e-6
    assert beyond(found.free)[0] == 2, (
        "the first state is 0, so the reset gate has nothing to reset"
    )


def test_where_only_the_last_state_is_recorded_the_oracle_stands_in_and_it_is_said(setting):
    params, x, clean = setting
    found = look(params, x, clean, clean, sequences=False)
    assert found.sources["states_original"] == gru.LAST_ONLY
    assert [row.rho_original is None for row in found.free] == [True] * (STEPS - 1) + [False]
    assert beyond(found.free) == []


def test_a_port_that_shows_no_gates_is_followed_by_its_outputs(setting):
    params, x, clean = setting
    faulty = FloatGRU(params, disturb={4: 1e-4})
    for sequences in (True, False):
        found = look(params, x, clean, faulty, sequences, unrolled=False)
        assert beyond(found.free) == [4, 5, 6, 7, 8] and found.forced is None
        assert found.free[0].gates is None


@pytest.mark.parametrize(("bias", "shut", "opened"), [(100, 0, 1), (-100, 1, 0), (0, 0, 0)])
def test_saturation_counts_the_gates_that_are_shut_or_open(setting, bias, shut, opened):
    params, x, _ = setting
    params = params | {
        "W_z": params["W_z"] * 0,
        "U_z": params["U_z"] * 0,
        "b_z": np.full(5, bias, F),
    }
    clean = FloatGRU(params)
    found = look(params, x, clean, clean).saturation["z"]
    assert (found.shut, found.open) == (shut, opened)
    assert found.open_by_step == [opened] * STEPS


@pytest.mark.parametrize(
    ("said", "masks", "config"),
    [
        ("runs backwards", (), {"go_backwards": True}),
        ("reads a mask", (np.ones((2, STEPS), bool),), {}),
        ("has other activations", (), {"inner_activation": "sigmoid"}),
    ],
)
def test_what_is_not_looked_into_is_said(setting, said, masks, config):
    params, x, clean = setting
    case = layer_case(layer("GRU", **config), params, x, "1.1.0", masks)
    with pytest.raises(CannotRun, match=f"layer it: a GRU that {said} is not looked into"):
        gru.compare(case, clean.last(x), clean.unrolled(x))


def test_another_shape_is_refused(setting):
    params, x, clean = setting
    case = layer_case(layer("GRU", return_sequences=True), params, x, "1.1.0")
    with pytest.raises(CannotRun, match=r"\(2, 8, 4\) instead of \(2, 8, 5\)"):
        gru.compare(case, clean.sequence(x), {"state": clean.sequence(x)[..., :4]})
