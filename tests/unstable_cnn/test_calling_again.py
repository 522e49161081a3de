"""Question 4 on networks that calling changes, that remember, and that do neither; and on stock
Chainer's real link.
"""

import numpy as np
import pytest
from small_networks import Forgetful, Remembering, SmallNetwork, ask, subject, tell, two_clips

from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.port import stock
from parity.studies.unstable_cnn import calling, ports
from parity.studies.unstable_cnn.calling import Observed
from parity.studies.unstable_cnn.findings import PROVED, REFUTED, Effect


@pytest.fixture
def asked(play, monkeypatch):
    """asked(original, port=original): the findings, with the port's small network where stock
    links would be.
    """

    def answer(original, port=None):
        play(original, port)
        monkeypatch.setattr(
            calling,
            "_stock",
            lambda subject, batches, threads: {("stock", "CNN0"): (port or original)(batches)},
        )
        return ask("calling")

    return answer


def test_a_network_that_stays_as_it_is(asked):
    found = asked(SmallNetwork(0))
    assert {name: finding.verdict for name, finding in found.items()} == dict.fromkeys(
        found, REFUTED
    )
    assert (
        "no parameter" in found["calling-state"].claim and found["calling-state"].effect.value == 0
    )


def test_a_port_that_writes_into_its_parameters(asked):
    found = asked(SmallNetwork(0), Forgetful(0))["calling-state"]
    assert found.verdict == PROVED and "changes port CNN0" in found.claim
    assert found.effect == Effect("models that a call changed", 1, "of 2")


def test_an_original_that_carries_something_over(asked):
    found = asked(Remembering(0), SmallNetwork(0))["calling-state"]
    assert found.verdict == PROVED and "changes original CNN0" in found.claim
    (table,) = found.evidence
    assert [row[2:5] for row in table.rows] == [[False, False, False], [False, False, True]]


def test_answers_that_depend_on_order(asked):
    assert asked(Remembering(0))["calling-threads"].verdict == PROVED


def test_answers_that_depend_on_the_number_of_threads(asked, monkeypatch):
    honest = calling._ports

    def disturbed(subject, batches, threads):
        found = honest(subject, batches, threads)
        logits = found["port", "CNN0"]["first"].outputs["output:logits"]
        logits += np.float32(threads - 1)
        return found

    monkeypatch.setattr(calling, "_ports", disturbed)
    found = asked(SmallNetwork(0))
    assert (found["calling-threads"].verdict, found["calling-state"].verdict) == (PROVED, REFUTED)


def test_stock_links_that_are_written_into(asked):
    assert asked(SmallNetwork(0), Forgetful(0))["calling-stock"].verdict == PROVED


def test_chainers_own_link_in_its_train_phase_is_written_into_and_in_its_test_phase_not(tmp_path):
    steps = stock.replacements("CNN0", seeded.weights("CNN0", tmp_path))
    given = np.random.default_rng(0).standard_normal((2, 256, 4, 4)).astype(np.float32)
    changed = {}
    for drift in ("published BatchNormalization", "Chainer's BatchNormalization"):
        step = steps[drift]["bn5"]
        before = ports.parameters_sha256(step.link)
        step(given)
        changed[drift] = ports.parameters_sha256(step.link) != before
    assert changed == {"published BatchNormalization": True, "Chainer's BatchNormalization": False}


def test_what_the_originals_generators_do_is_told_apart():
    drawn = Observed("CNN0", "original", False, True, True, 0.0)
    found = tell("calling", calling.state("state", [drawn]))
    assert found.verdict == REFUTED and "generators (CNN0) move on" in found.claim


def test_one_clip_is_called_beside_silence_and_none_is_refused(play):
    alone = calling.calls({"first": two_clips()["first"]})
    assert alone["another"].max() == alone["another"].min() < -90 and alone["both"].shape == (
        2,
        1,
        96,
        1366,
    )
    with pytest.raises(CannotRun, match="nothing can be called"):
        calling.ask(subject(clips={}))
