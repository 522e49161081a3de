"""The table of faults: enough of them, on layers there are, and none that leaves the port changed
for the next.
"""

import copy

import numpy as np
import pytest

from parity.faults import table, trial
from parity.faults.plant import attribute, planted, widened
from parity.model import DEFAULT_MODELS, MODELS
from parity.port.links.batch_normalization import DIALECTS
from parity.port.network import Network
from parity.port.weights import keras_arrays

ALL = (*table.FAULTS, *table.HARMLESS)


def test_there_are_enough_faults_and_reorderings_and_no_two_share_a_name():
    assert len(table.FAULTS) >= 60
    assert len(table.HARMLESS) >= 6
    assert len({fault.id for fault in ALL}) == len(ALL)


def test_every_fault_is_at_a_declared_layer_of_a_default_model():
    assert {fault.model for fault in ALL} == set(DEFAULT_MODELS)
    assert [fault.id for fault in ALL if fault.layer not in MODELS[fault.model].layers] == []


@pytest.mark.parametrize("model", DEFAULT_MODELS)
def test_every_model_has_every_kind_and_early_middle_and_last_layers(model):
    faults = [fault for fault in table.FAULTS if fault.model == model]
    layers = MODELS[model].layers
    thirds = {3 * layers.index(fault.layer) // len(layers) for fault in faults}
    assert {fault.kind for fault in faults} == set(table.BY_KIND)
    assert thirds == {0, 1, 2}
    assert any(fault.layer == layers[-1] for fault in faults)


def test_every_fault_says_what_it_has_to_be_called():
    for_clips = [fault for fault in table.FAULTS if fault.kind not in trial.PROBES_ONLY]
    assert [fault.id for fault in for_clips if not fault.cause or "*" in fault.cause] == []


@pytest.mark.parametrize("model", DEFAULT_MODELS)
def test_planting_leaves_the_next_port_as_it_was(model):
    def settings():
        tagger = Network(model)
        return {
            name: {
                key: str(value)
                for key, value in vars(tagger[name]).items()
                if key in ("eps", "axis", "mode", "arguments", "dialect", "return_sequences")
            }
            for name in tagger.layer_names
        }

    dialects, before = copy.copy(DIALECTS), settings()
    for fault in ALL:
        if fault.model == model:
            assert planted(Network(model), fault).layers == MODELS[model].layers, fault.id
    assert settings() == before
    assert dialects == DIALECTS


def test_a_setting_that_the_port_does_not_have_cannot_be_planted():
    with pytest.raises(AttributeError, match="bn1 has no setting epsilon"):
        attribute(epsilon=1.0)(Network("CNN"), "bn1")


def test_a_widened_port_has_the_same_parameters_in_float64():
    tagger = Network("CNN")
    narrow = {name: array.copy() for name, array in keras_arrays(tagger).items()}
    wide = keras_arrays(widened(tagger))
    assert {array.dtype for array in wide.values()} == {np.dtype(np.float64)}
    assert all(np.array_equal(wide[name], narrow[name]) for name in narrow)
