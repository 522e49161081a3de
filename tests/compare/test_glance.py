"""What every run looks at beside its measures: GRU states and kernels, by a port's steps alone."""

import numpy as np

from parity.compare.glance import glances
from parity.ports.callables import Callables
from tests.kinds.recorded_layers import F, FloatGRU, Recorded, gru_params, layer


def test_the_glance_needs_only_a_ports_gru_steps():
    rng = np.random.default_rng(1)
    params, x = (
        {"gru1": gru_params(rng), "conv1": {"W": np.ones((2, 1, 3, 3), F)}},
        rng.standard_normal((2, 5, 7)).astype(F),
    )
    clean = FloatGRU(params["gru1"])
    reference = Recorded(
        {
            "input_1": (layer("InputLayer", "input_1"), x),
            "conv1": (layer("Convolution2D", "conv1", ["input_1"]), x),
            "gru1": (layer("GRU", "gru1", ["conv1"], return_sequences=True), clean.sequence(x)),
        }
    )
    found = glances(
        reference,
        params,
        "1.1.0",
        Callables({"gru1": FloatGRU(params["gru1"], disturb={3: 1e-4}).sequence}),
    )
    assert [row.step for row in found.gru["gru1"].free if row.rho_port > 1] == [3, 4, 5]
    assert found.convolution["conv1"].whole == 0
    assert found.messages == {
        "conv1": "conv1: a flip could not be seen here, as its kernels are symmetric"
    }
    params["conv1"]["W"][0, 0, 0, 0] = 2
    assert glances(reference, params, "1.1.0", Callables({})).messages == {}
    assert glances(reference, params, "1.1.0", Callables({})).gru == {}


def test_a_port_that_breaks_does_not_break_the_glance():
    rng = np.random.default_rng(1)
    params, x = {"gru1": gru_params(rng)}, rng.standard_normal((2, 5, 7)).astype(F)
    sequence = FloatGRU(params["gru1"]).sequence
    reference = Recorded(
        {
            "input_1": (layer("InputLayer", "input_1"), x),
            "gru1": (layer("GRU", "gru1", ["input_1"], return_sequences=True), sequence(x)),
        }
    )

    def broken(x):
        raise RuntimeError("no such gate")

    for step, why in (
        (broken, "the port's gru1 raised RuntimeError: no such gate"),
        (lambda x: sequence(x)[:, 1:], "instead of"),
    ):
        found = glances(reference, params, "1.1.0", Callables({"gru1": step}))
        assert why in found.gru["gru1"].message
