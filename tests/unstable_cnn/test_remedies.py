"""Question 7 on networks that a remedy helps and on ones that it does not."""

from types import SimpleNamespace

import numpy as np
import pytest
from small_networks import SmallNetwork, ask, subject, two_clips

from parity.errors import CannotRun
from parity.port.links.batch_normalization import moments
from parity.studies.unstable_cnn import remedy
from parity.studies.unstable_cnn.findings import PROVED, REFUTED, UNDECIDABLE


def frozen_network(clips, off=0.0):
    """A SmallNetwork of mode 2 frozen at the clips, its means `off` the right ones."""
    network = SmallNetwork(2)
    mean, variance = (
        value.array for value in moments(network.conv(np.concatenate(list(clips.values()))), 1)
    )
    network.link.freeze(mean + off, variance)
    return network


@pytest.fixture
def asked(play, monkeypatch):
    """asked(original, remedied=..., correction=...): the findings by id, the calibrated port
    answering as `remedied`.
    """

    def answer(original, *, remedied=None, correction="clip", about=None, port=None):
        play(original, port)
        monkeypatch.setattr(
            remedy,
            "calibrated",
            lambda case, clips, batches: (remedied or frozen_network)(clips)(batches),
        )
        monkeypatch.setattr(remedy, "chosen", lambda case, clips: correction)
        return ask("remedy", about or subject("CNN0"))

    return answer


def test_frozen_statistics_end_what_the_batch_does(asked):
    finding = asked(SmallNetwork(2))["remedy-CNN0"]
    assert (
        finding.verdict == PROVED
        and finding.effect.value < 1e-6
        and "instead of" in finding.sentence
    )
    tags, without = finding.evidence
    assert {"first", "second"} == {row[0] for row in tags.rows} == {row[0] for row in without.rows}
    assert max(row[4] for row in tags.rows) > 0.01 > 1e-6 > max(row[5] for row in tags.rows)
    assert all(row[4] == row[5] == 0 for row in tags.rows if row[1] == "alone")


@pytest.mark.parametrize(
    "planted",
    [
        pytest.param(
            {"remedied": lambda clips: SmallNetwork(2)}, id="the remedy leaves the batch in"
        ),
        pytest.param(
            {"remedied": lambda clips: frozen_network(clips, off=0.1)},
            id="another answer on the calibration batch",
        ),
        pytest.param({"original": SmallNetwork(0)}, id="nothing to remedy"),
    ],
)
def test_a_remedy_that_does_not_help_is_refuted(asked, planted):
    finding = asked(planted.pop("original", SmallNetwork(2)), **planted)["remedy-CNN0"]
    assert (
        finding.verdict == REFUTED
        and finding.sentence is None
        and "Do not calibrate" in finding.advice
    )


class TrainedLower(SmallNetwork):
    """Stored statistics of an input that lies 40 dB below the one it is given."""

    def __init__(self):
        super().__init__(0)

    def conv(self, x):
        return super().conv(x + np.float32(40))


@pytest.fixture
def cnn(asked, monkeypatch):
    """cnn(network): the finding on it where the correction is 40 dB down and CNN0 is a network of
    the input as it is.
    """
    monkeypatch.setattr(remedy, "_correct", lambda name, x: x - np.float32(40))
    both = subject("CNN0", "CNN")
    return lambda network, **options: asked(
        {"CNN0": SmallNetwork(0), "CNN": network}, about=both, **options
    )["remedy-CNN"]


def test_a_correction_that_brings_cnn_to_what_cnn0_says_is_proved_and_its_opposite_refuted(cnn):
    good, bad = cnn(TrainedLower()), cnn(SmallNetwork(0))
    assert (
        good.verdict == PROVED
        and good.effect.value > 0
        and "'clip'" in good.claim
        and "--correction clip" in good.advice
    )
    assert bad.verdict == REFUTED and bad.effect.value < 0 and bad.sentence is None


def test_a_piece_is_counted_once_however_many_files_it_has():
    def side(first):
        return {name: {(name,): np.eye(50)[tag]} for name, tag in first.items()}

    before, after = (
        {"a": 0, "a.wav": 0, "b": 1, "b.wav": 1},
        {"a": 2, "a.wav": 3, "b": 1, "b.wav": 1},
    )
    changed, pieces = remedy.turned(side(before), side(after))
    assert (list(changed), pieces) == (["a"], 2)
    assert changed["a"][1].startswith("alternative")  # of the clip itself, before its recording


