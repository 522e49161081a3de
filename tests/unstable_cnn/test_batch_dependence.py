"""Question 1 on networks that depend on their batch and on ones that do not, and on bad input."""

import numpy as np
import pytest
from small_networks import CHANNELS, TAGS, SmallNetwork, ask, subject, two_clips

from parity.errors import CannotRun
from parity.studies.unstable_cnn import batch
from parity.studies.unstable_cnn.findings import PROVED, REFUTED, UNDECIDABLE


def asked(play, original, port=None, about=None):
    play(original, port)
    return ask("batch", about)


def test_batch_statistics_are_seen_and_stored_ones_are_not(play):
    depends, steady = (asked(play, SmallNetwork(mode)) for mode in (2, 0))
    assert (depends["batch-CNN0"].verdict, steady["batch-CNN0"].verdict) == (PROVED, REFUTED)
    assert depends["batch-CNN0"].effect.value > 0.1 and steady["batch-CNN0"].effect.value < 1e-5
    assert "does not depend" in steady["batch-CNN0"].sentence
    assert depends["batch-whose"].verdict == steady["batch-whose"].verdict == PROVED


def test_a_control_that_moves_is_told(play):
    both = subject("CNN0", "CNN")
    sound = asked(play, {"CNN0": SmallNetwork(2), "CNN": SmallNetwork(0)}, about=both)
    assert sound["batch-controls"].verdict == PROVED and sound["batch-CNN0"].verdict == PROVED
    moved = asked(play, SmallNetwork(2), about=both)["batch-controls"]
    assert moved.verdict == REFUTED and moved.advice.startswith("Always give")


def test_a_fault_of_the_port_is_told_from_one_of_the_original(play):
    found = asked(play, SmallNetwork(0), SmallNetwork(2))
    assert found["batch-whose"].verdict == REFUTED
    assert (
        found["batch-CNN0"].verdict == UNDECIDABLE and "make parity" in found["batch-whose"].advice
    )


def test_layers_before_the_first_normalisation_owe_their_mates_nothing(play):
    (_, tags, layers) = asked(play, SmallNetwork(2))["batch-CNN0"].evidence
    shares = {row[0]: row[1:] for row in layers.rows}
    assert (
        shares["conv1"] == [0, 0]
        and shares["bn1"][0] > 0.01
        and shares["output:logits"][0] == shares["output:logits"][1] > 0.01
    )
    assert "dropout1" not in shares
    beside_itself = [row for row in tags.rows if set(row[1].split(" + ")) == {row[0]}]
    assert len(beside_itself) == 2 and all(row[10] <= 1 and not row[5] for row in beside_itself)


def test_a_batch_of_one_is_judged_by_what_is_left_in_the_logits(play):
    """Where the tags hang on the levels of the channels alone, a batch of one takes all away;
    where on their shape, it takes little.
    """
    levels = np.repeat(
        np.random.default_rng(3).standard_normal((CHANNELS, TAGS)), 16, axis=0
    ).astype(np.float32)
    lost, shapes, kept = (
        asked(play, network)["batch-of-one-CNN0"]
        for network in (
            SmallNetwork(2, weights=levels),
            SmallNetwork(2),
            SmallNetwork(0, weights=levels),
        )
    )
    assert [each.verdict for each in (lost, shapes, kept)] == [PROVED, REFUTED, REFUTED]
    assert lost.effect.value < 1e-6
    assert "keeps what tells it from others" in kept.claim


def test_an_order_is_no_case_and_what_the_mates_are_is_told(play):
    kinds, *_ = asked(play, SmallNetwork(2))["batch-CNN0"].evidence
    assert {row[0]: row[1] for row in kinds.rows} == {
        "other music": 4,
        "silence": 2,
        "noise": 2,
        "several of these": 4,
    }
    assert [
        batch.kind("a", mates)
        for mates in (("a", "b"), ("silence", "a"), ("a", "noise"), ("a", "b", "silence"))
    ] == [*batch.MATES]


def test_what_original_and_port_disagree_on_is_not_asserted(play):
    found = asked(play, SmallNetwork(0), SmallNetwork(2))
    assert found["batch-CNN0"].sentence is None
    assert "disagree" in found["batch-CNN0"].claim
    assert found["batch-whose"].sentence.startswith("The port differs from the original")


def test_controls_stand_beside_silence_and_noise_and_in_a_batch_of_four(play):
    both = subject("CNN0", "CNN")
    (table,) = asked(play, {"CNN0": SmallNetwork(2), "CNN": SmallNetwork(0)}, about=both)[
        "batch-controls"
    ].evidence
    assert {row[2] for row in table.rows} == {2, 4, 8}
    assert {"first + silence", "first + noise"} <= {row[1] for row in table.rows}


def test_a_batch_of_one_leaves_no_level_and_the_counts_are_the_shapes(play):
    (statistics,) = asked(play, SmallNetwork(2))["batch-of-one-CNN0"].evidence
    assert statistics.rows == [["bn1", "8 x 4 x 4", 16, 128]]


def test_one_clip_is_put_beside_what_is_made_for_it(play):
    first = {"first": two_clips()["first"]}
    found = asked(play, SmallNetwork(2), about=subject(clips=first))
    assert found["batch-CNN0"].verdict == PROVED and {
        row[2] for row in found["batch-CNN0"].evidence[1].rows
    } == {2, 4, 7}


def test_a_silent_clip_is_answered(play):
    silence = {
        "first": np.full((1, 1, 96, 1366), -100, np.float32),
        **{"second": two_clips()["second"]},
    }
    assert (
        asked(play, SmallNetwork(2), about=subject(clips=silence))["batch-CNN0"].verdict == PROVED
    )


def test_without_clips_it_says_so(play):
    play(SmallNetwork(2))
    with pytest.raises(CannotRun, match="no clip could be read"):
        batch.ask(subject(clips={}))


def test_batches_of_one_two_four_and_eight_and_either_order():
    batches, everyone = batch.plan(
        ("a", "b"), ("silence", "noise", "c", "d", "e", "f", "g"), thorough=True
    )
    assert {len(each) for each in batches} == {1, 2, 4, 8} and everyone[::-1] in batches
    assert {("a", "b"), ("b", "a"), ("a", "a"), ("b", "silence"), ("a", "noise"), ("c",)} <= {
        *batches
    }
    assert len(batches) == len({*batches})
