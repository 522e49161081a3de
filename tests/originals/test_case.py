"""An original from outside becomes a case, or one sentence says what it lacks."""

import json

import h5py
import numpy as np
import pytest

from parity import originals
from parity.architecture import parse, read
from parity.errors import CannotRun
from parity.fixtures.gallery import made
from parity.port.from_keras import steps
from parity.recording.clips import clips_of
from parity.recording.job import Job


@pytest.fixture
def files(tmp_path):
    return made("siamese", tmp_path)


def case(files, **changes):
    given = {
        "original": str(files.definition),
        "weights": files.weights,
        "inputs": files.inputs,
        "keras": files.keras,
        **changes,
    }
    return originals.case_of(
        given.pop("original"), given.pop("weights"), given.pop("inputs"), **given
    )


def test_a_case_has_every_layer_and_every_call_its_arrays(files):
    found = case(files)
    assert found.model.layers == (
        "branch/hidden", "branch/code", "branch/hidden#2", "branch/code#2", "both", "same",
    )  # fmt: skip
    params = found.weights.params
    assert params["branch/hidden"]["W"].shape == (20, 12)
    assert params["branch/hidden#2"]["W"] is params["branch/hidden"]["W"]
    assert found.keras_from == "asked" and found.model.stack == "keras122"


def test_the_release_is_taken_from_the_description_where_none_is_asked_for(files):
    assert case(files, keras=None).keras_from == "file"


def test_weights_with_the_numbers_of_another_process_are_refused_by_their_reason(files, tmp_path):
    one = tmp_path / "one.json"
    kind = {"class_name": "Dense", "config": {"name": "dense_1", "output_dim": 2}}
    one.write_text(json.dumps({"class_name": "Sequential", "config": [kind]}))
    with h5py.File(tmp_path / "one.h5", "w") as file:
        file.attrs["layer_names"] = [b"dense_3"]
        file.create_group("dense_3").attrs["weight_names"] = [b"dense_3_W"]
        file["dense_3/dense_3_W"] = np.ones((3, 2), np.float32)
    found = case(files, original=str(one), weights=tmp_path / "one.h5", inputs=files.inputs[:1])
    with pytest.raises(CannotRun, match="has dense_3 where the model has dense_1"):
        _ = found.weights.params


def test_whole_models_need_no_weights_beside_them(files, tmp_path):
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file, h5py.File(files.weights) as weights:
        file.attrs["model_config"] = files.definition.read_text()
        file.attrs["keras_version"] = files.keras
        weights.copy(weights, file, "model_weights")
    found = case(files, original=str(whole), weights=None, keras=None)
    assert set(found.weights.params) == {*case(files).weights.params}


def test_inputs_are_one_array_each_and_part_of_the_key(files):
    found = case(files)
    heard = clips_of([found])[found]
    assert [heard.batch.shape, heard.others[0].shape] == [(3, 20), (3, 20)]
    job, other = (
        Job.of_case(found, "reference", heard.batch, others)
        for others in (heard.others, (heard.others[0] + 1,))
    )
    assert job.key != other.key


def wrong(tmp_path, files):
    """{what: (changes, what is said)}"""
    bare, nan, short, text = (tmp_path / name for name in ("b.json", "n.npy", "s.npy", "t.npy"))
    said = json.loads(files.definition.read_text())
    bare.write_text(json.dumps({key: said[key] for key in ("class_name", "config")}))
    np.save(nan, np.full((3, 20), np.nan, np.float32))
    np.save(short, np.zeros((2, 20), np.float32))
    np.save(text, np.full((3, 20), "a"))
    first = files.inputs[0]
    return {
        "no description": ({"original": "none.json"}, "none.json: no such file"),
        "no classes": ({"custom": "none.py"}, "none.py: no such file"),
        "no weights": ({"weights": None}, "holds no weights; give them with --weights"),
        "no release": ({"original": str(bare), "keras": None}, "give the release with --keras"),
        "an input too few": ({"inputs": [first]}, "has 2 inputs (left, right), and 1 were given"),
        "no input": ({"inputs": [first, "none.npy"]}, "none.npy: no such file"),
        "NaN": ({"inputs": [first, nan]}, "holds NaN or infinity"),
        "another count": ({"inputs": [first, short]}, "hold 3, 2 samples; give as many in each"),
        "text": ({"inputs": [first, text]}, "expected numbers of shape (samples, ...)"),
    }


