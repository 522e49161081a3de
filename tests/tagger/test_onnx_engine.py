"""Taggers in ONNX files: the port's scores, without Chainer, on a Python of today, in Node."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from parity import model, rescue
from parity.fixtures import store
from tagger import load_tagger
from tagger.comparing import differences, read_table
from tagger.model import load
from tagger.onnx_model import OnnxError, onnx_of

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "fixtures" / "published.json"
MODERN = ROOT / ".tox" / "tagger" / "bin" / "python"
NODE = ROOT / "tests" / "browser"


def export(case, path, proof=None):
    made = rescue.written(case)
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = rescue.proved(made, proof, "a test") if proof else made.SerializeToString()
    path.write_bytes(whole)
    return path


@pytest.fixture(scope="module")
def crnn(tmp_path_factory):
    """CRNN's stand-in in ONNX, as if it were proved."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("PARITY_DATA", raising=False)
        patch.setenv("PARITY_FIXTURES", str(tmp_path_factory.mktemp("cache")))
        case = model.case_for("CRNN")
        return export(case, tmp_path_factory.mktemp("onnx") / "crnn.onnx", proof="HOLDS"), case


def test_scores_are_the_ports_to_rounding(crnn):
    path, case = crnn
    x = np.concatenate([np.load(clip) for clip in case.clips])
    one, other = load(None, path), load("CRNN", case.weights.path)
    assert one.tags == other.tags and one.name == other.name and one.remarks == other.remarks
    assert one.is_meaningless and other.is_meaningless  # it stays known for a stand-in
    assert np.abs(one.predict(x) - other.predict(x)).max() < 1e-5


def test_the_command_tags_by_it(crnn, wav, run):
    found = {}
    for words in (("--weights", crnn[0]), ("--weights", crnn[1].weights.path)):
        code, out, _ = run("tag", wav(), *words, "--format", "json", "--score")
        assert code == 0
        tags = json.loads(out)["tracks"][0]["frames"][0]["tags"]
        found[words[1]] = {each["tag"]: each["score"] for each in tags}
    one, other = found.values()
    assert one.keys() == other.keys() and all(abs(one[tag] - other[tag]) < 1e-5 for tag in one)


def test_a_file_that_nobody_proved_says_so(crnn, tmp_path):
    path = export(crnn[1], tmp_path / "crnn.onnx")
    assert any(each.startswith("NOT PROVED") for each in load(None, path).remarks)
    path = export(crnn[1], tmp_path / "crnn.onnx", proof="DRIFTS")
    assert any("its proof says DRIFTS" in each for each in load(None, path).remarks)
    path = spoilt(crnn[0], tmp_path / "x.onnx", other_weights)
    assert any("changed since its proof" in each for each in load(None, path).remarks)


def other_weights(made):
    next(each for each in made.graph.initializer if each.name == "conv1:b").raw_data = bytes(4 * 64)


def endless(made):
    """Every output after a loop of 2^62 steps."""
    (last,) = (each.name for each in made.graph.output)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Neg", ["v"], ["w"])],
        "body",
        [helper.make_tensor_value_info(*each) for each in (("i", 7, []), ("go", 9, []), ("v", 1, None))],
        [helper.make_tensor_value_info(*each) for each in (("on", 9, []), ("w", 1, None))],
    )  # fmt: skip
    made.graph.initializer.append(helper.make_tensor("steps", 7, [], [1 << 62]))
    for node in made.graph.node:
        node.output[:] = ["sooner" if name == last else name for name in node.output]
    made.graph.node.append(helper.make_node("Loop", ["steps", "", "sooner"], [last], body=body))


def other_shape(made):
    made.graph.output[0].CopyFrom(
        helper.make_tensor_value_info(made.graph.input[0].name, 1, [None, 1, 96, 1366])
    )


def several_inputs(made):
    made.graph.input.append(helper.make_tensor_value_info("more", 1, [1]))


