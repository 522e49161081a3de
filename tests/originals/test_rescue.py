"""`parity export` and `parity rescue`: an ONNX file of a Keras model, with its proof."""

import json

import numpy as np
import onnx
import onnxruntime
import pytest
from click.testing import CliRunner

from parity import project, rescue
from parity.cli import main
from parity.errors import CannotRun
from parity.fixtures.gallery import made


@pytest.fixture
def call(tmp_path, monkeypatch):
    def run(*words):
        done = CliRunner().invoke(main, [str(word) for word in words])
        return done.exit_code, done.output

    monkeypatch.chdir(tmp_path)
    return run


@pytest.mark.slow
def test_rescue_leaves_a_file_that_is_proved_and_runs(call, tmp_path):
    files = made("lenet", tmp_path)
    code, said = call(
        "rescue", files.definition, files.weights, "--input", files.inputs[0], "-o", "net.onnx"
    )
    assert code == 0 and "net.onnx: HOLDS. It runs by" in said, said
    held = {each.key: each.value for each in onnx.load("net.onnx").metadata_props}
    assert held["proof"] == "HOLDS" and "onnxruntime" in held["proved_by"], held
    document = json.loads((tmp_path / "reports/out/parity.json").read_text())
    fused = document["models"][0]["whole_call"]["fused"]
    assert document["port"] == "net.onnx" and fused["holds"] and fused["layers"], fused
    session = onnxruntime.InferenceSession("net.onnx")
    x = np.load(files.inputs[0])
    assert session.run(None, {session.get_inputs()[0].name: x})[0].shape[0] == len(x)


@pytest.mark.slow
def test_what_does_not_hold_is_left_only_where_asked(call, tmp_path, monkeypatch):
    sound = rescue.written

    def spoilt(case, **more):
        model = sound(case, **more)
        node = next(node for node in model.graph.node if node.op_type == "Tanh")
        node.op_type = "Sigmoid"
        return model

    monkeypatch.setattr(rescue, "written", spoilt)
    files = made("lenet", tmp_path)
    asked = ("rescue", files.definition, files.weights, "--input", files.inputs[0], "-o", "n.onnx")
    code, said = call(*asked)
    assert code == 1 and "n.onnx is not written: it does not hold" in said, said
    assert not (tmp_path / "n.onnx").exists()
    code, said = call(*asked, "--unproved")
    held = {each.key: each.value for each in onnx.load("n.onnx").metadata_props}
    assert code == 1 and held["proof"] == "DRIFTS", said


def test_export_writes_a_tagger_without_proof(call, tmp_path):
    code, said = call("export", "CRNN", "-o", "crnn.onnx")
    assert code == 0 and "crnn.onnx: CRNN, not proved yet" in said, said
    held = {each.key: each.value for each in onnx.load("crnn.onnx").metadata_props}
    assert "proof" not in held and len(json.loads(held["tags"])) == 10, held
    assert call("export", "CRNN", "-o", "crnn.onnx")[0] == 0  # its own file, written again


@pytest.mark.parametrize(
    "words, said",
    (
        (["CRN", "-o", "n.onnx"], "no model called 'CRN'"),
        (["CRNN", "-o", "n.txt"], ".onnx"),
        (["absent.json", "-o", "n.onnx"], "absent.json"),
    ),
)
def test_bad_words_are_a_sentence(call, words, said):
    code, told = call("export", *words)
    assert (code, said in told) == (2, True), told


def test_inputs_that_are_drawn_may_be_there_already(tmp_path):
    described = made("lenet", tmp_path).definition
    (path,) = project.drawn_into(tmp_path, described, "net")
    assert project.drawn_into(tmp_path, described, "net") == [path]
    path.write_bytes(b"somebody's own")
    with pytest.raises(CannotRun, match=r"net-input\.npy"):
        project.drawn_into(tmp_path, described, "net")
