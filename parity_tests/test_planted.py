"""Break the port and the suite says so: three faults of real ports, each found at the right layer,
no other layer blamed.
"""

import chainer
import chainer.links as L
import numpy as np
import pytest

from parity import known
from parity.compare.verdict import holds
from parity.model import case_for
from parity.port.proof import ChainerPort, in_test_phase
from parity.port.weights import load
from parity.ports.callables import Replaced
from parity.proving import compare_case
from parity.recording import stacks
from parity.recording.clips import read_clips

pytestmark = pytest.mark.slow


def _unflipped(case, chain, layer):
    """The kernel as the file stores it: Chainer correlates where Theano convolves."""
    kernel = chain[layer].W
    kernel.array = np.ascontiguousarray(kernel.array[:, :, ::-1, ::-1])


def _std_for_variance(case, chain, layer):
    """The stored standard deviation taken for a variance, as every Keras from 1.0.7 on would."""
    chain[layer].running_std = np.sqrt(chain[layer].running_std)


def _stock_gru(case, chain, layer):
    """Chainer's own GRU with the same matrices: a true sigmoid, and z and 1 - z the other way
    round.
    """
    keras, size = chain[layer], chain[layer].out_size
    stock = L.StatefulGRU(keras.W.shape[1], size)
    for name, rows in (
        ("z", slice(0, size)),
        ("r", slice(size, 2 * size)),
        ("", slice(2 * size, None)),
    ):
        suffix = f"_{name}" if name else ""
        getattr(stock, f"W{suffix}").W.array, getattr(stock, f"W{suffix}").b.array = (
            keras.W.array[rows],
            keras.b.array[rows],
        )
        getattr(stock, f"U{suffix}").W.array = keras.U.array[rows]

    def forward(x):
        stock.reset_state()
        return chainer.functions.stack(
            [stock(step) for step in chainer.functions.separate(x, axis=1)], axis=1
        )

    return {layer: in_test_phase(forward)}


FAULTS = [
    ("CNN0", "conv3", _unflipped, "kernels not flipped"),
    (
        "CNN",
        "bn2",
        _std_for_variance,
        "standard deviation taken for a variance (Keras 1.0.7), eps 1e-06",
    ),
    ("CRNN", "gru1", _stock_gru, "Chainer's own GRU (true sigmoid, z and 1 - z swapped)"),
]


@pytest.mark.parametrize(
    ("model", "layer", "plant", "cause"), FAULTS, ids=[f"{fault[0]}-{fault[1]}" for fault in FAULTS]
)
def test_a_planted_fault_is_found_where_it_is(model, layer, plant, cause):
    case = case_for(model)
    lanes = known.traces({case: read_clips(case.clips).batch})[case]
    chain = load(model, case.weights, stacks.STACKS[case.model.stack].keras)
    replaced = plant(case, chain, layer) or {}
    found = compare_case(case, lanes, Replaced(ChainerPort(chain), replaced))
    alone = {record.name: record.isolated.verdict for record in found.layers}
    together = {record.name: record.chained.verdict for record in found.layers}
    after = list(alone)[list(alone).index(layer) + 1 :]
    assert found.first_divergence == layer
    blamed = next(record.cause for record in found.layers if record.name == layer)
    assert cause in [survivor.name for survivor in blamed.survivors]
    shares = {record.name: record.chained.share or 0.0 for record in found.layers}
    assert max(shares, key=shares.get) == layer and shares[layer] > 0.95, (
        "the planted layer made the final drift"
    )
    assert not holds(alone[layer]) and not holds(together[layer])
    assert [name for name in alone if not holds(alone[name])] == [layer], (
        "a layer whose input agrees is not blamed"
    )
    assert {together[name] for name in after} <= {"INHERITED"}
    assert not found.final.holds
