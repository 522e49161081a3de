"""What the gate asks a port is asked of the port that runs, and not of what was kept of it."""

import json

import pytest

from parity import ports
from parity.errors import CannotRun
from parity.gate.changes import changes
from parity.identity import identity
from parity.model import MODELS, Case, Weights

PORT = """
from settings_of import EPS
def steps(model, weights, keras):
    return {"bn1": abs}
def describe(model, keras):
    return {"bn1": {"eps": EPS}}
"""


@pytest.fixture
def case(tmp_path, monkeypatch):
    weights = Weights(tmp_path / "w.h5")
    vars(weights).update(params={}, sha256="0" * 64)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "port_of").mkdir()
    (tmp_path / "port_of" / "steps_of.py").write_text(PORT)
    return Case(MODELS["CNN0"], weights, (), "seeded")


@pytest.mark.parametrize("said", ["EPS = {}", "import json; EPS = json.load(open('{folder}/eps'))"])
def test_an_eps_from_another_module_or_file_is_seen_to_change(case, tmp_path, said):
    found = []
    for eps in ("1e-06", "2e-06"):
        (tmp_path / "eps").write_text(eps)
        (tmp_path / "settings_of.py").write_text(said.format(eps, folder=tmp_path))
        found.append(identity(case, None, ports.load("port_of.steps_of:steps", case)))
    assert changes(found[1], found[0]) == [("bn1", "the port: eps is 2e-06, was 1e-06")]
    assert json.dumps(found[0])


def test_a_port_that_says_no_json_of_itself_is_refused(case, tmp_path):
    (tmp_path / "settings_of.py").write_text("EPS = object()")
    port = ports.load("port_of.steps_of:steps", case)
    with pytest.raises(
        CannotRun, match="while it described itself, it returned object, which JSON"
    ):
        identity(case, None, port)
