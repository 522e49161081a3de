"""What running_std holds is told either way: from made-up statistics, and from networks written as
one Keras or the other would.
"""

import numpy as np
import pytest
import trained_networks
from small_networks import ask

from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.studies.microscope.training import RULES
from parity.studies.unstable_cnn import averages, keras, running_std
from parity.studies.unstable_cnn.subject import Subject

pytestmark = pytest.mark.slow

FRAMES, BATCHES, VALUES = 1366, 40, 24


def averaged(of_batch, scale):
    """A first layer's Averages after batches of normal values of deviation `scale`; of_batch: what
    is kept of a batch's variance.
    """
    rng, mean, spread = np.random.default_rng(0), 0, 0
    for _ in range(BATCHES):
        values = scale * rng.standard_normal((VALUES, FRAMES))
        mean, spread = (
            mean + values.mean(axis=0) / BATCHES,
            spread + of_batch(values.var(axis=0)) / BATCHES,
        )
    return averages.Averages(mean, spread)


@pytest.mark.parametrize("scale", [1.0, 3.0, 18.5])
def test_the_stored_spread_moves_as_what_it_is(scale):
    deviation, variance = (
        running_std.jitter(averaged(np.sqrt, scale)),
        running_std.jitter(averaged(lambda kept: kept, scale)),
    )
    assert deviation["share"] == 1
    assert variance["share"] == 0
    assert deviation["measured"] == pytest.approx(0.5**0.5, rel=0.1)
    assert variance["measured"] == pytest.approx(2**0.5 * scale, rel=0.1)


@pytest.mark.parametrize(
    ("measured", "misfits", "low", "high"),
    [
        (0.66, [-0.12, -0.01], 0.98, 0.999),
        (0.66, [-0.5, 0.4], 0.5, 0.95),
        (1.5, [-0.12, -0.01], 0.0, 0.02),
        (1.0, [0.1, 0.1], 0.45, 0.55),
    ],
)
def test_the_jitter_alone_is_as_sure_as_on_files_that_are_known(measured, misfits, low, high):
    expected = {"deviation": 0.5**0.5, "variance": 2**0.5}
    jitters = {
        "measured": measured,
        "interval": (measured * 0.95, measured / 0.95),
        "expected": expected,
    }
    assert low < running_std.calibrated(jitters, misfits) < high


def evidence(measured, **shares):
    """What look_at would have told, the jitter's share sure of a deviation."""
    jitters = {
        "measured": measured,
        "interval": (measured * 0.98, measured / 0.98),
        "share": 1.0,
        "expected": {"deviation": 0.5**0.5, "variance": 2**0.5},
    }
    return {
        "jitter": jitters,
        "slope": None,
        "level": None,
        "layer": "bn1" if shares else None,
        "padding": None,
        "meaning": "deviation",
        "confidence": 1.0,
        "versions": ["1.0.5", "1.0.6"],
        **{kind: {"share": share} for kind, share in shares.items()},
    }


def test_a_file_of_one_kind_of_evidence_is_held_against_the_others():
    known = {
        "CNN": evidence(0.63, slope=1.0, level=1.0),
        "CRNN": evidence(0.70, slope=1.0, level=1.0),
    }
    found = keras.calibrate({"CNN0": evidence(0.66), **known})
    assert found["CNN"]["confidence"] == 1.0
    assert running_std.SURE < found["CNN0"]["confidence"] < 1
    assert found["CNN0"]["calibration"] == {
        "CNN": pytest.approx(0.89, abs=0.01),
        "CRNN": pytest.approx(0.99, abs=0.01),
    }
    assert (
        keras.calibrate({"CNN0": evidence(0.66), "CNN": known["CNN"]})["CNN0"]["meaning"] is None
    )  # one file alone is too few
    astray = keras.calibrate(
        {"CNN0": evidence(0.66), "CNN": evidence(0.63, slope=0.0, level=0.0)}
    )  # a variance, told by all else
    assert astray["CNN0"]["meaning"] is None
    assert keras.calibrate({"CNN0": evidence(0.66)})["CNN0"]["calibration"] == {}


def test_what_does_not_move_tells_nothing():
    still = averages.Averages(np.full(FRAMES, 2.0), np.full(FRAMES, 3.0))
    assert running_std.jitter(still)["share"] is None


def test_where_both_should_move_alike_nothing_is_told():
    assert running_std.jitter(averaged(lambda kept: kept, 0.5))["share"] is None


@pytest.mark.parametrize(("power", "share"), [(1, 1), (2, 0)])
def test_the_slope_is_told_whatever_the_scale(power, share):
    deviation = np.random.default_rng(1).lognormal(0, 0.4, 64)
    remembered = averages.Averages(np.zeros(64), 1e-3 * deviation**power)
    found = running_std.slope({name: 40 * deviation for name in running_std.MEANINGS}, remembered)
    assert found["share"] == share
    assert found["measured"]["deviation"] == pytest.approx(power)