def test_what_is_so_by_construction_is_told_from_what_is_measured(asked):
    claim = asked(SmallNetwork(2))["remedy-CNN0"].claim
    assert (
        "by construction" in claim
        and "The calibration clips are those shown; calibrated on the other clips only" in claim
    )
    refuted = asked(SmallNetwork(0))["remedy-CNN0"]
    assert "does not make" in refuted.claim and "by construction" not in refuted.claim


def test_a_correction_under_which_the_batch_matters_is_refuted(cnn):
    network = TrainedLower()
    network.link = SmallNetwork(2).link
    assert cnn(network).verdict == REFUTED


def test_no_correction_is_no_remedy_and_without_cnn0_nobody_can_tell(cnn, asked):
    assert cnn(TrainedLower(), correction="none").verdict == REFUTED
    alone = asked(TrainedLower(), about=subject("CNN"))
    assert list(alone) == ["remedy-CNN"] and alone["remedy-CNN"].verdict == UNDECIDABLE


@pytest.mark.parametrize(
    ("measured", "said"),
    [
        ((2, 0.5, 0.5), True),
        ((0.5, 0.5, 0.5), False),
        ((2, 1.5, 0.5), False),
        ((2, 0.5, 1.5), False),
    ],
)
def test_freezing_is_judged_by_all_three(measured, said):
    assert remedy.judge_frozen(*measured) is said


@pytest.mark.parametrize(
    ("before", "after", "moved", "said"),
    [
        ([0.1, 0.2], [0.5, 0.6], 0.5, True),
        ([0.1, 0.2], [0.5, 0.1], 0.5, None),
        ([0.5, 0.5], [0.1, 0.1], 0.5, False),
        ([0.1, 0.2], [0.5, 0.6], 2, False),
        ([], [], 0.5, None),
    ],
)
def test_correcting_is_judged_by_every_clip(before, after, moved, said):
    assert remedy.judge_corrected(before, after, moved) is said


def test_silence_is_left_out_and_bad_input_is_a_sentence(asked):
    clips = {**two_clips(), "silent": np.full((1, 1, 96, 1366), -100, np.float32)}
    tags, _ = asked(SmallNetwork(2), about=subject("CNN0", clips=clips))["remedy-CNN0"].evidence
    assert "silent" not in {row[0] for row in tags.rows}
    one = asked(SmallNetwork(2), about=subject("CNN0", clips={"first": two_clips()["first"]}))[
        "remedy-CNN0"
    ]
    assert one.verdict == PROVED and len(one.evidence) == 1 and "frozen at 1 clip," in one.claim
    for about, said in (
        (subject("CNN0", clips={"silent": clips["silent"]}), "any sound"),
        (subject("CRNN"), "neither CNN0 nor CNN"),
    ):
        with pytest.raises(CannotRun, match=said):
            asked(SmallNetwork(2), about=about)


def test_recordings_are_heard_once_and_bad_ones_left_to_the_front_end(tmp_path):
    import soundfile

    samples = np.random.default_rng(0).normal(0, 0.1, 12000)
    for name in ("a.wav", "a.mp3"):
        soundfile.write(tmp_path / name, samples, 12000)
    (tmp_path / "bad.wav").write_bytes(b"")
    audio = {name: tmp_path / name for name in ("a.mp3", "a.wav", "bad.wav")}
    assert (
        list(remedy.recordings(audio, {})) == ["a.wav"]
        and remedy.recordings(audio, {"a.wav": 0, "a.mp3": 0}) == {}
    )


@pytest.mark.parametrize(
    ("judged", "said"),
    [
        ({"differs": True, "applied": "clip"}, "clip"),
        ({"differs": None, "applied": "clip"}, "clip"),
        ({"differs": False, "applied": "clip"}, "none"),
        ({"differs": True, "applied": None}, "none"),
    ],
)
def test_the_correction_is_the_one_that_fits_the_weights_and_none_where_decibels_do(
    play, monkeypatch, judged, said
):
    play(SmallNetwork(0))
    monkeypatch.setattr(
        remedy.input_fit, "prepare", lambda case, clips: SimpleNamespace(batches={})
    )
    monkeypatch.setattr(remedy.input_fit, "look_at", lambda tried, sides: {"port": judged})
    assert remedy.chosen(None, {}) == said
