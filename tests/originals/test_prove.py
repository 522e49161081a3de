"""`parity.prove`: any port in Python, names that differ, layers in one; one sentence for the rest."""

import subprocess
import sys
from pathlib import Path

import chainer
import h5py
import numpy as np
import pytest
import scipy.fft

import parity
from parity import known
from parity.compare import tally
from parity.errors import CannotRun
from parity.fixtures.gallery import made
from parity.known import Known
from parity.originals import case_of
from parity.port.from_keras import steps
from parity.recording.cache import trace_cache
from parity.recording.clips import clips_of
from parity.recording.stacks import LANES

ROOT = Path(__file__).parents[2]
GROUP = "block1_a+block1_bn+block1_relu"


@pytest.fixture(scope="module")
def lenet(tmp_path_factory):
    return made("lenet", tmp_path_factory.mktemp("lenet"))


@pytest.fixture(scope="module")
def resnet(tmp_path_factory):
    return made("resnet", tmp_path_factory.mktemp("resnet"))


def prove(files, port=None, **more):
    inputs = more.pop("inputs", files.inputs)
    more = {"weights": files.weights, "keras": files.keras, "seed": 1, **more}
    return parity.prove(files.definition, port, inputs, **more)


def layered(files, *rows, **changed):
    """A mapping of callables that runs the layers of each row in one: {its first's name: row}."""
    own = steps(str(files.definition), str(files.weights), files.keras)

    def one(row):
        def call(*inputs):
            for name in row:
                inputs = (changed.get(name, lambda y: y)(own.run(name, *inputs)),)
            return inputs[0]

        return call

    inside = {name for row in rows for name in row[1:]}
    of = {row[0]: row for row in rows}
    return {name: one(of.get(name, [name])) for name in own.layers if name not in inside}


def test_a_model_by_its_files_holds_by_the_port_that_is_built(lenet, tmp_path):
    found = prove(lenet, inputs=[np.load(lenet.inputs[0])])
    assert (found.holds, found.verdict) == (True, "HOLDS") and "HOLDS: 1 of 1" in str(found)
    assert [*found.layers] == ["c1", "s2", "c3", "s4", "flat", "c5", "f6", "output"]
    assert found.worst is found.layers[found.document["models"][0]["worst"]["layer"]]
    assert all(0 <= layer.rho <= 1 and layer.holds for layer in found.layers.values())
    found.save(tmp_path)
    assert (tmp_path / "parity.html").exists()


def test_it_is_a_table(lenet):
    table = prove(lenet, layers=["c1", "f6"]).to_frame()
    assert [*table["layer"]] == ["c1", "c1", "f6", "f6"] and {*table["verdict"]} == {"ROUNDING"}
    assert all(isinstance(share, float) for share in table["rho_port"])


def test_without_pandas_one_sentence_says_so(lenet, monkeypatch):
    found = prove(lenet, layers=["c1"])
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(CannotRun, match="needs pandas"):
        found.to_frame()


def test_a_faulty_layer_is_the_worst_and_says_why(lenet):
    found = prove(lenet, layered(lenet, c3=lambda y: np.roll(y, 1, axis=0)))
    assert not found.holds and (found.worst.name, found.worst.cause) == (
        "c3",
        "clips in another order",
    )
    assert repr(found.worst).startswith("<lenet / c3: FORMULA(")
    said = str(found.worst)
    assert "rounding allows" in said and "explained by" in said and "worst" in said


def test_a_chain_is_asked_link_by_link_and_as_a_whole(lenet):
    whole = steps(str(lenet.definition), str(lenet.weights), lenet.keras).model
    found = prove(lenet, whole)
    assert found.holds and found.document["models"][0]["whole_call"]["bitwise_equal"]

    class Doubled(type(whole)):
        def forward(self, *inputs):
            return super().forward(*inputs) * np.float32(1.001)

    whole.__class__ = Doubled
    model = prove(lenet, whole).document["models"][0]
    assert model["first_divergence"] is None and not model["whole_call"]["holds"]
    assert model["verdict"] == "DRIFTS"


