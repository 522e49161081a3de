"""A port by name: an object, a mapping of callables, or a sentence saying why there is none."""

import sys
from types import ModuleType

import numpy as np
import pytest

from parity import ports
from parity.errors import CannotRun
from parity.model import MODELS, Case, Weights
from parity.port_api import Port, answer, ask, output
from parity.ports.callables import Callables, Replaced

CASE = Case(MODELS["CNN0"], Weights("none.h5"), (), "seeded")
X = np.ones((1, 2), np.float32)


def double(x):
    return 2 * x


def last(x):
    return 1 / (1 + np.exp(-x))


last.logits = lambda x: x


@pytest.fixture
def module(monkeypatch):
    """A module to be imported as `their_port`."""
    made = ModuleType("their_port")
    monkeypatch.setitem(sys.modules, "their_port", made)
    return made


def test_a_mapping_is_called_as_documented_and_becomes_a_port(module):
    asked = []
    module.steps = lambda *arguments: asked.append(arguments) or {"double": double, "last": last}
    port = ports.load("their_port:steps", CASE)
    assert asked == [("CNN0", CASE.weights, "1.0.6")]
    assert isinstance(port, Port) and port.layers == ("double", "last")
    assert port.run("double", X).tolist() == [[2, 2]] and port.logits(X) is X
    assert port(X) is None and port.describe() is None and port.versions == {}


def test_a_module_may_describe_and_date_its_mapping(module):
    module.steps = lambda *_: {"double": double}
    module.describe = lambda model, keras: {"double": {"by": 2, "for": f"{model} {keras}"}}
    module.versions = {"torch": "2.0"}
    port = ports.load("their_port:steps", CASE)
    assert port.describe() == {"double": {"by": 2, "for": "CNN0 1.0.6"}}
    assert port.versions == {"torch": "2.0"} and port.logits(X) is None


def test_a_port_of_its_own_is_taken_as_it_is(module):
    port = Callables({"double": double})
    module.port = lambda *_: port
    assert ports.load("their_port:port", CASE) is port


@pytest.mark.parametrize("name", ["nowhere:steps", "their_port:steps", "their_port", ""])
def test_what_cannot_be_imported_is_said(module, name):
    with pytest.raises(CannotRun, match=rf"^--port {name}: .* give module:function"):
        ports.load(name, CASE)


def test_weights_that_a_port_refuses_stop_the_run(module):
    def steps(*_):
        raise ValueError("conv1 has 3 filters")

    module.steps = steps
    with pytest.raises(CannotRun, match=r"^conv1 has 3 filters$"):
        ports.load("their_port:steps", CASE)


def test_replaced_layers_stand_before_the_ports_own():
    port = Replaced(Callables({"double": double, "last": last}), {"last": double})
    assert port.run("last", X).tolist() == [[2, 2]] and port.run("double", X).tolist() == [[2, 2]]
    assert port.logits(X) is None and port(X) is None
    assert Replaced(port.port, {"double": last}).logits(X) is X


def raises(x):
    raise ValueError("no\nsuch  kernel")


@pytest.mark.parametrize(
    ("step", "fault"),
    [
        (raises, "the port's it raised ValueError: no such kernel"),
        (list, "the port's it returned list, expected a NumPy array"),
        (lambda x: None, "the port's it returned NoneType, expected a NumPy array"),
    ],
)
def test_whatever_goes_wrong_is_one_sentence(step, fault):
    port = Callables({"it": step})
    found = answer(port, "it", X)
    assert (found.actual, found.fault, found.x) == (None, fault, X)
    with pytest.raises(CannotRun, match="the port's it r"):
        output(port, "it", X)


def test_a_missing_layer_and_an_optional_answer():
    assert answer(Callables({}), "it", X).fault == "the port has no layer it"
    assert ask("the port's logits", lambda x: None, X, optional=True).fault is None
