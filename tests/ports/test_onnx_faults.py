"""Exported files hold under onnxruntime, and what goes wrong in such files is caught where it is."""

import json

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from parity import known, model, originals, rescue
from parity.compare import verdict
from parity.errors import CannotRun
from parity.fixtures.gallery import NAMES, made
from parity.ports.onnx_file import opened
from parity.probes.proof import probe
from parity.proving import compare_case
from parity.recording.clips import clips_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def case_of(tmp_path_factory):
    kept = {}

    def find(name):
        if name not in kept:
            if name in model.MODELS:
                case = model.case_for(name)
            else:
                files = made(name, tmp_path_factory.mktemp(name))
                case = originals.case_of(str(files.definition), files.weights, files.inputs)
            lanes = known.traces({case: clips_of([case])[case].inputs})[case]
            kept[name] = case, lanes, rescue.written(case).SerializeToString()
        return kept[name]

    return find


def first_wrong(case, lanes, data, folder):
    path = folder / "net.onnx"
    path.write_bytes(data)
    port = opened(str(path), case.model.asked, case.weights.path, "")
    found = compare_case(case, lanes, port, explain=False)
    words = {cell.verdict for layer in found.layers for cell in layer.cells()}
    return found.first_divergence, words


@pytest.mark.parametrize("name", [*NAMES, "CRNN", "CNN0", "CNN"])
def test_every_layer_of_an_exported_file_holds(name, case_of, tmp_path):
    first, words = first_wrong(*case_of(name), tmp_path)
    assert first is None and words <= verdict.HOLDS, words


def test_crnn50_computes_the_originals_function(tmp_path):
    case = model.case_for("CRNN50")
    path = tmp_path / "net.onnx"
    path.write_bytes(rescue.written(case).SerializeToString())
    found = probe(case, opened(str(path), "CRNN50", case.weights.path, ""), 1)
    assert found.verdict == "HOLDS" and found.call is None


def node_of(graph, name):
    return next(node for node in graph.node if name in node.output)


def change_constant(graph, name, change):
    tensor = next(each for each in graph.initializer if each.name == name)
    array = np.ascontiguousarray(change(numpy_helper.to_array(tensor)))
    tensor.CopyFrom(numpy_helper.from_array(array, name))


def setting(node, name, value):
    kept = [each for each in node.attribute if each.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def not_flipped(graph):
    change_constant(graph, "block1_a:W", lambda W: W[:, :, ::-1, ::-1])


def other_epsilon(graph):
    for tensor in graph.initializer:
        if tensor.name.startswith("block1_bn:constant"):
            change_constant(graph, tensor.name, lambda eps: eps * np.float32(1e4))


def shifted_pads(graph):
    node = next(node for node in graph.node if node.op_type == "Conv" and "block2_a" in node.name)
    setting(node, "pads", [0, 0, 2, 2])


def transposed_matrix(graph):
    change_constant(graph, "output:W", lambda W: W.T.reshape(W.shape))


def half_precision(graph):
    change_constant(graph, "stem:W", lambda W: W.astype(np.float16).astype(np.float32))


def covering_all(graph):
    setting(node_of(graph, "pool1"), "ceil_mode", 1)


def other_gates(graph):
    """z and r the other way round."""
    for part in "WUb":
        one, two = (next(each for each in graph.initializer if each.name == f"last:{part}{gate}")
                    for gate in (0, 1))  # fmt: skip
        one.name, two.name = two.name, one.name


def reset_after(graph):
    """What linear_before_reset=1 of ONNX's own GRU means: r times (U h), not U (r h)."""
    scan = next(node for node in graph.node if node.op_type == "Scan" and "last" in node.name)
    body = next(each.g for each in scan.attribute if each.name == "body")
    makers = {name: node for node in body.node for name in node.output}
    product = next(
        node for node in body.node if node.op_type == "MatMul"
        and node.input[0] in makers and makers[node.input[0]].op_type == "Mul"
    )  # fmt: skip
    times = makers[product.input[0]]
    r, h = times.input
    inner, outer = times.output[0], product.output[0]
    product.input[0], product.output[0] = h, inner
    times.input[:], times.output[0] = [r, inner], outer
    nodes = list(body.node)
    one, two = nodes.index(times), nodes.index(product)
    nodes[one], nodes[two] = nodes[two], nodes[one]
    del body.node[:]
    body.node.extend(nodes)


def meaning_of_an_older_opset(graph):
    """Resize of opset 11 and later places pixels by their centres where nothing else is said."""
    node = node_of(graph, "up2")
    kept = [each for each in node.attribute if each.name != "coordinate_transformation_mode"]
    del node.attribute[:]
    node.attribute.extend(kept)


FAULTS = {
    "a kernel not flipped": ("resnet", not_flipped, "block1_a"),
    "another epsilon": ("resnet", other_epsilon, "block1_bn"),
    "pads on one side": ("resnet", shifted_pads, "block2_a"),
    "a matrix read the other way": ("resnet", transposed_matrix, "output"),
    "weights of float16": ("resnet", half_precision, "stem"),
    "gates in another order": ("bidirectional", other_gates, "last"),
    "reset after the product": ("bidirectional", reset_after, "last"),
    "the meaning of an older opset": ("autoencoder", meaning_of_an_older_opset, "up2"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_file_is_caught_where_it_is(fault, case_of, tmp_path):
    name, plant, layer = FAULTS[fault]
    case, lanes, data = case_of(name)
    spoilt = onnx.load_model_from_string(data)
    plant(spoilt.graph)
    assert spoilt.SerializeToString() != data
    assert first_wrong(case, lanes, spoilt.SerializeToString(), tmp_path)[0] == layer


def test_a_window_more_at_the_end_is_another_shape(case_of, tmp_path):
    case, lanes, data = case_of("CNN")
    spoilt = onnx.load_model_from_string(data)
    covering_all(spoilt.graph)
    with pytest.raises(CannotRun, match=r"the port's pool1 gives \(2, 32, 48, 342\), where Keras"):
        first_wrong(case, lanes, spoilt.SerializeToString(), tmp_path)


def test_a_swapped_tag_is_caught(case_of, tmp_path):
    case, lanes, data = case_of("CRNN")
    spoilt = onnx.load_model_from_string(data)
    said = {each.key: each.value for each in spoilt.metadata_props}
    tags = json.loads(said["tags"])
    helper.set_model_props(spoilt, said | {"tags": json.dumps([*tags[:-2], tags[-1], tags[-2]])})
    with pytest.raises(CannotRun, match="calls output 8 'rock', and the original's is 'reggae'"):
        first_wrong(case, lanes, spoilt.SerializeToString(), tmp_path)


def test_a_file_made_from_other_weights_is_refused(case_of, tmp_path):
    case, lanes, data = case_of("CRNN")
    spoilt = onnx.load_model_from_string(data)
    rescue.say_of(spoilt, weights="other.h5", weights_sha256="0" * 64)
    with pytest.raises(CannotRun, match=r"was made from other weights, other\.h5, than .*h5; give"):
        first_wrong(case, lanes, spoilt.SerializeToString(), tmp_path)
