"""Every row of the fault table, once at its smallest layer: planted, it answers as a port does."""

from math import prod
from pathlib import Path

import numpy as np
import pytest

from parity.faults import table
from parity.faults.plant import planted
from parity.faults.table import ELSEWHERE
from parity.model import DEFAULT_MODELS, MODELS, Case, Weights
from parity.port.network import Network
from parity.port_api import answer
from parity.probes.networks import layers_of

LAYERS = {
    model: layers_of(Case(MODELS[model], Weights(Path()), (), "seeded")) for model in DEFAULT_MODELS
}


def input_shape(row):
    layer = LAYERS[row.model][row.layer]
    return LAYERS[row.model][layer.inbound[0]].shape


def smallest():
    """One row of each name, whatever the model: that with the smallest input."""
    rows = {}
    for row in sorted((*table.FAULTS, *table.HARMLESS), key=lambda row: -prod(input_shape(row))):
        if ELSEWHERE not in row.id:
            rows[row.id.split("-", 2)[2]] = row
    return rows.values()


@pytest.mark.parametrize("row", smallest(), ids=lambda row: row.id)
def test_a_planted_layer_answers(row):
    port = planted(Network(row.model), row)
    rng = np.random.default_rng(1)
    for name in (row.layer, *(set(getattr(port, "steps", {})) - {row.layer})):
        shape = LAYERS[row.model][LAYERS[row.model][name].inbound[0]].shape
        if prod(shape) > 1 << 18:
            continue
        for clips in (2, 8):
            found = answer(port, name, rng.standard_normal((clips, *shape)).astype(np.float32))
            assert found.fault is None and len(found.actual) == clips, (name, found.fault)
