"""The walk along a recorded original: what the port is given, and what becomes of steps that are
missing, misplaced or broken.
"""

from typing import NamedTuple

import numpy as np
import pytest

from parity.compare.walk import MODES, NOT_ASKED, network_order, walk
from parity.ports.callables import Callables
from parity.recording.trace import array_sha256


class Layer(NamedTuple):
    name: str
    kind: str
    inbound: list


class Recorded:
    """A trace in memory: doubling, then adding one, then squaring."""

    def __init__(self):
        x = np.array([[1.5, -2.0]], np.float32)
        outputs = {"input_1": x, "double": 2 * x, "add": 2 * x + 1, "square": (2 * x + 1) ** 2}
        names = list(outputs)
        self.outputs, self.provenance = outputs, {}
        self.layers = {
            name: Layer(name, "Lambda" if at else "InputLayer", names[at - 1 : at] if at else [])
            for at, name in enumerate(names)
        }

    def read(self, name):
        return self.outputs[name]


STEPS = {"double": lambda x: 2 * x, "add": lambda x: x + np.float32(1), "square": lambda x: x * x}


def taken(steps):
    return {step.layer.name: step for step in walk(Recorded(), Callables(steps))}


def test_network_order_leaves_the_input_out():
    assert network_order(Recorded()) == ["double", "add", "square"]


def test_a_right_port_is_given_the_original_input_and_its_own():
    steps = taken(STEPS)
    assert list(steps) == ["double", "add", "square"]
    assert all(
        np.array_equal(step.isolated.actual, step.expected) and step.isolated.fault is None
        for step in steps.values()
    )
    assert steps["square"].chained.x is steps["square"].x, "equal inputs are run once"


def test_the_chain_runs_on_its_own_output_and_the_isolated_layer_on_the_original():
    steps = taken({**STEPS, "double": lambda x: 3 * x})
    assert np.array_equal(steps["add"].isolated.actual, steps["add"].expected)
    assert np.array_equal(steps["add"].chained.x, [[4.5, -6.0]])
    assert np.array_equal(steps["square"].chained.actual, [[30.25, 25.0]])


def test_a_wrong_sign_of_zero_is_not_the_same_input():
    recorded = Recorded()
    recorded.outputs["double"] = np.zeros((1, 2), np.float32)
    given = {}
    steps = {
        **STEPS,
        "double": lambda x: -np.zeros_like(x),
        "add": lambda x: given.setdefault(len(given), x) + np.float32(1),
    }
    list(walk(recorded, Callables(steps)))
    assert [np.signbit(x).any() for x in given.values()] == [False, True]


def test_a_missing_step_is_a_fault_and_the_chain_stays_broken():
    steps = taken({name: STEPS[name] for name in ("double", "square")})
    assert steps["add"].isolated.fault == "the port has no layer add"
    assert steps["square"].isolated.fault is None
    assert steps["square"].chained.fault == "the chain broke at add: the port has no layer add"


def test_a_step_that_raises_is_a_fault_of_that_layer_alone():
    def broken(x):
        raise RuntimeError("no such kernel")

    steps = taken({**STEPS, "double": broken})
    assert steps["double"].isolated.fault == "the port's double raised RuntimeError: no such kernel"
    assert steps["add"].isolated.fault is None


def test_a_step_that_returns_no_array_is_a_fault():
    assert (
        "returned list, expected a NumPy array"
        in taken({**STEPS, "add": list})["add"].isolated.fault
    )


def test_steps_in_another_order_break_the_chain_where_they_part():
    steps = taken({name: STEPS[name] for name in ("add", "double", "square")})
    assert "another order (add double square)" in steps["double"].chained.fault
    assert all(step.isolated.fault is None for step in steps.values())


@pytest.mark.parametrize("extra", ["unknown", "input_2"])
def test_a_step_only_the_port_has_does_not_disturb_the_others(extra):
    assert all(step.chained.fault is None for step in taken({extra: lambda x: x, **STEPS}).values())


