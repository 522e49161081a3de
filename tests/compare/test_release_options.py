"""On which Keras release a case is run, who named it, and what is remarked on."""

from types import SimpleNamespace

import h5py
import numpy as np
import pytest
from click.testing import CliRunner

from parity.cli import main
from parity.errors import CannotRun
from parity.fixtures import seeded
from parity.model import case_for
from parity.recording.stacks import KERAS_VERSIONS, STACKS
from parity.reports import summary
from parity.run import _worthless


@pytest.fixture
def weights(tmp_path):
    return seeded.weights("CNN0", tmp_path)


def says(path, release):
    with h5py.File(path, "a") as file:
        file.attrs["keras_version"] = release
    return path


def test_the_release_is_asked_for_or_the_files_or_assumed(weights):
    case = case_for("CNN0", weights)
    assert (case.model.stack, case.keras_from, case.remarks) == ("keras106", "assumed", [])
    case = case_for("CNN0", says(weights, "1.0.8"))
    assert (case.model.stack, case.keras_from, case.remarks) == ("keras108", "file", [])
    case = case_for("CNN0", weights, keras="1.2.2")
    assert (case.model.stack, case.keras_from) == ("keras122", "asked")
    assert case.remarks == [f"{weights.name} says that Keras 1.0.8 wrote it"]
    with pytest.raises(CannotRun, match=r"says that Keras 1\.1\.2 wrote it.*--keras"):
        case_for("CNN0", says(weights, "1.1.2"))
    assert case_for("CNN0", weights, keras="1.1.0").model.stack == "keras110"
    assert {stack.keras for stack in STACKS.values()} == {*KERAS_VERSIONS}


def test_the_conflict_of_crnn50_is_remarked_on_with_real_data(tmp_path):
    case = case_for("CRNN50", seeded.weights("CRNN50", tmp_path), seeded.clips(1))
    assert any("printed took them for variances" in remark for remark in case.remarks)
    assert case._replace(data="seeded").remarks == []


@pytest.mark.parametrize(
    "scores, is_said",
    [([[0, 0], [0.1, 0.2]], True), ([[0.1, np.nan]], True), ([[0.1, 0.2], [0.3, 0.2]], False)],
)
def test_scores_that_mean_nothing_are_remarked_on(scores, is_said):
    found = SimpleNamespace(scores={"expected": np.array(scores)})
    assert bool(_worthless(found)) == is_said
    assert _worthless(SimpleNamespace(scores=None)) == []


def test_every_output_says_who_named_the_release():
    stack = {"keras": "1.0.6", "theano": "1.0.5", "keras_from": "assumed"}
    model = {"name": "CNN", "stack": stack, "remarks": ["its scores are all 0"]}
    assert summary.stacks({"models": [model]}) == "Keras 1.0.6 (assumed) on Theano 1.0.5"
    assert summary.remarks({"models": [model]}) == ["CNN: its scores are all 0"]
    del stack["keras_from"], model["remarks"]  # a document of an older version
    assert summary.original(model) == "Keras 1.0.6" and summary.remarks({"models": [model]}) == []


def test_a_release_without_an_environment_is_refused():
    found = CliRunner().invoke(main, ["run", "--keras", "1.1.2"])
    assert found.exit_code == 2 and "'1.1.0'" in found.output