@pytest.mark.parametrize(
    "what",
    ["no description", "no classes", "no weights", "no release", "an input too few", "no input",
     "NaN", "another count", "text"],
)  # fmt: skip
def test_what_is_lacking_is_said_in_one_sentence(what, files, tmp_path):
    changes, words = wrong(tmp_path, files)[what]
    with pytest.raises(CannotRun) as refused:
        clips_of([case(files, **changes)])
    assert words in str(refused.value) and "\n" not in str(refused.value)


def test_the_description_and_the_case_name_the_same_layers(files):
    nodes = parse(read(files.definition)).nodes
    assert case(files).model.layers == tuple(node.name for node in nodes if node.inbound)


def test_a_port_is_built_without_unknown_layers_and_not_without_arrays(files, tmp_path):
    said = json.loads(files.definition.read_text())
    strange, empty = tmp_path / "strange.json", tmp_path / "empty.h5"
    strange.write_text(json.dumps(said).replace('"Dense"', '"Highway"'))
    port = steps(str(strange), str(files.weights), "1.2.2")
    assert port.layers == ("both",) and set(port.lacks) == {"branch/hidden", "branch/code", "same"}
    assert port.lacks["same"].startswith("no Chainer link is known for Highway; give a port")
    assert port(*map(np.load, files.inputs)) is None
    with pytest.raises(CannotRun, match="layer branch/hidden: no Chainer link is known"):
        port.model(*map(np.load, files.inputs))
    strange.write_text(json.dumps(said).replace('"tanh"', '"selu"'))
    lacks = steps(str(strange), str(files.weights), "1.2.2").lacks
    assert lacks["branch/code"].startswith(
        "no Chainer link is known for Dense with activation='selu'"
    )
    strange.write_text(json.dumps(said).replace('"Dense"', '"Highway"').replace("Merge", "Lambda"))
    with pytest.raises(
        CannotRun, match="layer branch/hidden: no Chainer link is known for Highway"
    ):
        steps(str(strange), str(files.weights), "1.2.2")
    with h5py.File(empty, "w") as file:
        file.attrs["layer_names"] = np.array([], "S1")
    with pytest.raises(CannotRun, match="the weights hold no 'b' for it, but nothing; give those"):
        steps(str(files.definition), str(empty), "1.2.2")
    with h5py.File(empty, "w") as file:
        file.attrs["layer_names"] = np.array(["branch"], "S6")
        file["branch/param_0"] = np.ones((20, 12), np.float32)
        file["branch"].attrs["weight_names"] = np.array(["param_0"], "S7")
    with pytest.raises(CannotRun, match="arrays param_0 and so on, and only Keras knows"):
        steps(str(files.definition), str(empty), "1.2.2")


def test_the_built_port_is_called_as_a_whole_and_takes_other_weights(files):
    port = steps(str(files.definition), str(files.weights), "1.2.2")
    inputs = [np.load(path) for path in files.inputs]
    code = [port.run("branch/code", port.run("branch/hidden", x)) for x in inputs]
    scores = port.run("same", port.run("both", *code))
    assert np.array_equal(port(*inputs), scores)
    other = port.with_weights("same", {"b": np.full(1, 9, np.float32)})
    assert (other(*inputs) > scores).all() and np.array_equal(port(*inputs), scores)
    assert port.describe()["same"]["activation"] == "sigmoid"
    assert port.logits(port.run("both", *code)).shape == (3, 1)


def test_a_whole_model_of_another_backend_is_refused(files, tmp_path):
    whole = tmp_path / "whole.h5"
    with h5py.File(whole, "w") as file, h5py.File(files.weights) as weights:
        file.attrs["model_config"] = files.definition.read_text()
        file.attrs["keras_version"], file.attrs["backend"] = files.keras, "tensorflow"
        weights.copy(weights, file, "model_weights")
    with pytest.raises(CannotRun, match="was written on tensorflow"):
        _ = case(files, original=str(whole), weights=None).weights.params


def test_what_was_typed_chooses_it_again(files):
    assert case(files).model.asked_by == (
        f"--original {files.definition} --weights {files.weights} --keras 1.2.2 "
        f"--input {files.inputs[0]} --input {files.inputs[1]}"
    )