def test_a_chain_that_computes_a_graph_otherwise_is_judged_at_its_end(resnet):
    whole = steps(str(resnet.definition), str(resnet.weights), resnet.keras).model

    class Moved(type(whole)):
        def forward(self, *inputs):
            return super().forward(*inputs) * np.float32(1 + 2**-22)

    whole.__class__ = Moved
    found = prove(resnet, whole)
    call = found.document["models"][0]["whole_call"]
    assert found.holds and not call["bitwise_equal"] and "0 of 30 beyond" in call["message"]


def test_a_chain_without_a_layer_is_incomplete(lenet):
    whole = steps(str(lenet.definition), str(lenet.weights), lenet.keras).model
    part = chainer.Chain(**{name: whole.step(name).copy() for name in ("c1", "output")})
    found = prove(lenet, part)
    assert (
        found.verdict == "INCOMPLETE"
        and found.layers["c1"].record["isolated"]["verdict"] == "ROUNDING"
    )
    assert found.layers["c3"].verdict == "NOT COMPARED"


def test_what_no_port_changes_is_found_once(lenet, monkeypatch):
    first = prove(lenet).document["models"][0]
    monkeypatch.setattr(Known, "_agreement", lambda *_: pytest.fail("found again"))
    monkeypatch.setattr(tally, "pair_of", lambda *_: pytest.fail("found again"))
    monkeypatch.setattr(known, "sampled", lambda *_: pytest.fail("found again"))
    again = prove(lenet, layered(lenet, f6=lambda y: y * 2)).document["models"][0]
    assert again["oracle_truth"] == first["oracle_truth"] and again["verdict"] == "DRIFTS"
    for key in ("noise_reference", "reference_truth", "noise_truth"):
        assert again["final"][key] == first["final"][key]
    monkeypatch.setattr(known, "sources", lambda *_: ["another formula"])
    with pytest.raises(pytest.fail.Exception):
        prove(lenet, layered(lenet))


def test_traces_go_once_what_they_show_is_kept(lenet, tmp_path, monkeypatch):
    monkeypatch.setenv("PARITY_CACHE", str(tmp_path))
    case = case_of(str(lenet.definition), lenet.weights, [*lenet.inputs], keras=lenet.keras)
    batches = {case: clips_of([case])[case].inputs}
    keys = {lane: known._key(case, lane, batches[case]) for lane in LANES}
    for key in keys.values():
        trace_cache().write(key, b"\x89HDF\r\n\x1a\n")

    def left(**found):
        of = Known(case, keys["reference"])
        of._found |= found
        of.keep()
        known.drop(batches)
        return {lane for lane, key in keys.items() if trace_cache().path(key).exists()}

    assert left() == {"reference", "truth", "noise"}
    assert left(agreement={"c1": 0.1}) == {"reference", "truth", "noise"}
    assert left(scores={"truth": [[1.0]], "noise": [[1.0]]}) == {"reference", "noise"}
    assert left(noise={"c1": [0.0, 0.0]}) == {"reference"}
    monkeypatch.setattr(known, "sources", lambda *_: ["another formula"])
    changed = Known(case, keys["reference"])
    assert changed.lanes == ["reference", "truth"] and changed.was_whole


def test_a_transform_is_allowed_by_name(resnet):
    with h5py.File(resnet.weights) as file:
        W, b = (file["block1_a"][f"block1_a_{key}"][()] for key in "Wb")

    def by_fft(x):
        shape = [n + k - 1 for n, k in zip(x.shape[2:], W.shape[2:], strict=True)]
        image, kernels = scipy.fft.rfft2(x, shape), scipy.fft.rfft2(W, shape)
        y = scipy.fft.irfft2(np.einsum("bcij,kcij->bkij", image, kernels), shape)
        return np.ascontiguousarray(y[:, :, 1:-1, 1:-1]) + b[:, None, None]

    port = {**layered(resnet), "block1_a": by_fft}
    assert prove(resnet, port).layers["block1_a"].verdict == "ROUNDING (TRANSFORM)"
    assert prove(resnet, port, allow_transform=["block1_a"]).holds
    with pytest.raises(CannotRun, match="did you mean block1_a"):
        prove(resnet, port, allow_transform=["block1a"])