class Graph(Recorded):
    """Two branches of one input that are merged, and the input again beside what they make."""

    def __init__(self):
        x = np.array([[1.5, -2.0]], np.float32)
        both = {"double": 2 * x, "half": x / 2, "merge": 2.5 * x, "beside": 5 * x}
        self.outputs = {"input_1": x, **both}
        inbound = {
            "double": ["input_1"],
            "half": ["input_1"],
            "merge": ["double", "half"],
            "beside": ["double", "double", "input_1"],
        }
        self.layers = {"input_1": Layer("input_1", "InputLayer", [])} | {
            name: Layer(name, "Lambda", sources) for name, sources in inbound.items()
        }


BRANCHES = {
    "half": lambda x: x / np.float32(2),
    "double": lambda x: 2 * x,
    "merge": lambda a, b: a + b,
    "beside": lambda a, b, c: a + b + c,
}


def test_a_graph_is_followed_along_what_each_layer_reads():
    steps = {step.layer.name: step for step in walk(Graph(), Callables(BRANCHES))}
    assert [len(step.inputs) for step in steps.values()] == [1, 1, 2, 3]
    for mode in ("isolated", "chained"):
        answers = {name: getattr(step, mode) for name, step in steps.items()}
        assert all(answer.fault is None for answer in answers.values()), "no chain, no one order"
        assert all(np.array_equal(answers[name].actual, steps[name].expected) for name in steps)


def test_a_broken_branch_breaks_only_what_reads_it():
    port = Callables({**BRANCHES, "half": lambda x: 1 // 0})
    steps = {step.layer.name: step for step in walk(Graph(), port)}
    assert "chain broke at half" in steps["merge"].chained.fault
    assert steps["beside"].chained.fault is None
    assert all(steps[name].isolated.fault is None for name in ("double", "merge", "beside"))


def test_a_chain_alone_reads_nothing_but_the_input():
    graph = Graph()
    graph.outputs = {"input_1": graph.outputs["input_1"]}
    steps = {step.layer.name: step for step in walk(graph, Callables(BRANCHES), ("chained",))}
    assert steps["beside"].chained.actual.tolist() == [[7.5, -10.0]]
    assert steps["beside"].isolated is NOT_ASKED and steps["beside"].expected is None


def test_answers_that_are_known_are_said_to_be_unchanged_in_their_mode():
    known = {
        (mode, name): array_sha256(getattr(step, mode).actual)
        for name, step in taken(STEPS).items()
        for mode in MODES
    }
    wrong = Callables({**STEPS, "add": lambda x: x + np.float32(2)})
    steps = {step.layer.name: step.unchanged for step in walk(Recorded(), wrong, MODES, known)}
    assert steps == {"double": {*MODES}, "add": set(), "square": {"isolated"}}
    assert not any(step.unchanged for step in taken(STEPS).values()), "nothing was known"


def test_layers_that_are_alike_are_not_asked_until_the_chain_leaves_the_known_one():
    sound = taken(STEPS)
    known = {
        (mode, name): array_sha256(getattr(step, mode).actual)
        for name, step in sound.items()
        for mode in MODES
    }
    asked = []

    def heard(name, step):
        return lambda *inputs: asked.append(name) or step(*inputs)

    wrong = {**STEPS, "add": lambda x: x + np.float32(2)}
    port = Callables({name: heard(name, step) for name, step in wrong.items()})
    alike = {name: step.chained.actual for name, step in sound.items() if name != "add"}
    steps = {step.layer.name: step for step in walk(Recorded(), port, MODES, known, alike)}
    assert asked == ["add", "add", "square"] or asked == ["add", "square"]
    unchanged = {name: step.unchanged for name, step in steps.items()}
    assert unchanged == {"double": {*MODES}, "add": set(), "square": {"isolated"}}
    whole = {step.layer.name: step for step in walk(Recorded(), Callables(wrong), MODES, known)}
    for name, step in steps.items():
        assert np.array_equal(step.chained.actual, whole[name].chained.actual)