def integers(made):
    made.graph.input[0].type.tensor_type.elem_type = 7
    made.graph.node.insert(0, helper.make_node("Cast", [made.graph.input[0].name], ["cast"], to=1))
    for node in made.graph.node[1:]:
        node.input[:] = [
            "cast" if each == made.graph.input[0].name else each for each in node.input
        ]


HOSTILE = {
    endless: "does not run on a mel spectrogram",
    other_shape: "gives no 10 scores for each clip",
    several_inputs: "is no tagger's ONNX file",
    integers: "does not run on a mel spectrogram",
}


@pytest.mark.parametrize("change", HOSTILE)
def test_a_hostile_file_is_a_sentence(change, crnn, tmp_path, monkeypatch, wav, run):
    monkeypatch.setattr("tagger.onnx_model.LONGEST_S", 1)
    path = spoilt(crnn[0], tmp_path / "x.onnx", change)
    code, _, err = run("tag", wav(), "--weights", path)
    assert code == 2 and HOSTILE[change] in err, err


def spoilt(path, target, change):
    made = onnx.load(path)
    change(made)
    target.write_bytes(made.SerializeToString())
    return target


def other_tags(made):
    said = {each.key: each.value for each in made.metadata_props}
    tags = json.loads(said["tags"])
    helper.set_model_props(made, said | {"tags": json.dumps([tags[1], tags[0], *tags[2:]])})


def test_swapped_tags_are_found(crnn, tmp_path):
    path = spoilt(crnn[0], tmp_path / "x.onnx", other_tags)
    with pytest.raises(OnnxError, match="has other tags than CRNN: 'classical' in the place of"):
        load(None, path)


def test_bad_files_and_options_are_a_sentence_each(crnn, tmp_path, wav, run, nowhere):
    net, h5 = crnn[0], crnn[1].weights.path
    (tmp_path / "empty.onnx").write_bytes(b"")
    (tmp_path / "text.onnx").write_bytes(b"no ONNX" * 99)
    newer = spoilt(
        net, tmp_path / "newer.onnx", lambda made: made.opset_import[0].__setattr__("version", 99)
    )
    silent = spoilt(net, tmp_path / "silent.onnx", lambda made: helper.set_model_props(made, {}))
    cases = {
        "it cannot be read": ("--weights", tmp_path / "absent.onnx"),
        "is no ONNX file that onnxruntime": ("--weights", tmp_path / "empty.onnx"),
        "is no ONNX file that": ("--weights", tmp_path / "text.onnx"),
        "is no ONNX file": ("--weights", newer),
        "is no tagger's ONNX file": ("--weights", silent),
        "holds CRNN, not CNN": ("--weights", net, "-m", "CNN"),
        "export the weights again with --keras": ("--weights", net, "--keras", "1.0.6"),
        "cannot be calibrated any more": ("--weights", net, "--calibration", "x.npz"),
        "is not for the engine onnx": ("--weights", h5, "--engine", "onnx"),
        "is not for the engine chainer": ("--weights", net, "--engine", "chainer"),
        "--seeded makes no ONNX file": ("--engine", "onnx", "--seeded"),
    }  # fmt: skip
    for said, words in cases.items():
        code, _, err = run("tag", wav(), *words)
        assert (code, err.count("\n")) == (2, 1) and said in err, (said, err)
    with pytest.raises(OnnxError, match="no ONNX file of CRNN is here"):
        onnx_of("CRNN")


# --- elsewhere ---


@pytest.fixture(scope="module")
def modern():
    """A Python of today with what requirements/tagger.txt has."""
    if not MODERN.is_file():
        pytest.skip("no environment .tox/tagger; it needs Python 3.13, and make test builds it")

    def call(*words, **more):
        own = {k: v for k, v in os.environ.items() if not k.startswith(("COVERAGE", "COV_"))}
        command = [str(MODERN), "-m", "tagger", *map(str, words)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=own | more)
        return done.returncode, done.stdout, done.stderr

    return call


