"""An ONNX file as a port: layers cut out of it, bad files in a sentence."""

import json

import numpy as np
import onnx
import pytest
from onnx import helper

from parity.architecture import Architecture, Node
from parity.errors import CannotRun
from parity.port.onnx.export import exported
from parity.ports import onnx_file
from parity.ports.onnx_file import OnnxPort, opened, read
from tests.port.test_onnx import entry

DENSE = {"activation": "softplus", "bias": True}
X = np.arange(-6, 6, dtype=np.float32).reshape(4, 3) / 4


def shared():
    """A Dense layer called twice, and the sum of what it makes."""
    nodes = (
        entry("a", X), entry("b", X),
        Node("d", "Dense", DENSE, ("a",)), Node("d#2", "Dense", DENSE, ("b",)),
        Node("both", "Merge", {"mode": "sum"}, ("d", "d#2")),
        Node("last", "Dense", {**DENSE, "activation": "sigmoid"}, ("both",)),
    )  # fmt: skip
    random = np.random.default_rng(3)
    arrays = {
        layer: {"W": random.standard_normal((3, 3)).astype(np.float32), "b": np.ones(3, np.float32)}
        for layer in ("d", "last")
    }
    return Architecture(nodes, ("a", "b"), ("last",)), arrays


@pytest.fixture
def port(tmp_path):
    described, arrays = shared()
    path = tmp_path / "net.onnx"
    path.write_bytes(exported(described, arrays, "1.1.0").SerializeToString())
    inbound = {node.name: node.inbound for node in described.nodes if node.inbound}
    return OnnxPort(str(path), inbound, described.inputs, described.outputs)


def test_layers_are_asked_alone_and_as_a_whole(port):
    assert port.layers == ("d", "d#2", "both", "last")
    one, two = port.run("d", X), port.run("d#2", X + 1)
    both = port.run("both", one, two)
    last = port.run("last", both)
    assert np.array_equal(port(X, X + 1), last)
    assert np.allclose(1 / (1 + np.exp(-port.logits(both).astype(float))), last, atol=1e-6)
    fused = port.fast(X, X + 1)
    assert {"both", "last"} <= set(fused) and np.allclose(fused["last"], last, atol=1e-6)
    assert port.describe()["both"] == {"both": {"op": "Add", "reads": ["d", "d#2"]}}
    port.use_threads(1)
    assert np.array_equal(port.run("d", X), one)


def test_a_layer_that_reads_something_else_says_what(port):
    both = next(node for node in port.model.graph.node if node.name == "both")
    both.input[1] = "d#2:sums"
    with pytest.raises(CannotRun, match="reads b, which Keras's both does not"):
        port.run("both", X, X)
    with pytest.raises(CannotRun, match="cannot be changed"):
        port.with_weights("d", {})


def test_a_layer_of_another_name_is_found_by_that(port):
    for node in port.model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["Dense_0" if name == "d" else name for name in names]
    inbound = {"Dense_0": (), "d": ("a",), "both": ("d", "d#2"), "last": ("both",), "d#2": ("b",)}
    spoilt = port.path + ".onnx"
    onnx.save(port.model, spoilt)
    other = OnnxPort(spoilt, inbound, ("a", "b"), ("last",))
    assert set(other.layers) == {"Dense_0", "d#2", "both", "last"}
    one, two = other.run("Dense_0", X), other.run("d#2", X + 1)
    assert np.array_equal(one, port.run("d#2", X)) and np.array_equal(
        other.run("both", one, two), one + two
    )


def net(**more):
    node = helper.make_node("Relu", ["x"], ["y"], name="y", **more)
    ends = [helper.make_tensor_value_info(name, 1, [1]) for name in "xy"]
    return helper.make_model(helper.make_graph([node], "g", ends[:1], ends[1:]), ir_version=7)


def external():
    made = net()
    tensor = onnx.numpy_helper.from_array(np.ones(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="weights.bin")
    made.graph.initializer.append(tensor)
    return made


def external_inside():
    """The same in a function of the file's own."""
    made = net()
    tensor = onnx.numpy_helper.from_array(np.ones(1, np.float32), "w")
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    function = helper.make_function("mine", "F", [], ["y"], [node], [helper.make_opsetid("", 13)])
    made.functions.append(function)
    return made


def newer():
    made = net()
    made.opset_import[0].version = 99
    return made


def foreign():
    made = net(domain="com.example")
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return made


BAD = {
    "absent": (None, "cannot be read"),
    "empty": (b"", "is a damaged or foreign ONNX file"),
    "damaged": (b"\\xff" * 90, "is no ONNX file, or a damaged one"),
    "cut short": (net().SerializeToString()[:-9], "damaged"),
    "external data": (external().SerializeToString(), "keeps w in another file"),
    "external data in a function": (external_inside().SerializeToString(), "in another file"),
    "newer opset": (newer().SerializeToString(), "is written in opset 99"),
    "foreign operators": (foreign().SerializeToString(), "needs operators of com.example"),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_file_is_a_sentence(what, tmp_path):
    data, said = BAD[what]
    path = tmp_path / "net.onnx"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(CannotRun, match=said):
        read(str(path))


def test_an_oversized_file_is_a_sentence(tmp_path, monkeypatch):
    path = tmp_path / "net.onnx"
    path.write_bytes(net().SerializeToString())
    monkeypatch.setattr(onnx_file, "LARGEST", 20)
    with pytest.raises(CannotRun, match="is larger than an ONNX file may be"):
        read(str(path))


def test_a_file_of_another_model_is_a_sentence(tmp_path):
    (tmp_path / "net.onnx").write_bytes(net().SerializeToString())
    config = [{"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": [None, 2]}}]
    described = tmp_path / "net.json"
    described.write_text(json.dumps({"class_name": "Sequential", "config": config}))
    for name in ("CRNN", str(described)):
        with pytest.raises(CannotRun, match="has no value called as a layer is"):
            opened(str(tmp_path / "net.onnx"), name, tmp_path, "1.1.0")


@pytest.mark.parametrize("tags", ["{", "5", "null", "[" * 100_000])
def test_tags_that_are_no_list_are_a_sentence(port, tags):
    port.said["tags"] = tags
    with pytest.raises(CannotRun, match="what it says of its tags is"):
        port.check_tags(["rock"])


@pytest.mark.parametrize(
    "given, outputs, said",
    [([], ["last"], "gives nothing, and the original last"),
     (["both", "last"], ["last", "both"], "gives both, last, and the original last, both"),
     (["last"], ["last", "both"], "gives last, and the original last, both")],
)  # fmt: skip
def test_outputs_that_nothing_would_judge_are_a_sentence(port, given, outputs, said, tmp_path):
    del port.model.graph.output[:]
    port.model.graph.output.extend(
        helper.make_tensor_value_info(name, 1, [None, 3]) for name in given
    )
    path = str(tmp_path / "other.onnx")
    onnx.save(port.model, path)
    with pytest.raises(CannotRun, match=said):
        OnnxPort(path, port.inbound, ("a", "b"), outputs)


def test_the_first_of_more_outputs_than_the_originals_is_the_whole_call(port):
    port.model.graph.output.append(helper.make_tensor_value_info("both", 1, [None, 3]))
    assert np.array_equal(
        port(X, X), port.run("last", port.run("both", *map(port.run, ("d", "d#2"), (X, X))))
    )
