"""A project file names the models of somebody's own folder, or one sentence says what is wrong."""

import shutil
import tomllib

import numpy as np
import pytest
from click.testing import CliRunner

from parity import project
from parity.cli import main
from parity.errors import CannotRun
from parity.fixtures.gallery import made
from parity.model import DEFAULT_MODELS, ENTRIES, MODELS, SHIPPED
from parity.ports import BUILT, OURS, PREFIX, of_case


@pytest.fixture
def folder(tmp_path):
    files = made("siamese", tmp_path)
    shutil.copy(files.definition, tmp_path)
    return tmp_path


TABLE = """[models.net]
original = "siamese.json"
weights = "siamese.h5"
inputs = ["siamese-0.npy", "siamese-1.npy"]
"""


def cases(folder, text, name="parity.toml", **asked):
    (folder / name).write_text(text)
    return project.cases(folder=folder, **asked)


def test_a_model_of_the_file_is_a_case_with_its_port_and_tags(folder):
    (case,) = cases(folder, f'{TABLE}port = "mine:port"\ntags = ["same"]\n')
    assert (case.model.name, case.model.tags, case.model.port) == ("net", ("same",), "mine:port")
    assert case.transforms == frozenset()
    (other,) = cases(folder, f'{TABLE}allow-transform = ["same"]\n')
    assert other.transforms == {"same"} == project.allowing([other], [])[0].transforms
    assert case.weights.params["same"]["W"].shape == (12, 1)
    assert of_case(OURS, case) == "mine:port" and of_case("asked:for", case) == "asked:for"


def test_a_port_is_built_where_none_is_named_and_may_be_a_command(folder):
    (case,) = cases(folder, TABLE)
    assert of_case(OURS, case) == BUILT
    (case,) = cases(folder, f'{TABLE}port-command = "python port.py"\n')
    assert of_case(OURS, case) == f"{PREFIX}python port.py"


def test_pyproject_may_hold_it_and_the_own_file_comes_first(folder):
    shared = TABLE.replace("[models.", "[tool.parity.models.")
    assert cases(folder, shared, "pyproject.toml")[0].model.name == "net"
    assert cases(folder, TABLE.replace("net", "own"))[0].model.name == "own"


def test_without_one_the_taggers_are_meant(tmp_path):
    (tmp_path / "pyproject.toml").write_text("[tool.other]\n")
    assert project.cases(["CNN"], folder=tmp_path)[0].model.name == "CNN"


def test_models_and_layers_are_asked_for_by_name(folder):
    chosen = cases(folder, TABLE + TABLE.replace("net", "other"), models=["other"])
    assert [case.model.name for case in chosen] == ["other"]
    assert project.layers_of(chosen, ["same"]) == ("same",)
    with pytest.raises(CannotRun, match="did you mean same"):
        project.layers_of(chosen, ["some"])
    with pytest.raises(CannotRun, match="did you mean net"):
        cases(folder, TABLE, models=["nett"])


def test_the_taggers_are_such_a_file(tmp_path):
    """A copy of it, with the files that it names beside it, gives the taggers' own cases."""
    entries = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))["models"]
    assert project._checked(SHIPPED, {"models": entries}) == ENTRIES
    shutil.copytree(SHIPPED.parent, tmp_path, dirs_exist_ok=True)
    for entry in entries.values():
        for name in (entry["weights"], *entry["clips"]):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(b"")
    found = {case.model.name: case for case in project.cases(folder=tmp_path)}
    assert tuple(found) == DEFAULT_MODELS
    found["CRNN50"], *_ = project.cases(["CRNN50"], folder=tmp_path)
    for name, case in found.items():
        shared = ("name", "stack", "layers", "tags", "of_clips", "port")
        assert all(getattr(case.model, key) == getattr(MODELS[name], key) for key in shared)
        assert [str(path.relative_to(tmp_path)) for path in case.clips] == ENTRIES[name]["clips"]


@pytest.mark.parametrize(
    "text, words",
    [
        ("[models", "cannot be read"),
        ("", "has to hold tables"),
        ("[models]\n", "has to hold tables"),
        ("[other]\n", "has to hold tables"),
        ("[models]\nnet = 1\n", "models.net is no table"),
        (TABLE.replace("weights", "wieghts"), "has wieghts, which is not known; weights"),
        (TABLE.replace('"siamese.h5"', "7"), "models.net.weights has to be text"),
        (TABLE + "tags = [1]\n", "models.net.tags has to be a list of texts, or a file"),
        (TABLE + "tags = 'none.txt'\n", "none.txt: no tags can be read"),
        (TABLE + "only-when-named = 'no'\n", "only-when-named has to be true or false"),
        (TABLE + "allow-transform = ['some']\n", "did you mean same"),
        (TABLE + "clips = ['a.mp3']\n", "has inputs and clips; leave one away"),
        ('[models.net]\nweights = "w.h5"\n', "has no original"),
        (f'{TABLE}port = "a:b"\nport-command = "c"\n', "has port and port-command; leave"),
        (TABLE.replace("siamese.json", "gone.json"), "gone.json: no such file"),
    ],
)
def test_what_is_wrong_in_it_is_said_in_one_sentence(folder, text, words):
    with pytest.raises(CannotRun) as refused:
        cases(folder, text)
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_what_the_file_says_is_not_said_again(folder):
    with pytest.raises(CannotRun, match="leave out --weights"):
        cases(folder, TABLE, keras="1.1.0")


@pytest.mark.parametrize("name", ["siamese", "text", "lenet"])
def test_a_project_is_begun_with_inputs_of_the_right_shapes(name, tmp_path):
    files = made(name, tmp_path)
    shutil.copy(files.definition, tmp_path)
    said = project.written(f"{name}.json", f"{name}.h5", [], folder=tmp_path)
    assert said[-1].endswith("now run: parity run") and len(said) == 1 + len(files.inputs)
    (case,) = project.cases(folder=tmp_path)
    for path, like in zip(case.clips, map(np.load, files.inputs), strict=True):
        array = np.load(path)
        assert array.shape[1:] == like.shape[1:] and array.dtype == like.dtype
    with pytest.raises(CannotRun, match="is there already"):
        project.written(f"{name}.json", f"{name}.h5", [], folder=tmp_path)


def test_nothing_is_written_of_a_model_that_lacks_something(folder):
    before = sorted(folder.iterdir())
    with pytest.raises(CannotRun, match="holds no weights"):
        project.written("siamese.json", None, [], folder=folder)
    assert sorted(folder.iterdir()) == before


def test_the_command_begins_a_project_and_originals_stand_alone(folder, monkeypatch):
    monkeypatch.chdir(folder)

    def ended(*words):
        done = CliRunner().invoke(main, [*words])
        return done.exit_code, done.output

    code, said = ended("init", "siamese.json", "siamese.h5", "--keras", "1.2.2")
    assert code == 0 and "now run: parity run" in said
    assert ended("run", "--layer", "sane")[0] == 2
    assert ended("probe", "--layer", "sane")[0] == 2
    assert ended("run", "--input", "x.npy")[0] == 2
    code, said = ended("probe", "--port", "a:b", "--port-command", "true")
    assert code == 2 and "are two ports" in said
    assert ended("run", "--original", "siamese.json", "--model", "CNN")[0] == 2
    assert ended("run", "--original", "siamese.json", "--weights", "siamese.h5")[0] == 2
