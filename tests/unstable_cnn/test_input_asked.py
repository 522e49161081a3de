"""The whole question of the input on networks trained here, and CNN's agreement with CNN0 either
way.
"""

import numpy as np
import pytest
import trained_networks
from small_networks import ask, tell

import tagger.corrections
from parity.studies.unstable_cnn import input as asking
from parity.studies.unstable_cnn import input_candidates, originals, ports
from parity.studies.unstable_cnn.subject import Subject

pytestmark = pytest.mark.slow

FEW = ("none", "half")
TRAINED = {
    "CNN0": np.sqrt,
    "CNN": np.sqrt,
    "CRNN": lambda variance: variance,
}  # what each one's Keras holds of a variance


@pytest.fixture
def answers(tmp_path, monkeypatch):
    """answers(models, cnn): the findings by id; cnn: what CNN was trained on, the others on
    decibels; the port in the originals' place.
    """

    def answer(models, cnn):
        cases = {
            name: trained_networks.trained(
                tmp_path, name, cnn if name == "CNN" else lambda x: x, TRAINED[name]
            )._replace(data="real")
            for name in models
        }
        monkeypatch.setattr(input_candidates, "RIVALS", ())
        monkeypatch.setattr(
            tagger.corrections,
            "CORRECTIONS",
            {name: tagger.corrections.CORRECTIONS[name] for name in FEW},
        )
        monkeypatch.setattr(
            originals,
            "run",
            lambda wanted: {
                name: ports.run(of["case"], of["batches"]) for name, of in wanted.items()
            },
        )
        return ask("input", Subject(cases, trained_networks.clips(), {}, "real"))

    return answer


def test_a_network_trained_on_another_scale_is_found_out_beside_two_that_fit(answers):
    found = answers(TRAINED, lambda x: x / np.float32(2))
    assert {
        name: finding.verdict for name, finding in found.items() if name != "input-agreement"
    } == {
        "input-CNN0": "refuted",
        "input-CNN": "proved",
        "input-CRNN": "refuted",
        "input-constants": "proved",
    }
    assert "'half'" in found["input-CNN"].advice
    assert "CRNN on its own input" in found["input-CNN"].claim
    assert "collection" in [row[0] for row in found["input-CNN"].evidence[0].rows]
    assert {row[0] for row in found["input-agreement"].evidence[0].rows} == {
        "all",
        "alone",
        "silence",
        "noise",
    }


def test_where_all_fit_nothing_is_corrected(answers):
    found = answers(("CNN",), lambda x: x)
    assert {name: finding.verdict for name, finding in found.items()} == {"input-CNN": "refuted"}


def seen(after):
    """What look_at would have seen of CNN: on a and b, as it is its logits are those of nobody,
    corrected they are `after`.
    """
    rng = np.random.default_rng(0)
    tags = {"none": (None, rng.standard_normal((2, 50))), "clip": (np.eye(50)[:2], after)}
    return {
        "clips": ["a", "b"],
        "original": {
            "tags": {"none": (np.eye(50)[:2], tags["none"][1]), "clip": tags["clip"]},
            "tied": [],
            "selected": "clip",
        },
    }


def judged():
    """CNN0's logits in its batches: the same of a clip in all."""
    a, b = np.random.default_rng(1).standard_normal((2, 50))
    return {"all": np.stack([a, b]), "alone|a": a[None], "alone|b": b[None]}


def test_agreement_turns_over():
    logits = judged()["all"]
    agreed, opposed, mixed_up, half = (
        tell("input", asking.agreement(seen(after), judged()))
        for after in (logits, -logits, logits[::-1], np.stack([logits[0], -logits[1]]))
    )
    assert [each.verdict for each in (agreed, opposed, mixed_up, half)] == [
        "proved",
        "refuted",
        "refuted",
        "not decidable",
    ]
    assert "correlation 1.00 instead of" in agreed.sentence
    assert [each.sentence for each in (opposed, mixed_up, half)] == [None] * 3
    assert agreed.effect.value > 0.5 > 0 > opposed.effect.value


def test_what_any_music_shares_is_no_agreement():
    """Logits that resemble CNN0's on the other clip as much as on their own."""
    common = judged()["all"].sum(axis=0)
    finding = tell("input", asking.agreement(seen(np.stack([common, common])), judged()))
    assert finding.verdict != "proved"


def test_a_batch_in_which_cnn0_says_something_else_leaves_it_open():
    disturbed = {**judged(), "alone|a": -judged()["alone|a"]}
    assert asking.agreement(seen(judged()["all"]), disturbed).holds is None


@pytest.mark.parametrize(
    ("before", "after", "apart", "holds"),
    [
        ([0.1, 0.2], [0.5, 0.6], None, True),
        ([0.5, 0.6], [0.1, 0.2], None, False),
        ([0.5, 0.2], [0.1, 0.6], None, None),
        ([0.1, 0.2], [0.5, 0.6], [0.4, 0.7], None),
        ([0.1, 0.2], [0.5, 0.6], [0.4, 0.5], True),
    ],
)
def test_agreement_with_the_other_model_can_go_either_way(before, after, apart, holds):
    assert asking.judge_agreement(before, after, apart) is holds
