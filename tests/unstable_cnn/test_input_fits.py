"""The question of the input can be answered either way: networks trained on other inputs, and
measurements made up.
"""

import functools

import numpy as np
import pytest
import trained_networks
from small_networks import tell

import tagger.corrections
from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.studies.unstable_cnn import averages, input_candidates, input_fit, ports
from parity.studies.unstable_cnn import input as asking
from parity.studies.unstable_cnn.subject import Subject

pytestmark = pytest.mark.slow

FEW = ("none", "clip", "half", "loudest", "amplitude")


PLANTED = {  # what the network was trained on -> what has to be selected
    "none": (lambda x: x, "none", False),
    "clip": (lambda x: tagger.corrections.correct("clip", x), "clip", True),
    "offset": (lambda x: x + np.float32(60), "offset", True),
    "offset and gain": (lambda x: (x + 17) / np.float32(19), "offset and gain", True),
    "half": (lambda x: x / np.float32(2), "half", True),
    "amplitude": (
        lambda x: tagger.corrections.correct("clip", 10 ** (x / np.float32(40))),
        "amplitude, per clip",
        True,
    ),
    "collection": (lambda x: (x + np.float32(60)) / np.float32(7), "collection", True),
}
SCALES = {"collection": (-60.0, 7.0)}  # of another collection, where one is given
COMPETING = (
    "none",
    "clip",
    "half",
    "offset",
    "gain",
    "offset and gain",
)  # what is planted must win among those that resemble it


