"""The pytest plugin: a test for each layer of a project file, which says all where it fails."""

import shutil
from pathlib import Path

import pytest

from parity.fixtures.gallery import made

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
LAYERS = 8  # of LeNet
PORT = """
from parity.port.from_keras import steps as built

def steps(model, weights, keras):
    port = built(str(model), str(weights), keras)
    return {name: CHANGED.get(name, lambda f: f)(lambda *x, name=name: port.run(name, *x))
            for name in port.layers} | MORE
"""


@pytest.fixture
def project(pytester, monkeypatch):
    """A folder with a project of LeNet and a port of its own."""
    monkeypatch.syspath_prepend(str(ROOT))
    files = made("lenet", pytester.path)
    shutil.copy(files.definition, pytester.path)

    def write(changed="{}", more="{}", rest=""):
        pytester.makepyfile(mine=f"CHANGED = {changed}\nMORE = {more}\n{PORT}")
        (pytester.path / "parity.toml").write_text(
            '[models.net]\noriginal = "lenet.json"\nweights = "lenet.h5"\n'
            f'keras = "{files.keras}"\ninputs = ["lenet-0.npy"]\nport = "mine:steps"\n{rest}'
        )
        return pytester

    return write


def run(pytester, *words):
    return pytester.runpytest_inprocess(
        "-p", "parity.pytest_plugin", "-p", "no:cacheprovider", *words
    )


def test_a_project_file_is_one_test_for_each_layer(project):
    done = run(project(), "parity.toml", "-v")
    done.assert_outcomes(passed=LAYERS)
    done.stdout.fnmatch_lines(["*net-c1 PASSED*", "*net-output PASSED*"])


def test_it_is_collected_where_it_is_named_alone(project):
    run(project(), ".").assert_outcomes()


TEST = "def test_layer(parity_case):\n    parity_case.check()\n"


def test_what_fails_says_verdict_worst_element_and_cause_and_what_is_strange_fails_the_last(
    project,
):
    pytester = project(
        "{'f6': lambda f: (lambda x: __import__('numpy').roll(f(x), 1, axis=0))}",
        "{'extra': lambda x: x}",
    )
    pytester.makepyfile(TEST)
    done = run(pytester)
    done.assert_outcomes(passed=LAYERS - 2, failed=2)  # it, and the one that inherits it
    done.stdout.fnmatch_lines(
        ["*net / f6 (isolated): the port differs*", "*worst * at (b=*", "*explained by: clips in*"]
    )
    done.stdout.fnmatch_lines(["*the original and the declared list have no layer extra*"])


@pytest.mark.parametrize("words", [["parity.toml"], []], ids=["the file", "the fixture"])
def test_a_project_that_cannot_be_proved_is_one_sentence(project, words):
    pytester = project(rest='custom = "gone.py"\n')
    pytester.makepyfile(TEST)
    done = run(pytester, *words)
    done.stdout.fnmatch_lines(["*gone.py: no such file; give the Python file*"])
    assert done.ret == 2
    pytester = project(rest='[models.net.names]\nc1 = "nothing"\n')
    done = run(pytester, *words)
    done.assert_outcomes(**{"failed" if words else "errors": LAYERS})
    done.stdout.fnmatch_lines(["*no layer of the port for c1 called 'nothing'*"])


def test_without_a_project_one_sentence_says_so(pytester):
    pytester.makepyfile(TEST)
    done = run(pytester)
    done.stdout.fnmatch_lines(["*there is no parity.toml; `parity init` writes one*"])
    assert done.ret == 2
