"""A port by name runs in a process of its own; whatever it does there, it answers or says why."""

import contextlib
import operator
import os
import pickle
import re
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import their_ports
from their_ports import X

from parity import ports
from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.port_api import Port, Raised, answer, ask, inside, output
from parity.ports.adapters import adapted
from parity.ports.callables import Callables, Replaced

CASE = Case(MODELS["CNN0"], Weights("none.h5"), (), "seeded")


def load(name):
    return ports.load(f"their_ports:{name}", CASE)


def test_a_mapping_is_called_as_documented_and_becomes_a_port():
    assert load("told").layers == ("CNN0 none.h5 1.0.6",)
    port = load("steps")
    assert isinstance(port, Port) and port.layers == ("double", "last")
    assert np.array_equal(port.run("double", X), 2 * X) and np.array_equal(port.logits(X), X)
    assert port(X) is None and port.describe() is None and [*port.versions] == ["numpy"]
    assert inside(port, "double", X) is None
    said = "^--port their_ports:steps: while it was given other weights for double, it raised CannotRun"
    with pytest.raises(Raised, match=said) as caught:
        port.with_weights("double", {})
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_a_module_may_describe_and_date_its_mapping(tmp_path, monkeypatch):
    (tmp_path / "dated.py").write_text(
        "versions = {'torch': '2.0'}\n"
        "def steps(*_): return {'double': abs}\n"
        "def describe(model, keras): return {'double': {'by': 2, 'for': f'{model} {keras}'}}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    port = ports.load("dated:steps", CASE)
    assert port.describe() == {"double": {"by": 2, "for": "CNN0 1.0.6"}}
    assert port.versions["torch"] == "2.0" and port.logits(X) is None


def test_a_port_of_its_own_class_answers_everything():
    port = load("own")
    assert (port.name, port.versions, port.layers) == (
        "own",
        {"numpy": np.__version__, "torch": "2.0"},
        ("double",),
    )
    assert np.array_equal(port.run("double", X, X), 4 * X) and np.array_equal(port(X), X + 2)
    assert port.logits(X) is None
    assert port.describe() == {"double": {"by": 2, "pad": [1, 1], "np": 0.5}}
    seen = inside(port, "double", X, before=X + 1)
    assert np.array_equal(seen["x"], X) and np.array_equal(seen["before"], X + 1)
    other = port.with_weights("double", {"by": np.float32([5])})
    assert np.array_equal(other.run("double", X), 5 * X)
    assert np.array_equal(port.run("double", X), 2 * X)


@pytest.mark.parametrize("dtype", ["f4", ">f4", "f8", "f2", "i8", "?"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (300, 400, 5)])
def test_arrays_come_back_as_they_were_given(dtype, shape):
    given = np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype)
    found = ECHO().run("same", given)
    assert found.dtype == given.dtype and np.array_equal(found, given) and found.flags.writeable


def ECHO(made=[]):  # noqa: B006 - one for all
    return made[0] if made else made.append(load("habits")) or made[0]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nowhere:steps", "No module named 'nowhere'"),
        ("their_ports:missing", "module 'their_ports' has no function 'missing'"),
        ("their_ports:X", "module 'their_ports' has no function 'X'"),
        ("their_ports", "module 'their_ports' has no function ''"),
        ("", "Empty module name"),
    ],
)
def test_what_cannot_be_imported_is_said(name, said):
    with pytest.raises(CannotRun, match=rf"^--port {name}: {said}; give module:function"):
        ports.load(name, CASE)


def test_an_error_inside_a_module_shows_its_own_traceback_apart(tmp_path, monkeypatch):
    (tmp_path / "inner.py").write_text("import absent_thing\n")
    (tmp_path / "outer.py").write_text("print('outer is here')\nimport inner\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(CannotRun) as caught:
        ports.load("outer:steps", CASE)
    first, second, *lines = str(caught.value).splitlines()
    assert first == (
        "--port outer:steps: while it was imported, it raised ModuleNotFoundError: "
        "No module named 'absent_thing'"
    )
    assert second == "the port printed:" and lines[0] == "  outer is here"
    assert "inner.py" in "".join(lines) and "parity" not in "".join(lines)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("refuses", r"^conv1 has 3 filters$"),
        (
            "broken",
            r"while it was called for CNN0, it raised KeyError: 'conv1'\nthe port printed:\n(.|\n)*broken",
        ),
        ("empty", "it has no layers of CNN0"),
        ("nothing", "their_ports:nothing returned NoneType, expected a mapping"),
        ("leaves", "the port raised SystemExit: 0 while it was called for CNN0"),
    ],
)
def test_a_function_that_makes_no_port_stops_the_run(name, said):
    with pytest.raises(CannotRun, match=said):
        load(name)


@pytest.mark.parametrize("name", their_ports.ENDS)
def test_a_layer_that_ends_its_process_stops_the_run_in_a_sentence_with_its_name(name, monkeypatch):
    if "within" in (said := their_ports.ENDS[name][1]):
        monkeypatch.setenv("PARITY_PORT_TIMEOUT_S", "2")
    port, began = load("ends"), time.monotonic()
    with pytest.raises(CannotRun) as caught:
        answer(port, name, X)
        answer(port, name, X)  # where the answer came first
    first, *_ = str(caught.value).splitlines()
    assert re.search(rf"the port ({said}).* while its {name} was asked", first)
    assert time.monotonic() - began < 10
    with pytest.raises(CannotRun, match=f"while its {name} was asked"):
        port.run("os_exit", X)
    assert type(pickle.loads(pickle.dumps(caught.value))) is type(caught.value)


