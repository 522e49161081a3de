"""One small network examined whole: every part is there, and the document is JSON."""

import json
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from parity import processes
from parity.cli import Group
from parity.document import to_json
from parity.errors import CannotRun
from parity.kinds.convolution.arithmetic import Convolution
from parity.model import MODELS, Case, Weights
from parity.ports import OURS, load
from parity.ports.callables import Callables
from parity.reports import microscope as drawn
from parity.studies.microscope import command, examination
from tests.kinds.recorded_layers import F, FloatGRU, Inside, Recorded, gru_params, layer

NAMES = ("jazz", "rock", "folk", "pop", "soul")


def convolved(x, params):
    """A 'same' convolution, rounded once."""
    conv = Convolution(params["W"].astype(float), params["b"].astype(float), "same", (1, 1))
    out = np.empty((len(x), len(params["W"]), x[0, 0].size))
    for where in conv.blocks(x.shape):
        out[where] = conv.sums(x, where)
    return out.reshape(len(x), -1, *x.shape[2:]).astype(F)


def normalized(x):
    """Keras 1.1.0's mode 2, gamma 1 and beta 0."""
    axes = (0, 2, 3)
    return (x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + F(1e-5))


@pytest.fixture
def net(monkeypatch):
    """conv1 -> bn1 (mode 2) -> flat (2, 4, 7) -> gru1, of which the five units are the tags;
    recorded and ported alike.
    """
    rng = np.random.default_rng(9)
    params = {
        "conv1": {"W": rng.standard_normal((2, 1, 3, 3)).astype(F), "b": np.zeros(2, F)},
        "gru1": gru_params(rng),
        "bn1": {
            "gamma": np.ones(2, F),
            "beta": np.zeros(2, F),
            "running_mean": np.zeros(2, F),
            "running_std": np.ones(2, F),
        },
    }
    gru = FloatGRU(params["gru1"])
    steps = {
        "conv1": lambda x: convolved(x, params["conv1"]),
        "bn1": normalized,
        "flat": lambda x: x.reshape(2, 4, 7),
        "gru1": gru.last,
    }
    kinds = {
        "conv1": ("Convolution2D", {"border_mode": "same", "subsample": [1, 1]}),
        "gru1": ("GRU", {"return_sequences": False}),
        "bn1": ("BatchNormalization", {"mode": 2, "axis": 1, "epsilon": 1e-5}),
        "flat": ("Reshape", {"target_shape": [4, 7]}),
    }
    x, before = rng.standard_normal((2, 1, 2, 7)).astype(F), "input_1"
    outputs = {"input_1": (layer("InputLayer", "input_1", shape=x.shape), x)}
    for name, step in steps.items():
        kind, config = kinds[name]
        x = step(x)
        outputs[name] = (layer(kind, name, [before], x.shape, **config), x)
        before = name
    turned = {**params["conv1"], "W": np.ascontiguousarray(params["conv1"]["W"][:, :, ::-1, ::-1])}
    replacements = {
        "unflipped kernel": {"conv1": lambda x: convolved(x, turned)},
        "Chainer's GRU": {"gru1": lambda x: -gru.last(x)},
    }
    moments = {
        "gru1": gru.unrolled,
        "bn1": lambda x: {"mean": x.mean((0, 2, 3)), "variance": x.var((0, 2, 3))},
    }
    for module, name, value in (
        (examination, "open_trace", Recorded(outputs)),
        (examination, "replacements", replacements),
    ):
        monkeypatch.setattr(module, name, lambda *_, value=value: value)
    hand_over(monkeypatch, Inside(steps, moments))
    weights = Weights("none.h5")
    vars(weights)["params"] = params  # as if it had been read
    return Case(MODELS["CRNN"]._replace(tags=NAMES), weights, (), "seeded")


def hand_over(monkeypatch, port):
    """Our own port is this one, in this process."""
    monkeypatch.setattr(
        examination, "load", lambda name, case: port if name == OURS else load(name, case)
    )


def test_every_part_is_examined(net):
    found = examination.examine(net, None)
    assert (
        list(found.gru) == ["gru1"]
        and list(found.batch_normalization) == ["bn1"]
        and list(found.convolution) == ["conv1"]
    )
    assert all(row.rho_port <= 1 for row in found.gru["gru1"].free + found.gru["gru1"].forced)
    assert found.convolution["conv1"].visible and found.convolution["conv1"].flipped.max_abs == 0
    assert found.batch_normalization["bn1"].batch.measured["port"]["mean_u"] < 8
    assert found.clean.max_abs == 0
    assert [(trial.drift, trial.layers) for trial in found.worth] == [
        ("unflipped kernel", ["conv1"]),
        ("Chainer's GRU", ["gru1"]),
        ("stock Chainer throughout", ["conv1", "gru1"]),
    ]
    assert all(trial.final.max_abs > 1e-2 for trial in found.worth)
    assert json.loads(to_json(found))["name"] == "CRNN"


