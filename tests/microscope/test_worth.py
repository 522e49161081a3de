"""What a replaced step costs at its layer, at the end and in the tags; the chain starts at the
first replaced layer.
"""

import numpy as np
import pytest
from click.testing import CliRunner

from parity.ports.callables import Callables
from parity.studies.microscope import stock
from parity.studies.microscope.command import line
from tests.kinds.recorded_layers import F, Recorded, layer

NAMES = ("jazz", "rock", "folk")


@pytest.fixture
def net():
    """input -> double -> add -> last, 2 clips of 3 tags, all exact."""
    x = np.array([[3, 2, 1], [1, 2, 3]], F)
    outputs = {"input_1": (layer("InputLayer", "input_1"), x)}
    steps = {"double": lambda x: x * F(2), "add": lambda x: x + F(1), "last": lambda x: x / F(8)}
    before = "input_1"
    for name, step in steps.items():
        x = step(x)
        outputs[name] = (layer("Dense", name, [before]), x)
        before = name
    return Recorded(outputs), steps


def test_a_step_costs_what_it_changes_there_and_at_the_end(net):
    reference, steps = net
    steps["double"] = None  # before the replaced layer nothing runs
    swap = np.array([0, 2, 0], F)
    found = stock.worth(
        reference,
        Callables(steps),
        stock.Trial("shifted", {"add": lambda x: x + F(1) + swap}),
        NAMES,
    )
    assert found.layers == ["add"] and found.start == "add"
    assert found.at_layer["add"].max_abs == 2 and found.final.max_abs == 0.25
    assert found.final.finite
    assert [(tag.expected, tag.actual, tag.changed) for tag in found.tags] == [
        ("jazz", "jazz", False),
        ("folk", "rock", True),
    ], "of two equal scores the first tag is on top"
    assert [tag.tau for tag in found.tags] == [1, pytest.approx(1 / 3)]


def test_tags_are_ranked_by_logits_where_both_sides_have_them(net):
    """Scores collide at 1 on float32's grid: there the first tag would win."""
    reference, steps = net
    logits = {
        "expected": np.array([[17, 18, 1], [1, 2, 3]], F),
        "actual": np.array([[18, 17, 1], [1, 2, 3]], F),
    }
    reference.read_pre_activation = lambda name: logits["expected"]
    found = stock.worth(
        reference, Callables(steps), stock.Trial("shifted", {"add": lambda x: x}), NAMES
    )
    assert [tag.expected for tag in found.tags] == ["jazz", "folk"], (
        "a step without logits leaves the scores"
    )
    steps["last"].logits = lambda x: logits["actual"]
    found = stock.worth(
        reference, Callables(steps), stock.Trial("shifted", {"add": lambda x: x}), NAMES
    )
    assert [(tag.expected, tag.actual) for tag in found.tags] == [
        ("rock", "jazz"),
        ("folk", "folk"),
    ]


def test_a_changed_answer_is_seen(net):
    reference, steps = net
    found = stock.worth(
        reference,
        Callables(steps),
        stock.Trial("turned", {"double": lambda x: -x, "last": lambda x: x}),
        NAMES,
    )
    assert [(tag.expected, tag.actual, tag.changed, tag.jaccard) for tag in found.tags] == [
        ("jazz", "folk", True, 0),
        ("folk", "jazz", True, 0),
    ]
    assert found.layers == ["double", "last"]
    assert "2 layers" in line("CRNN", found) and "jazz -> folk" in line("CRNN", found)


def test_every_layer_alone_all_of_a_drift_and_all_that_stock_chainer_does():
    def step(x):
        return x

    replacements = {
        "unflipped kernel": {"conv1": step, "conv2": step},
        "Chainer's BatchNormalization": {"bn1": step},
        "published BatchNormalization": {"bn1": step},
        "Chainer's GRU": {},
    }
    found = [(trial.drift, list(trial.replaced)) for trial in stock.trials(replacements)]
    assert found == [
        ("unflipped kernel", ["conv1"]),
        ("unflipped kernel", ["conv2"]),
        ("unflipped kernel", ["conv1", "conv2"]),
        ("Chainer's BatchNormalization", ["bn1"]),
        ("published BatchNormalization", ["bn1"]),
        (stock.ALL, ["conv1", "conv2", "bn1"]),
    ]


def test_an_unknown_model_lists_the_known_ones(tmp_path):
    from parity.studies.microscope.command import microscope as command

    result = CliRunner().invoke(command, ["--model", "CNN9", "-o", str(tmp_path / "out.json")])
    assert "CRNN, CRNN50, CNN0, CNN" in str(result.exception)
    assert not list(tmp_path.iterdir())
