"""Who a broken port's drift at the end is blamed on: as the whole run finds it, and where nobody
can be blamed.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from small_original import AsTrace, recorded, sound

from parity.attribution.explain import Explanation
from parity.attribution.propagate import Carrier
from parity.compare.walk import MODES, walk
from parity.errors import CannotRun
from parity.faults import arrays, drift, formulas, table, trial
from parity.faults.plant import attribute, every_weight, formula, own_weights, planted, weight
from parity.faults.table import Fault
from parity.port.proof import ChainerPort

GRUS = ("gru1", "gru2")
SINGLE = [
    fault
    for fault in table.FAULTS
    if fault.model == "CRNN"
    and fault.layer in (*GRUS, "final_drop", "preds")
    and fault.kind not in trial.PROBES_ONLY
]
ENDING = [fault for fault in SINGLE if "last" not in fault.id]


@pytest.fixture
def there():
    """An original that rounds otherwise than the port."""
    return recorded(otherwise=True)


def made(layer, plant):
    return Fault(f"CRNN-{layer}-made-up", plant, "a cause")


def tried(fault):
    return trial.tried(fault, sound(otherwise=True))


def walked(port, known=None):
    end = sound(otherwise=True).end
    chain = drift.Chain(port, end.last)
    for step in walk(end.original, port, MODES, known or sound(otherwise=True).known):
        chain.follow(step)
    return end, chain


def of_the_whole_run(there, port):
    """The Findings of a parity run."""
    trace = AsTrace(there)
    explanation = Explanation(trace, there.params, there.keras, port)
    for step in walk(trace, port):
        explanation.follow(step, explanation.carrier(step).run())
    return explanation.findings()


@pytest.mark.parametrize("fault", ENDING, ids=lambda fault: fault.id)
def test_a_single_broken_layer_has_the_largest_share_and_the_whole_run_says_the_same(fault, there):
    found = tried(fault).attribution
    whole = of_the_whole_run(there, planted(there.tagger(), fault))
    assert found.blamed_layer == fault.layer and found.above_rounding > 10
    assert found.space == whole.attribution.space
    assert found.drift == pytest.approx(whole.attribution.drift, rel=1e-9)
    assert found.share == pytest.approx(whole.layers[fault.layer].share, abs=1e-4)
    assert found.energy == pytest.approx(whole.layers[fault.layer].energy, abs=1e-4)


def test_the_sound_port_is_divided_as_the_whole_run_divides_it(there):
    port = ChainerPort(there.tagger())
    whole = of_the_whole_run(there, port)
    end, chain = walked(port)
    found = end.divide(chain)
    assert found.changed is None
    assert found.drift == found.sound_drift == pytest.approx(whole.attribution.drift, rel=1e-9)
    for name, part in whole.layers.items():
        assert found.layers[name].share == pytest.approx(part.share, abs=1e-3), name


def test_the_layer_that_is_broken_is_blamed_and_not_the_one_that_was_said_to_be():
    record = tried(
        made("gru1", lambda tagger, layer: own_weights(arrays.filled(0))(tagger, "gru2"))
    )
    assert (record.attribution.blamed_layer, record.attributed, record.apart) == (
        "gru2",
        False,
        None,
    )


def test_a_fault_below_rounding_at_the_end_stands_apart_with_its_ratio():
    record = tried(made("gru1", weight("U_h", arrays.one_element((0, 0), 1 + 2**-23))))
    assert (record.apart, record.attributed) == (trial.BELOW, None)
    assert 0 <= record.attribution.above_rounding <= 1


def test_a_fault_that_changes_nothing_adds_exactly_nothing():
    share = tried(made("gru2", attribute())).attribution
    assert share.above_rounding == 0 and share.drift == share.sound_drift


def test_a_fault_in_several_layers_is_nobodys():
    record = tried(made("gru1", every_weight(arrays.half)))
    assert (record.apart, record.attributed) == (trial.SEVERAL, None)
    assert record.changed_layers == ["gru1", "gru2", "preds"]


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (made("gru1", attribute(return_sequences=False)), "the port's gru2 raised "),
        (
            made("gru2", formula(lambda link, x: np.full((2, 32), np.nan, np.float32))()),
            "gru2: NaN or infinite values",
        ),
        (made("preds", formula(lambda link, x: x)()), "preds: shape (2, 32) instead of (2, 10)"),
    ],
)
def test_a_chain_that_does_not_reach_the_end_stands_apart_and_says_where(fault, said):
    record = tried(fault)
    assert (record.apart, record.attributed, record.attribution.share) == (
        trial.NO_END,
        None,
        None,
    )
    assert record.attribution.message.startswith(said)


def test_what_does_not_reach_the_end_is_not_followed_there(there, monkeypatch):
    mutant = planted(there.tagger(), made("gru2", attribute(return_sequences=True)))
    end, chain = walked(mutant)
    monkeypatch.setattr(drift, "_carried", lambda *_: pytest.fail("followed for nothing"))
    with pytest.raises(drift.Broken, match=r"^the port.s preds raised"):
        end.divide(chain)
    assert not chain.starts


def test_without_the_ports_logits_the_scores_are_divided():
    record = tried(made("preds", formulas.without_bias()))
    assert (record.attribution.space, record.attributed) == ("scores", True)


def pooled(given, expected):
    layer = SimpleNamespace(
        name="pool", kind="MaxPooling2D", config={"pool_size": [2, 3], "strides": None}
    )
    return Carrier(layer, {}, "1.1.0", given, expected).errors()


def test_an_output_of_another_shape_is_followed_for_itself_until_it_fits_again():
    x = np.random.default_rng(0).standard_normal((1, 1, 4, 5)).astype(np.float32)
    carrier = pooled(
        x, np.stack([x[0, 0, :2, :3].max(), x[0, 0, 2:, :3].max()]).reshape(1, 1, 2, 1)
    )
    start = drift._deviation(x[..., :4] + 1, x)
    assert start.shape == (1, 1, 4, 4) and start.dtype == np.float64
    np.testing.assert_allclose(drift._carried(carrier, start), np.ones((1, 1, 2, 1)), rtol=1e-6)
    assert drift._carried(carrier, np.zeros((1, 1, 6, 5))).shape == (1, 1, 3, 1), "not yet"


def test_an_output_the_oracle_cannot_take_breaks_the_chain(monkeypatch):
    def refuse(*_):
        raise CannotRun("layer pool: too small")

    monkeypatch.setattr("parity.kinds.LayerCase.value", refuse)
    x = np.zeros((1, 1, 4, 5), np.float32)
    with pytest.raises(drift.Broken, match="layer pool: too small"):
        drift._carried(pooled(x, np.zeros((1, 1, 2, 1), np.float32)), np.zeros((1, 1, 1, 1)))


def test_the_published_port_is_found_at_every_layer_it_is_in():
    def several(tagger, layer):
        wrong = [formulas.gru(gate=formulas.true_sigmoid)(tagger, name) for name in GRUS]
        return {**wrong[0], **wrong[1], "final_drop": tagger["final_drop"]}

    record = trial.measured(made("gru1", several), sound(otherwise=True))
    assert [(layer.layer, layer.cause.hypothesis) for layer in record.layers] == [
        ("gru1", "true sigmoid gates"),
        ("gru2", "true sigmoid gates"),
    ]
    assert record.holds == ["final_drop"] and record.message is None
    assert record.final > 100 * record.sound_final
    assert sum(layer.share for layer in record.layers) == pytest.approx(1, abs=1e-3)
