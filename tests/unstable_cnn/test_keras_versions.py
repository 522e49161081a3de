"""The port under every Keras: a release that is not the original's is found out, and every verdict
on files can turn over.
"""

import json
from dataclasses import asdict
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import trained_networks
from small_networks import tell

from parity.compare import verdict
from parity.fixtures import seeded
from parity.model import MODELS, Case, Weights
from parity.results import Isolated
from parity.studies.unstable_cnn import keras, releases
from reference.trace_file import Layer, write_trace

FIRST = "bn_0_freq"
EPSILON = {"1.0.6": 1e-6, "1.1.0": 1e-5}
CONFIG = {"name": FIRST, "axis": 3, "mode": 0, "momentum": 0.9}


def first_layer(weights, keras):
    from parity.port.proof import steps

    return {FIRST: partial(steps("CNN", weights, keras).run, FIRST)}


def same_release(model, weights, keras):
    """A port, as ports.load imports it: the first layer alone."""
    return first_layer(weights, keras)


def another_release(model, weights, keras):
    """The same by the formulas of another Keras, which reads a variance for a deviation."""
    return first_layer(weights, {"1.0.6": "1.1.0", "1.1.0": "1.0.6"}[keras])


@pytest.fixture
def judged(tmp_path):
    """judged(port, stack): the record of a network of one layer, the original in its trace being
    the port of that very release.
    """

    def judge(port, stack):
        weights, keras = (
            seeded.weights("CNN", tmp_path),
            {"keras106": "1.0.6", "keras110": "1.1.0"}[stack],
        )
        model = MODELS["CNN"]._replace(layers=(FIRST,), stack=stack)
        (x,) = trained_networks.clips((1,)).values()
        output, config = (
            first_layer(weights, keras)[FIRST](x),
            {**CONFIG, "epsilon": EPSILON[keras]},
        )
        layers = [
            Layer("input_1", "InputLayer", {}, [], x, None),
            Layer(FIRST, "BatchNormalization", config, ["input_1"], output, None),
        ]
        write_trace(str(tmp_path / f"{stack}.h5"), layers, {"keras": keras})
        case = Case(model, Weights(weights), (), "seeded")
        return releases.judged(
            case, tmp_path / f"{stack}.h5", port=f"test_keras_versions:{port.__name__}"
        )

    return judge


@pytest.mark.parametrize("stack", ["keras106", "keras110"])
def test_the_port_of_the_same_release_holds(judged, stack):
    record = judged(same_release, stack)
    assert record["worst"] == {"isolated": verdict.EXACT, "chained": verdict.EXACT}
    assert record["at_fault"] == {}
    assert record["within"]
    assert record["port_to_original"] == 0
    assert len(record["values"][FIRST]) == releases.MOST_VALUES


@pytest.mark.parametrize("stack", ["keras106", "keras110"])
def test_the_port_of_another_release_is_at_fault(judged, stack):
    record = judged(another_release, stack)
    assert not verdict.holds(record["worst"]["isolated"])
    assert record["at_fault"] == {FIRST: False}
    assert not record["within"]
    assert keras.judge_cells([record]) is False


def test_what_is_stored_fits_only_as_the_release_that_kept_it(judged):
    nats = {stack: judged(same_release, stack)["nats"][FIRST] for stack in ("keras106", "keras110")}
    assert 5 * nats["keras106"] < nats["keras110"]


@pytest.mark.parametrize(
    ("at_fault", "holds"),
    [([{}, {}], True), ([{}, {"conv3": True}], None), ([{"conv3": True, "bn3": False}, {}], False)],
)
def test_only_what_the_original_fails_too_is_left_open(at_fault, holds):
    assert keras.judge_cells([{"at_fault": each} for each in at_fault]) is holds


@pytest.mark.parametrize(
    ("q", "gain", "offset", "beyond"),
    [
        (0.5, 0.5, -0.5, False),
        (0.5, -1.5, 0.0, True),
        (0.5, 0.0, 1.5, True),
        (1.6, None, None, True),
        (1.4, None, None, False),
    ],
)
def test_the_original_is_held_to_the_sizes_that_the_port_is(q, gain, offset, beyond):
    shared = SimpleNamespace(gain=gain, gain_limit=1, offset=offset, offset_limit=1)
    measures = Isolated(q_port=q, structure=None if gain is None else shared)
    assert releases.beyond_limits(measures) is beyond