@pytest.mark.parametrize(("nats", "share"), [((0.5, 2.0), 1), ((2.0, 0.5), 0)])
def test_the_level_takes_the_input_that_suits_each_best(nats, share):
    found = {
        (what, correction): {"bn1": np.full((2, 30), value + extra)}
        for what, value in zip(running_std.MEANINGS, nats, strict=True)
        for correction, extra in (("none", 0), ("clip", 5))
    }
    best = {what: (value, "none") for what, value in zip(running_std.MEANINGS, nats, strict=True)}
    assert running_std.level(found) == {"measured": best, "share": share}


@pytest.mark.parametrize(
    ("shares", "told"),
    [
        ([1, 1, 1], ("deviation", 1)),
        ([0, None, 0.01], ("variance", 0.99)),
        ([1, 0.5], ("deviation", 1)),
        ([1, 0], (None, None)),
        ([0.4, 0.9], (None, None)),
        ([None], (None, None)),
    ],
)
def test_all_that_is_sure_has_to_agree(shares, told):
    assert running_std.judge(shares) == told


def follow(rule, average, updates):
    """Keras's moving average of a variance of 0, in float32."""
    _, momentum, eps, follows = rule
    for _ in range(updates):
        average = np.float32(momentum) * np.float32(average) + np.float32(
            1 - momentum
        ) * np.float32(follows(0.0, eps))
    return average


def test_a_history_is_found_bit_for_bit():
    older, newer = RULES[0], RULES[2]
    rest = follow(older, 1.0, 1000)
    value = follow(newer, rest, 600)
    assert ("1.0.4", None, "1.0.8", 600) in running_std.histories(value)
    assert running_std.histories(np.nextafter(value, np.float32(1))) == []
    assert running_std.histories(follow(newer, 1.0, 300)) == [
        ("1.0.7", 300, None, None),
        ("1.0.8", 300, None, None),
    ]


@pytest.mark.parametrize(
    ("what", "histories", "versions"),
    [
        ("deviation", [], ["1.0.5", "1.0.6"]),
        ("variance", [], ["1.0.7", "1.0.8", "1.1.0", "1.2.2"]),
        (None, [], []),
        (
            "variance",
            [("1.0.4", None, "1.0.7", 600), ("1.0.4", None, "1.0.8", 600)],
            ["1.0.7", "1.0.8", "1.1.0"],
        ),
        ("deviation", [("1.2.0", 7, None, None)], []),
    ],
)
def test_the_versions_that_a_file_can_be_from(what, histories, versions):
    assert keras.possible(what, {"value": 0.0, "histories": histories}) == versions


@pytest.mark.parametrize(
    ("hold", "what"), [(np.sqrt, "deviation"), (lambda variance: variance, "variance")]
)
def test_a_file_of_the_other_keras_turns_the_finding_over(hold, what, tmp_path):
    case = trained_networks.trained(tmp_path, "CNN", lambda x: x, hold)
    told = keras.look_at(case, trained_networks.clips())
    assert told["meaning"] == what
    assert ("1.0.6" in told["versions"]) == (what == "deviation")
    assert told["padding"] is None


def test_the_padding_is_read_where_there_is_one(tmp_path):
    weights = trained_networks.seeded.weights("CRNN", tmp_path)
    assert keras.padding(Weights(weights))["value"] == 2.0**-19
    assert keras.padding(Weights(trained_networks.seeded.weights("CNN", tmp_path))) is None


def test_a_file_never_trained_is_refused(tmp_path):
    case = trained_networks.trained(tmp_path, "CNN", lambda x: x)
    trained_networks.write_statistics(
        case.weights, {"bn_0_freq": (np.zeros(FRAMES, np.float32), np.ones(FRAMES, np.float32))}
    )
    with pytest.raises(CannotRun, match="holds what it began with"):
        keras.look_at(case, trained_networks.clips())


def test_the_whole_question_is_answered_on_a_trained_network(tmp_path, monkeypatch):
    """Live recordings are made up; all else is measured."""

    def live(case, batch, progress):
        assert batch.shape == (1, 1, 96, 1366)
        return {
            stack: {
                "keras": stack_.keras,
                "worst": dict.fromkeys(("isolated", "chained"), "ROUNDING"),
                "rho": 0.5,
                "within": True,
                "port_to_original": 0.0,
                "at_fault": {},
                "scores": [[0.5] * 50],
                "nats": {"bn_0_freq": 1.0},
                "values": {"bn_0_freq": [1.0, 2.0]},
            }
            for stack, stack_ in keras.stacks.STACKS.items()
        }

    monkeypatch.setattr(keras.releases, "under_all", live)
    case = trained_networks.trained(tmp_path, "CNN", lambda x: x)
    found = ask("keras", Subject({"CNN": case}, trained_networks.clips(), {}, "seeded"))
    assert {name: finding.verdict for name, finding in found.items()} == {
        "keras-CNN": "proved",
        "keras-parity": "proved",
    }
    assert "3 kinds of evidence" in found["keras-CNN"].claim
    assert "1.0.5 or 1.0.6" in found["keras-CNN"].sentence


def test_without_sound_there_is_one_sentence():
    with pytest.raises(CannotRun, match="there is no clip with any sound to put in"):
        keras.ask(
            Subject(
                {"CNN": Case(MODELS["CNN"], Weights("none.h5"), (), "seeded")}, {}, {}, "seeded"
            )
        )
