"""Question 6 on networks whose answer hangs by a hair and on ones where it does not."""

import numpy as np
import pytest
from small_networks import CHANNELS, TAGS, SmallNetwork, ask, subject, two_clips

from parity.attribution.tags import ranking
from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.studies.unstable_cnn import conditioning, ports
from parity.studies.unstable_cnn.findings import NEEDS_REAL, PROVED, REFUTED


def asked(play, network, data="real", clips=None):
    play(network)
    return ask("conditioning", subject(clips=clips, data=data))


def nearly_tied(apart, clips, mode=2):
    """A network with its second tag but `apart` below the first for the first clip; mode 2 takes a
    clip's level away.
    """
    network = SmallNetwork(mode, squash=lambda x: x)
    values = (
        network({"all": np.concatenate([*clips.values()])}, keep=("flatten_1",))["all"]
        .outputs["flatten_1"][0]
        .astype(np.float64)
    )
    first, second = ranking(network.logits(values[None])[0])[:2]
    weights = network.weights.astype(np.float64)
    weights[:, second] += (
        values * (values @ (weights[:, first] - weights[:, second]) - apart) / (values @ values)
    )
    return SmallNetwork(mode, squash=lambda x: x, weights=weights.astype(np.float32))


@pytest.mark.parametrize(
    ("apart", "verdicts"),
    [(5e-5, (PROVED, PROVED)), (1e-3, (REFUTED, PROVED)), (20.0, (REFUTED, REFUTED))],
)
def test_margins_decide(play, apart, verdicts):
    high = {name: clip + np.float32(1000) for name, clip in two_clips().items()}
    high["second"] = high["first"] + np.float32(0.5)
    found = asked(play, nearly_tied(apart, high), clips=high)
    assert (
        found["conditioning-rounding"].verdict,
        found["conditioning-decibel"].verdict,
    ) == verdicts, found["conditioning-decibel"].claim


def test_only_a_change_aimed_the_right_way_turns_a_tag(play, monkeypatch):
    """Aimed the other way, the same change widens the lead; what it moves then counts for
    nothing.
    """
    clips = {"first": two_clips()["first"]}
    network, verdicts = nearly_tied(5e-5, clips, mode=0), {}
    for sign in (1, -1):
        play(network)
        monkeypatch.setattr(
            ports, "towards_the_second", lambda case, batch, sign=sign: sign * np.ones_like(batch)
        )
        found = ask("conditioning", subject(clips=clips))["conditioning-aimed"]
        verdicts[sign] = found.verdict
        assert ("turns no first tag" in found.claim) == (found.verdict == REFUTED)
    assert set(verdicts.values()) == {PROVED, REFUTED}


def test_a_lead_that_grows_is_no_loss():
    before, after, rounding = np.arange(2.0, -8, -1), np.arange(2.0, -8, -1), np.zeros(10)
    after[0] = 4.0
    kinds = (conditioning.AIMED, conditioning.SCATTERED)
    aimed, drawn = (conditioning._margin("a", name, before, after, rounding) for name in kinds)
    assert (aimed.used, aimed.moved) == (0, 0)
    assert drawn.used == 2


def test_the_rule_is_the_whole_margin():
    assert (
        conditioning.judge_turning([0.2, 0.9]) is False
        and conditioning.judge_turning([0.2, 1.0]) is True
    )


def test_a_network_that_takes_the_large_part_away_amplifies_and_a_damping_one_does_not(play):
    high = {name: clip + np.float32(1000) for name, clip in two_clips().items()}
    assert (
        asked(play, SmallNetwork(2, squash=lambda x: x), clips=high)[
            "conditioning-amplification"
        ].verdict
        == PROVED
    )
    flat = SmallNetwork(0, weights=np.ones((CHANNELS * 16, TAGS), np.float32))
    flat.shift = flat.shift + np.float32(3)  # tanh is flat there
    assert asked(play, flat)["conditioning-amplification"].verdict == REFUTED


def test_layers_are_in_network_order_and_end_at_the_logits(play):
    found = asked(play, SmallNetwork(0))["conditioning-decibel"]
    _, layers = found.evidence
    assert [row[0] for row in layers.rows] == ["conv1", "bn1", "flatten_1", "output:logits"]
    assert layers.columns[1:] == layers.chart.y and all(
        np.isfinite(row[1:]).all() for row in layers.rows
    )


def test_on_stand_ins_margins_say_nothing(play):
    assert {finding.scope for finding in asked(play, SmallNetwork(0), data="seeded").values()} == {
        NEEDS_REAL
    }


def test_silence_is_answered(play):
    found = asked(
        play, SmallNetwork(0), clips={"silence": np.full((1, 1, 96, 1366), -100, np.float32)}
    )
    assert all(np.isfinite(finding.effect.value) for finding in found.values())


def test_without_clips_it_says_so():
    with pytest.raises(CannotRun, match="no clip could be read"):
        conditioning.ask(subject(clips={}))


def test_an_aimed_change_is_down_the_ports_gradient(tmp_path):
    """On the port itself: a step against the top tag brings the second one nearer than the same
    step at random does.
    """
    case = Case(MODELS["CNN0"], Weights(seeded.weights("CNN0", tmp_path)), (), "seeded")
    clip = np.load(seeded.clips(1, tmp_path)[0])
    aimed, drawn = (
        ports.towards_the_second(case, clip),
        np.random.default_rng(0).choice(np.float32([-1, 1]), clip.shape),
    )
    steps = {"as it is": 0, "aimed": aimed, "drawn": drawn}
    found = ports.run(case, {name: clip + np.float32(0.01) * step for name, step in steps.items()})
    logits = {name: run.outputs["output:logits"][0] for name, run in found.items()}
    second, first = np.argsort(logits["as it is"])[-2:]
    margin = {name: each[first] - each[second] for name, each in logits.items()}
    assert aimed.dtype == np.float32 and set(np.unique(aimed)) == {-1, 1}
    assert margin["aimed"] < min(margin["as it is"], margin["drawn"])