def test_live_recordings_outlive_an_edit_of_what_judges_them(tmp_path, monkeypatch):
    """The traces are found again by what made them, so only judging is done anew."""
    recorded, judged = [], []

    def record_all(missing, cache, **_):
        recorded.extend(job.stack.name for job in missing.values())
        paths = {key: tmp_path / f"{job.stack.name}.h5" for key, job in missing.items()}
        for path in paths.values():
            path.write_bytes(b"\x89HDF\r\n\x1a\n")
        return {key: cache.add(key, path) for key, path in paths.items()}

    monkeypatch.setenv("PARITY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(releases.recordings.scheduler, "record_all", record_all)
    monkeypatch.setattr(releases.recordings, "check", lambda *_: None)
    monkeypatch.setattr(
        releases,
        "_judge_all",
        lambda traces: (
            judged.append(list(traces))
            or {name: case.model.stack for name, (case, _) in traces.items()}
        ),
    )
    case = Case(MODELS["CNN"], Weights(seeded.weights("CNN", tmp_path)), (), "seeded")
    (x,) = trained_networks.clips((1,)).values()
    for code in ({"versions.py": "1"}, {"versions.py": "1"}, {"versions.py": "2"}):
        monkeypatch.setattr(releases.cache, "digests", lambda module, code=code: code)
        assert releases.under_all(case, x) == {name: name for name in releases.stacks.STACKS}
    assert recorded == list(releases.stacks.STACKS)
    assert judged == [list(releases.stacks.STACKS)] * 2


def record(keras, scores, at_fault=()):
    """A made-up record of releases.judged."""
    words = dict.fromkeys(releases.MODES, verdict.GROSS if at_fault else verdict.ROUNDING)
    return {
        "keras": keras,
        "worst": words,
        "rho": 0.5,
        "port_to_original": 1e-7,
        "within": True,
        "at_fault": dict(at_fault),
        "scores": [scores],
        "nats": {FIRST: 1.0},
        "values": {FIRST: [1.0, 2.0]},
    }


def told(what, among, histories=()):
    """A made-up answer of keras.look_at."""
    return {
        "meaning": what,
        "confidence": None if what is None else 1.0,
        "versions": among,
        "jitter": {"share": None},
        "slope": None,
        "level": None,
        "layer": None,
        "padding": {"value": 2.4e-6, "histories": list(histories)} if histories else None,
    }


def live(**at_fault):
    """Records of two Keras releases, whose scores are 0.5 apart."""
    scores = np.linspace(0, 0.4, 10)
    return {
        stack: record(keras, list(scores + change), at_fault.get(stack, {}))
        for stack, keras, change in (("keras106", "1.0.6", 0.5), ("keras110", "1.1.0", 0.0))
    }


@pytest.mark.parametrize(
    ("what", "among", "said"),
    [
        ("variance", ["1.0.8", "1.1.0"], "proved"),
        ("deviation", ["1.0.6"], "refuted"),
        (None, [], "not decidable"),
    ],
)
def test_whose_a_file_is_can_go_either_way(what, among, said):
    outcome = keras.belongs("CRNN", told(what, among), live(), "keras110")
    finding = tell("keras", outcome)
    assert finding.verdict == said
    assert {
        "proved": "Of the 6 Keras releases tried it can be from 1.0.8 or 1.1.0",
        "refuted": "keeps deviations",
        "not decidable": "cannot be told",
    }[said] in finding.claim
    assert finding.effect.value == pytest.approx(0.5 if what != "deviation" else 0.0)
    assert (finding.sentence is None) == (what is None)
    json.dumps(asdict(finding), allow_nan=False)


def test_a_file_of_none_of_those_tried_is_called_that():
    finding = tell("keras", keras.belongs("CRNN", told("deviation", []), live(), "keras110"))
    assert "it can be from none of them" in finding.claim
    assert "from none of them" in finding.sentence


def test_what_does_not_hold_is_named_and_nothing_is_said_beyond_it():
    found = {"CRNN": told("variance", ["1.1.0"])}
    bad = tell("keras", keras.proved({"CRNN": live(keras106={"bn1": False})}, found, "a clip"))
    assert (
        "does not hold for CRNN under 1.0.6: no single element is beyond rounding there"
        in bad.claim
    )
    assert "make sense" not in bad.claim + bad.sentence
    good = tell("keras", keras.proved({"CRNN": live()}, found, "a clip"))
    assert "make sense" in good.claim and "make sense" in good.sentence


def test_a_history_is_told_in_the_claim():
    found = told("variance", ["1.1.0"], [("1.0.4", None, "1.0.8", 600), ("1.0.8", 3, None, None)])
    claim = tell("keras", keras.belongs("CRNN", found, live(), "keras110")).claim
    assert (
        "bit for bit what 600 updates by the rule of Keras 1.0.8 to 1.1.2 make of where "
        "that of 1.0.4 to 1.0.6 comes to rest"
    ) in claim


@pytest.mark.parametrize(
    ("at_fault", "said", "count"),
    [
        ({}, "proved", 2),
        ({"keras106": {"bn1": False}}, "refuted", 1),
        ({"keras106": {"bn1": True}}, "not decidable", 1),
    ],
)
def test_the_port_is_every_release_or_not(at_fault, said, count):
    found = {"CRNN": told("variance", ["1.1.0"])}
    outcome = keras.proved({"CRNN": live(**at_fault)}, found, "a clip")
    finding = tell("keras", outcome, "seeded")
    assert finding.verdict == said
    assert finding.effect.value == count
    assert f"against {count} of 2 pairs" in finding.claim
    assert finding.scope == "carries over: measured on stand-ins"