@pytest.fixture(scope="module", autouse=True)
def few_corrections():
    """Fewer candidates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            tagger.corrections,
            "CORRECTIONS",
            {name: tagger.corrections.CORRECTIONS[name] for name in FEW},
        )
        yield


@pytest.fixture(scope="module")
def looked(tmp_path_factory):
    """What was planted -> what look_at saw of it, the port's side in the original's place too."""

    @functools.cache
    def look(planted):
        case = trained_networks.trained(
            tmp_path_factory.mktemp("planted"), "CNN", PLANTED[planted][0]
        )
        found = look_at(case, SCALES.get(planted), dict.fromkeys((*COMPETING, PLANTED[planted][1])))
        return {
            **found,
            "original": found["port"],
            "synthesised": {"none": 1.0},
            "floor": None,
            "scale": "",
        }

    return look


def look_at(case, scale=None, only=COMPETING):
    tried = input_fit.prepare(case, trained_networks.clips(), only, scale)
    return input_fit.look_at(tried, {"port": ports.run(case, tried.batches)})


def fits(seen):
    return tell("input", asking.fits("CNN", seen))


@pytest.mark.parametrize("planted", PLANTED)
def test_what_a_network_was_trained_on_is_selected(planted, looked):
    _, selected, differs = PLANTED[planted]
    found = looked(planted)
    assert found["port"]["selected"] == selected
    assert found["port"]["differs"] is differs
    assert {"clip", "amplitude, per clip"} & found["ruled_out"] == (
        set() if planted in ("clip", "amplitude") else {"clip", "amplitude, per clip"}
    )
    assert list(found["port"]["distances"]["none"]) == [
        "bn_0_freq",
        "bn1",
        "bn2",
        "bn3",
        "bn4",
        "bn5",
    ]


def test_layers_that_training_never_updated_carry_no_evidence(tmp_path):
    case = trained_networks.trained(tmp_path, "CNN0", lambda x: x)
    found = look_at(case)
    assert list(found["port"]["distances"]["none"]) == ["bn_0_freq"]
    assert found["port"]["selected"] == "none"
    assert found["port"]["applied"] is None


def test_padded_frames_carry_no_evidence(tmp_path):
    case = Case(
        MODELS["CRNN"], Weights(trained_networks.seeded.weights("CRNN", tmp_path)), (), "seeded"
    )
    assert {layer: len(each.mean) for layer, each in averages.of(case.weights).items()} == {
        "bn_0_freq": 1366,
        "bn1": 64,
        "bn2": 128,
        "bn3": 128,
        "bn4": 128,
    }


def test_a_file_never_trained_is_refused(tmp_path):
    case = trained_networks.trained(tmp_path, "CNN", lambda x: x)
    trained_networks.write_statistics(
        case.weights, {"bn_0_freq": (np.zeros(1366, np.float32), np.ones(1366, np.float32))}
    )
    with pytest.raises(CannotRun, match="its bn_0_freq holds what it began with"):
        look_at(case)


@pytest.mark.parametrize("clips", [{}, {"silence": np.full((1, 1, 96, 1366), -100, np.float32)}])
def test_without_sound_there_is_one_sentence(clips):
    with pytest.raises(
        CannotRun, match="there is no clip with any sound to put in; name at least one"
    ):
        asking.ask(Subject({}, clips, {}, "seeded"))


def distances(**of):
    """{correction: {layer: (2 clips, 200 channels)}} around the given nats, a tenth of them
    apart.
    """
    spread = np.random.default_rng(0).uniform(-0.1, 0.1, (2, 200))
    return {name: {"bn_0_freq": nats * (1 + spread)} for name, nats in of.items()}


def test_the_verdict_turns_over_with_the_distances():
    assert input_fit.judge(distances(none=5.0, clip=0.1))["differs"] is True
    assert input_fit.judge(distances(none=0.1, clip=5.0))["differs"] is False


def test_too_close_to_call_is_not_decidable():
    rng = np.random.default_rng(1)
    noisy = {name: {"bn1": rng.uniform(0, 2, (2, 30))} for name in ("none", "clip")}
    low = min(noisy, key=lambda name: noisy[name]["bn1"].mean())
    noisy[low], noisy["none" if low == "clip" else "clip"] = noisy["clip"], noisy["none"]
    noisy["none"]["bn1"] += noisy["clip"]["bn1"].mean() - noisy["none"]["bn1"].mean() + 0.001
    found = input_fit.judge(noisy)
    assert (found["selected"], found["differs"], found["tied"]) == ("clip", None, ["none"])


def test_what_the_file_rules_out_is_not_selected_but_said():
    found = input_fit.judge(distances(none=5.0, clip=0.1, gain=0.2), ruled_out={"clip"})
    assert (found["selected"], found["closest"]) == ("gain", "clip")


def test_silent_frames_count_for_nothing():
    silent = distances(none=1.0)
    silent["none"]["bn_0_freq"][:, :50] = np.nan
    assert averages.score(silent["none"]) == pytest.approx(1.0, rel=0.02)
    assert np.isfinite(averages.resampled(silent)["none"]).all()


def test_nats_are_the_divergence_of_two_normal_distributions():
    remembered = averages.Averages(
        np.array([1.0, 0.0]), np.array([2.0, 1.0])
    )  # deviations, as Keras 1.0.6 keeps them
    found = averages.nats((np.array([3.0, 0.0]), np.array([4.0, np.e**2])), remembered, "1.0.6")
    assert found == pytest.approx([0.5, (np.e**2 - 1 - 2) / 2], rel=1e-4)
    held = averages.Averages(
        remembered.mean, remembered.spread**2
    )  # variances, as 1.1.0 keeps them
    assert averages.nats(
        (np.array([3.0, 0.0]), np.array([4.0, np.e**2])), held, "1.1.0"
    ) == pytest.approx(found, rel=1e-4)


def test_one_clip_leaves_no_other_to_fit_constants_to():
    one = trained_networks.clips((1,))
    given = input_candidates.candidates(
        one, {"bn_0_freq": averages.Averages(np.zeros(1366), np.ones(1366))}, "1.0.6"
    )
    assert not [name for name in given if name.split(", ")[-1] in input_candidates.AFFINE]


def test_constants_are_fitted_to_the_other_clips():
    heard = trained_networks.clips((1, 2, 3))
    remembered = {"bn_0_freq": averages.Averages(np.full(1366, 5.0), np.full(1366, 3.0))}
    given = input_candidates.candidates(heard, remembered, "1.0.6")
    for name, moments in (
        ("offset and gain", (5.0, 3.0)),
        ("offset", (5.0, None)),
        ("gain", (None, None)),
    ):
        x, y = heard["clip 1"], given[name]["clip 1"]
        gain, offset = np.polyfit(x.ravel(), y.ravel(), 1)
        others = (
            np.concatenate([heard["clip 2"], heard["clip 3"]]).astype(np.float64) * gain + offset
        )
        assert (
            np.hypot(others.mean(), others.std()) == pytest.approx(np.hypot(5, 3), rel=1e-3)
            or name == "offset"
        )
        for value, wanted in zip((others.mean(), others.std()), moments, strict=True):
            assert wanted is None or value == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize(
    ("shares", "verdict"), [([5e3, 1e4], True), ([0.1, 0.3], False), ([0.1, 1e4], None)]
)
def test_the_constants_can_go_either_way(shares, verdict):
    assert asking.judge_constants(shares) is verdict


def test_a_finding_says_what_was_planted(looked):
    other = fits(looked("clip"))
    assert other.verdict == "proved"
    assert "CNN was not trained on what it gets" in other.claim
    assert "'clip'" in other.advice
    same = fits(looked("none"))
    assert same.verdict == "refuted"
    assert "CNN gets what it was trained on" in same.claim
    assert same.advice == "Keep the decibels."


def test_a_port_that_selects_another_correction_leaves_it_open(looked):
    found = looked("none")
    finding = fits({**found, "port": {**found["port"], "selected": "half"}})
    assert finding.verdict == "not decidable"
    assert "the original selects 'none' and the port 'half'" in finding.claim
    assert "make parity" in finding.advice
    assert finding.sentence is None


def test_what_cannot_be_told_is_not_asserted(looked):
    found = looked("clip")
    either = {side: {**found[side], "differs": None} for side in ("original", "port")}
    finding = fits({**found, **either})
    assert (finding.verdict, finding.sentence) == ("not decidable", None)
    assert "cannot be told" in finding.claim
    assert "Give more clips" in finding.advice


@pytest.mark.parametrize(
    ("floor", "said"),
    [
        ((0.5, (0.0, 1e3)), "that is as good a fit as CRNN on its own input"),
        ((1e-9, (0.0, 1e-9)), "only the least bad of those tried"),
    ],
)
def test_the_best_fit_is_held_against_what_a_good_one_comes_to(looked, floor, said):
    assert said in fits({**looked("clip"), "floor": floor}).claim


@pytest.mark.parametrize(
    ("apart", "said"), [(0.5, "is surely farther off"), (-0.5, "cannot be told from it")]
)
def test_another_quantity_is_excluded_or_it_is_not(looked, apart, said):
    found = looked("clip")
    scores = {**found["original"]["score"], "amplitude": 0.7, "amplitude, per clip": 0.2}
    margin = found["original"]["margin"] | {"amplitude, per clip": (0.1, 0.2)}
    margin["amplitude"] = apart, 1.0
    original = {**found["original"], "score": scores, "margin": margin}
    seen = {**found, "original": original, "ruled_out": {"amplitude, per clip"}}
    seen["port"] = {**found["port"], "score": scores}
    assert asking.nearest_rival(seen) == ("amplitude", 0.7, apart, 1.0)
    for centred in ("amplitude", "amplitude, per clip"):
        seen["centres"] = {**seen["centres"], centred: 1.0}
    assert f"'amplitude' comes nearest and {said} (0.7" in fits(seen).claim
    none = {"original": {"score": {"clip": 0.1}}, "ruled_out": set()}
    assert asking.nearest_rival(none) is None


def test_too_low_is_told_from_too_wide(looked):
    def standing(planted):
        rows = asking.layer_rows(looked(planted), ("none",))
        return {row[0]: row[-2:] for row in rows}["bn_0_freq"]

    (low, _), (_, wide) = standing("offset"), standing("half")
    assert low < -2  # trained 60 dB higher
    assert wide == pytest.approx(2, rel=0.2)
    table = fits(looked("offset")).evidence[2]
    assert max(row[1] for row in table.rows if row[0] == "bn1") == 31
    assert len(table.columns) == len(table.rows[0]) == 6


@pytest.mark.parametrize(
    ("planted", "verdict"), [("clip", "refuted"), ("offset and gain", "proved")]
)
def test_the_stored_means_of_a_network_say_whether_each_clip_was_standardised(
    looked, planted, verdict
):
    finding = tell("input", asking.constants({"CNN": looked(planted)}))
    assert finding.verdict == verdict
    assert ("one offset and one gain" in finding.claim) == (verdict == "proved")


def test_a_conclusion_names_the_clip_that_turns_and_only_where_one_does(looked):
    found = looked("clip")
    tags = {
        name: (np.eye(50)[[0, 0]] + 1e-3, logits)
        for name, (_, logits) in found["original"]["tags"].items()
    }
    steady = {**found, "original": {**found["original"], "tags": tags}}
    assert "keeps its first tag for all 2 clips" in fits(steady).sentence
    turning = {
        **steady,
        "original": {
            **steady["original"],
            "tags": {**tags, "clip": (np.eye(50)[[0, 3]] + 1e-3, tags["clip"][1])},
        },
    }
    sentence = fits(turning).sentence
    assert sentence.startswith("CNN calls clip 2 rock (95 %) because its input is on another scale")
    assert "says indie (95 %)" in sentence


def test_the_collections_scale_is_of_the_weight_file_and_left_out_where_there_is_none(
    tmp_path, monkeypatch
):
    crnn = trained_networks.trained(tmp_path, "CRNN", lambda x: x, lambda variance: variance)
    heard = np.concatenate(
        list(trained_networks.clips(trained_networks.TRAINED_ON).values())
    ).astype(np.float64)
    there = Subject({"CRNN": crnn}, {}, {}, "seeded")
    (mean, std), said = input_candidates.collection(there, "CNN")
    assert (mean, std) == pytest.approx((heard.mean(), heard.std()), rel=1e-3)
    assert "bn_0_freq" in said
    assert input_candidates.collection(there, "CRNN")[0] is None
    # A stand-in, where the others are real.
    monkeypatch.setattr(input_candidates, "case_for", lambda name: crnn)
    scale, why = input_candidates.collection(Subject({}, {}, {}, "real"), "CNN")
    assert scale is None
    assert "not available" in why


def test_synthesised_sounds_are_scored_apart(looked, tmp_path):
    case = trained_networks.trained(tmp_path, "CNN", lambda x: x)
    apart = asking.synthesised(case)
    assert apart == {
        name: value for name, value in looked("none")["port"]["score"].items() if name in apart
    }
    table = fits({**looked("none"), "synthesised": apart}).evidence[-1]
    assert [name for name, _ in table.rows] == sorted(apart, key=apart.get)