def test_names_that_differ_and_several_in_a_row(lenet):
    own = layered(lenet)
    first = own.pop("c1")
    port = {"in.weights": first, "in.nothing": lambda x: x, **own}
    assert prove(lenet, port, names={"c1": "in.weights + in.nothing"}).holds


def test_fused_layers_are_judged_as_one_and_the_report_says_so(resnet):
    rows = (GROUP.split("+"), ["mean", "flat"])
    fused = {GROUP: "block1_a", "mean+flat": "mean"}
    found = prove(resnet, layered(resnet, *rows), fused=fused)
    assert found.holds and "block1_bn" not in found.layers
    assert found.layers[GROUP].record["kind"] == "fused"
    assert "the port computes block1_a, block1_bn, block1_relu in one (block1_a)" in str(found)
    assert found.layers[GROUP].record["probed"]["verdict"] == "ROUNDING"


def test_a_fault_inside_a_group_is_found_there_and_named(resnet):
    broken = layered(resnet, GROUP.split("+"), block1_bn=lambda y: y + np.float32(0.5))
    found = prove(resnet, broken, fused={GROUP: "block1_a"})
    model = found.document["models"][0]
    assert model["first_divergence"] == GROUP and found.worst.name == GROUP
    broken = layered(resnet, GROUP.split("+"))
    group = GROUP.split("+")
    of = layered(resnet)
    broken["block1_a"] = lambda x: of[group[2]](of[group[0]](x))
    found = prove(resnet, broken, fused={GROUP: "block1_a"})
    assert found.worst.cause == "block1_bn left out"


@pytest.mark.parametrize(
    "asked, words",
    [
        ({"names": {"c4": "c1"}}, "no layer called 'c4'; did you mean"),
        ({"names": {"c1": "c9"}}, "no layer of the port for c1 called 'c9'"),
        ({"names": {"c1": 1}}, "c1 has to be the name of a layer of the port"),
        ({"names": {"c1": ""}}, "c1 has to be the name"),
        ({"fused": {"c1": "c1"}}, "c1 is one layer"),
        ({"fused": {"c1+c3": "c1"}}, "no row of layers: c3 reads s2"),
        ({"fused": {"s2+c3": "s2"}}, r"c3 \(Convolution2D\) mixes many values"),
        ({"fused": {"c1+s2": "c1"}, "names": {"s2": "s2"}}, "s2 is named twice"),
        ({"layers": ["c2"]}, "no layer called 'c2'"),
    ],
)
def test_names_that_are_none_are_one_sentence(lenet, asked, words):
    with pytest.raises(CannotRun, match=words):
        prove(lenet, layered(lenet), **asked)


def test_a_group_that_others_read_is_refused(resnet):
    with pytest.raises(CannotRun, match="is also read outside of the group"):
        prove(resnet, layered(resnet), fused={"block1_sum+block1_out": "a", "stem+block1_a": "b"})


@pytest.mark.parametrize("port", [7, lambda x: x], ids=["a number", "a function"])
def test_what_is_no_port_is_one_sentence(lenet, port):
    with pytest.raises(CannotRun, match="expected a mapping of layers to callables"):
        prove(lenet, port)


def test_a_script_without_a_guard_works(lenet, tmp_path):
    script = tmp_path / "script.py"
    files = [str(lenet.definition), str(lenet.weights), str(lenet.inputs[0])]
    script.write_text(
        "import parity, sys\n"
        "net, weights, x = sys.argv[1:]\n"
        "found = parity.prove(net, 'parity.port.from_keras:steps', x, weights=weights,"
        f" keras={lenet.keras!r})\n"
        "print(found.holds, found.worst.name in found.layers)\n"
    )
    done = subprocess.run(
        [sys.executable, script, *files], capture_output=True, text=True, cwd=ROOT,
        env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    assert done.stdout == "True True\n", done.stderr


def test_import_alone_brings_nothing_heavy():
    code = "import parity, sys; print({'numpy', 'h5py', 'chainer', 'click'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "set()\n"
    with pytest.raises(AttributeError, match="no attribute 'proof'"):
        _ = parity.proof
