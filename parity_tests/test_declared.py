"""The declared layers, which are written by hand, beside the port's, without running either."""

import pytest

from parity.model import MODELS
from parity.port import architectures


@pytest.mark.parametrize("model", MODELS)
def test_the_port_has_every_declared_layer_in_that_order(model):
    assert MODELS[model].layers == tuple(row[0] for row in architectures.MODELS[model].layers)