def test_what_was_printed_before_a_crash_is_shown():
    with pytest.raises(CannotRun, match=r"the port printed:\n  Fatal Python error: Seg"):
        answer(load("ends"), "segfault", X)


@pytest.mark.parametrize("name", their_ports.HARMLESS)
def test_what_does_no_harm_is_let_be(name, capfd):
    port = load("harmless")
    for _ in range(3):
        found = answer(port, name, X)
        assert found.fault is None and np.array_equal(found.actual, 2 * X)
    assert capfd.readouterr() == ("", "")


def test_what_a_port_prints_is_kept_apart_and_cannot_steer_the_terminal():
    port = load("harmless")
    answer(port, "prints", X)
    time.sleep(0.2)
    printed = port.process.printed.lines()
    assert printed.endswith("  noise\n  straight to the descriptor") and len(printed) < 2000
    assert "\x1b" not in printed


@pytest.mark.parametrize("name", their_ports.HABITS)
def test_habits_are_seen_and_change_no_array_of_the_harness(name):
    port, given, first = load("habits"), X.copy(), None
    for _ in range(2):
        found = answer(port, name, given)
        assert np.array_equal(given, X)
        first = found.actual if first is None else first
        answer(port, name, X + 1)  # a scratch buffer is written anew
    assert np.array_equal(first, (1 if name == "same" else 2) * X)
    assert found.habits == their_ports.HABITS[name][1]


@pytest.mark.parametrize("name", their_ports.NO_ARRAYS)
def test_whatever_goes_wrong_is_one_sentence(name):
    said = rf"^the port's {name} {their_ports.NO_ARRAYS[name][1]}"
    for port in (load("no_arrays"), Callables(their_ports.no_arrays())):
        found = answer(port, name, X)
        assert found.actual is None and found.x is X and re.search(said, found.fault)
        with pytest.raises(CannotRun, match=said):
            output(port, name, X)


def test_a_port_sees_inputs_only(monkeypatch, tmp_path):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    with open(tmp_path / "expected.h5", "w") as file:
        os.set_inheritable(file.fileno(), True)
        assert [
            name for name in load("sees").layers if not re.match("fd (socket|/memfd)", name)
        ] == ["nothing else"]


def test_nothing_is_left_running_once_nobody_holds_the_port():
    port = load("harmless")
    answer(port, "forks", X), answer(port, "starts_a_program", X)
    group = port.process.process.pid
    assert len(running(group)) >= 2
    del port
    deadline = time.monotonic() + 5
    while running(group) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(group)


def running(group):
    """The processes of a group that are no zombies."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, of_group, *_ = path.read_text().rpartition(")")[2].split()
            found += [path] * (int(of_group) == group and state != "Z")
    return found


def test_a_small_question_takes_less_than_a_millisecond():
    port = load("steps")
    port.run("double", X)
    began = time.process_time()
    for _ in range(200):
        port.run("double", X)
    assert time.process_time() - began < 200e-3


def test_replaced_layers_stand_before_the_ports_own():
    port = Replaced(
        Callables({"double": their_ports.double, "last": their_ports.last}),
        {"last": their_ports.double},
    )
    assert np.array_equal(port.run("last", X), 2 * X) and np.array_equal(
        port.run("double", X), 2 * X
    )
    assert port.logits(X) is None and port(X) is None
    assert Replaced(port.port, {"double": their_ports.last}).logits(X) is X


def test_a_missing_layer_and_an_optional_answer():
    assert answer(Callables({}), "it", X).fault == "the port has no layer it"
    assert ask("the port's logits", lambda x: None, X, optional=True).fault is None


class Traced:
    """A node of torch.fx's graph."""

    def __init__(self, op, name, target, *args):
        self.op, self.name, self.target, self.args, self.kwargs = op, name, target, args, {}
        self.all_input_nodes = [each for each in args if isinstance(each, Traced)]

    @staticmethod
    def map_arg(of, change):
        args, more = of
        return tuple(change(each) if isinstance(each, Traced) else each for each in args), more


def test_steps_of_a_torch_network_that_are_no_modules_have_names(monkeypatch):
    x = Traced("placeholder", "x", "x")
    conv = Traced("call_module", "conv", "conv", x)
    samples = Traced("call_function", "getitem", operator.getitem,
                     Traced("call_function", "getattr_1", getattr, x, "shape"), 0)  # fmt: skip
    flat = Traced("call_method", "reshape", "reshape", conv, samples, -1)
    scaled = Traced("call_function", "mul", operator.mul, flat, Traced("get_attr", "g", "gain.by"))
    graph = SimpleNamespace(nodes=[x, conv, samples, flat, scaled])
    fx = SimpleNamespace(symbolic_trace=lambda network: SimpleNamespace(graph=graph))
    tensor = type("Tensor", (), {})
    torch = SimpleNamespace(
        fx=fx, nn=SimpleNamespace(Module=SimpleNamespace), __version__="2", Tensor=tensor,
        from_numpy=np.array, inference_mode=contextlib.nullcontext,
    )  # fmt: skip
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch.fx.node", Traced)
    network = SimpleNamespace(
        named_modules=lambda: [("", None), ("conv", abs)], gain=SimpleNamespace(by=np.float32(3))
    )
    network.eval = lambda: network
    port = adapted(network, ["conv", "reshape", "mul", "relu"])
    assert port.layers == ("conv", "reshape", "mul")
    assert port.run("reshape", np.ones((5, 2, 3), np.float32)).shape == (5, 6)
    assert np.array_equal(port.run("mul", X), 3 * X) and np.array_equal(port.run("conv", -X), X)
    fx.symbolic_trace = None
    assert adapted(network, ["conv", "mul"]).layers == ("conv",)