@pytest.fixture
def at_hand(net, monkeypatch):
    """No recorder: the net is every model's case. Returns the arguments that a case was made
    from.
    """
    asked = []
    monkeypatch.setattr("parity.model.case_for", lambda *arguments: asked.append(arguments) or net)
    monkeypatch.setattr(
        examination,
        "clips_of",
        lambda cases: dict.fromkeys(cases, SimpleNamespace(batch=None)),
    )
    monkeypatch.setattr(
        "parity.recording.recordings.traces",
        lambda batches, **_: {case: {"reference": None} for case in batches},
    )
    monkeypatch.setattr(examination, "train_phase", lambda *_: [])
    monkeypatch.setattr(processes, "_pool", ThreadPoolExecutor)
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    return asked


def run(*arguments):
    return CliRunner().invoke(
        Group(commands={"microscope": command.microscope}), ["microscope", *map(str, arguments)]
    )


def test_the_command_writes_one_document_and_a_line_for_each_trial(at_hand, tmp_path):
    out = tmp_path / "microscope.json"
    result = run(
        "--model",
        "CRNN",
        "--weights",
        "W.h5",
        "--clips",
        "A.npy",
        "B.npy",
        "--workers",
        1,
        "-o",
        out,
    )
    assert result.exit_code == 0, result.output
    written = drawn.read(out)
    assert [model["name"] for model in written["models"]] == ["CRNN"] and written[
        "data"
    ] == "seeded"
    assert (
        written["created"] == "2023-11-14T22:13:20Z"
        and written["environment"]["numpy"]
        and written["port"] == OURS
    )
    assert "CRNN\tunflipped kernel\tconv1\t" in result.output
    assert [path.name for path in tmp_path.iterdir()] == ["microscope.json"]
    assert at_hand == [("CRNN", "W.h5", ("A.npy", "B.npy"), None)]


def test_the_same_input_gives_the_same_bytes(at_hand, tmp_path):
    for folder in "ab":
        assert run("--model", "CRNN", "-o", tmp_path / folder / "microscope.json").exit_code == 0
    first, second = ((tmp_path / folder / "microscope.json").read_bytes() for folder in "ab")
    assert first == second


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "CNN9"], "no model called 'CNN9'; did you mean"),
        (["--weights", "W.h5"], "--weights belongs to one model"),
        (
            ["--model", "CRNN", "--port", "nowhere:steps"],
            "--port nowhere:steps: No module named 'nowhere'",
        ),
    ],
)
def test_bad_arguments_are_refused_and_nothing_is_written(at_hand, tmp_path, arguments, said):
    result = run(*arguments, "-o", tmp_path / "out" / "microscope.json")
    assert result.exit_code == 2 and said in result.output
    assert not list(tmp_path.iterdir())


def broken(port, **changed):
    steps = {name: changed.get(name, step) for name, step in port.steps.items()}
    return Callables({name: step for name, step in steps.items() if step})


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"bn1": None}, "the port has no layer bn1"),
        ({"bn1": lambda x: 1 // 0}, "the port's bn1 raised ZeroDivisionError: integer division"),
        (
            {"conv1": lambda x: x},
            r"the port's conv1 gives \(2, 1, 2, 7\) instead of \(2, 2, 2, 7\)",
        ),
    ],
)
def test_a_port_that_cannot_be_examined_is_refused(net, monkeypatch, changed, said):
    hand_over(monkeypatch, broken(examination.load(OURS, net), **changed))
    with pytest.raises(CannotRun, match=said):
        examination.examine(net, None)


def test_a_port_that_shows_no_inside_is_examined_by_its_outputs(net, monkeypatch):
    hand_over(monkeypatch, Callables(examination.load(OURS, net).steps))
    found = examination.examine(net, None)
    assert (
        found.gru["gru1"].sources["port"] == "float32, states only"
        and found.gru["gru1"].forced is None
    )
    assert found.batch_normalization["bn1"].batch.measured is None


def test_models_are_examined_side_by_side_in_their_own_order(at_hand, net, monkeypatch):
    monkeypatch.setattr(
        examination, "examine", lambda case, path, port: {"name": case.model.name, "port": port}
    )
    two = [net._replace(model=MODELS[name]) for name in ("CRNN", "CNN")]
    found = examination.examine_all(two, port="a:b", workers=2)
    assert found.models == [{"name": "CRNN", "port": "a:b"}, {"name": "CNN", "port": "a:b"}]
    assert found.train_phase == []