def test_it_runs_without_chainer_on_a_python_of_today(crnn, wav, run, modern):
    words = ("tag", wav(), "--weights", crnn[0], "--format", "json", "--score")
    (here, one, _), (there, other, said) = run(*words), modern(*words)
    assert here == there == 0, said
    one, other = (json.loads(text)["tracks"][0]["frames"][0]["tags"] for text in (one, other))
    for a, b in zip(one, other, strict=True):
        assert a["tag"] == b["tag"] and abs(a["score"] - b["score"]) < 1e-6
    code, _, said = modern("tag", wav(), "--weights", crnn[1].weights.path)
    assert code == 2 and "needs Chainer, and this environment has no" in said, said


def test_collections_run_there_too_and_go_on(crnn, wav, modern, tmp_path):
    (tmp_path / "music" / "jazz").mkdir(parents=True)
    shutil.copy(wav(), tmp_path / "music" / "jazz" / "a.wav")
    for _ in range(2):
        code, out, said = modern("evaluate", tmp_path / "music", "--weights", crnn[0])
        assert code == 0 and "of 1 tracks" in out, said
        table = tmp_path / "tags.csv"
        code, _, said = modern("tag", wav(), "--weights", crnn[0], "--out", table)
        assert code == 0 and table.exists(), said


def test_it_runs_in_node(crnn, tmp_path):
    if not shutil.which("node") or not (NODE / "node_modules" / "onnxruntime-web").is_dir():
        pytest.skip("no node or no onnxruntime-web; make test installs the latter by npm")
    path, case = crnn
    x = np.load(case.clips[0]).astype(np.float32)
    (tmp_path / "x.bin").write_bytes(x.tobytes())
    command = ["node", NODE / "tag.mjs", path, tmp_path / "x.bin", *map(str, x.shape)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert np.abs(np.array(json.loads(done.stdout)) - load(None, path).predict(x)[0]).max() < 1e-5


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """The folder of a cache that holds the published weights in ONNX."""
    folder = tmp_path_factory.mktemp("published")
    for name in ("CRNN", "CNN0", "CNN"):
        case = model.case_for(name)
        if case.data != "real":
            pytest.skip("the published weights are not here; set PARITY_DATA")
        export(case, folder / Path(store.WEIGHTS[name]).with_suffix(".onnx"), proof="HOLDS")
    return folder


@pytest.mark.slow
def test_the_published_figures_come_out_here_and_there(published, monkeypatch, modern):
    monkeypatch.setenv("PARITY_FIXTURES", str(published))
    rows = list(differences(read_table(TABLE), "2016", "onnx"))
    assert sum(row["figures"] for row in rows) == 60
    assert all(row["difference"] <= 0.005 and row["same_order"] for row in rows), rows
    code, out, said = modern("compare", TABLE, "--engine", "onnx", "--front-end", "2016")
    assert code == 0 and "all within 0.005 points and in the published order" in out, (out, said)


@pytest.mark.slow
def test_a_calibration_is_exported_with_the_file(tmp_path, run, wav, monkeypatch):
    monkeypatch.delenv("PARITY_DATA", raising=False)
    from click.testing import CliRunner

    from parity.cli import main

    code, _, said = run("calibrate", wav(), "-m", "CNN0", "--seeded", "-o", tmp_path / "c.npz")
    assert code == 0, said
    words = ["export", "CNN0", "-o", tmp_path / "n.onnx", "--calibration", tmp_path / "c.npz"]
    done = CliRunner().invoke(main, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    one = load("CNN0", tmp_path / "n.onnx")
    other = load_tagger("CNN0", model.case_for("CNN0").weights.path, calibration=tmp_path / "c.npz")
    x = np.load(model.case_for("CNN0").clips[0])
    assert one.calibration == other.calibration
    assert np.abs(one.predict(x) - other.predict(x)).max() < 1e-5
