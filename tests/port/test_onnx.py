"""Every class that has ONNX nodes computes its formula under onnxruntime, and files say what they are."""

import numpy as np
import onnx
import onnxruntime
import pytest

from parity.architecture import Architecture, Node
from parity.compare.tally import Tally
from parity.compare.verdict import Q_MOST, RHO_MOST
from parity.errors import CannotRun
from parity.kinds import layer_case
from parity.port.links.keras import MAKERS
from parity.port.onnx.export import exported
from parity.port.onnx.table import WRITERS
from parity.port.proof import in_test_phase
from tests.kinds.layers import LAYERS
from tests.kinds.recorded_layers import layer
from tests.port.test_makers import HELD, INSIDE, X, within_model
from tests.probes.formula_ports import settings

RELEASES = ("1.0.6", "1.1.0", "1.2.2")


def entry(name, x):
    said = {"batch_input_shape": [None, *x.shape[1:]], "input_dtype": str(x.dtype)}
    return Node(name, "InputLayer", said, ())


def alone(one, keras):
    """(the model of one layer, what it is fed); a mask is that of a Masking before it."""
    xs = [x for x in (one.x, *one.more) if x.dtype != bool]
    names = [f"in{at}" for at in range(len(xs))]
    nodes, inbound, fed = [*map(entry, names, xs)], tuple(names), dict(zip(names, xs, strict=True))
    if len(xs) <= len(one.more):  # a step counts where the sequence beside it is not 0
        (mask,) = (x for x in one.more if x.dtype == bool)
        marked = np.where(mask[..., None], one.x, 0)
        nodes.append(Node("masked", "Masking", {"mask_value": 0.0}, inbound))
        fed, inbound = {names[0]: marked.astype(np.float32)}, ("masked",)
    nodes.append(Node("it", one.kind, settings(one), inbound))
    made = exported(Architecture(tuple(nodes), tuple(names), ("it",)), {"it": one.weights}, keras)
    return made, fed


def run(made, fed, fast):
    options = onnxruntime.SessionOptions()
    level = onnxruntime.GraphOptimizationLevel
    options.graph_optimization_level = level.ORT_ENABLE_ALL if fast else level.ORT_DISABLE_ALL
    session = onnxruntime.InferenceSession(made.SerializeToString(), options)
    return session.run(["it"], fed)[0]


@pytest.mark.parametrize("one", LAYERS, ids=[one.name for one in LAYERS])
def test_nodes_stay_within_the_bound_of_their_kind(one):
    for keras in RELEASES:
        made, fed = alone(one, keras)
        case = layer_case(
            layer(one.kind, **settings(one)), one.weights, fed["in0"], keras, one.more
        )
        for fast in (False, True):
            tally = Tally(case.witness, run(made, fed, fast))
            for where in case.witness.blocks():
                tally.add(case.witness.block(where))
            found = (keras, fast, tally.rho, tally.q)
            assert tally.finite and tally.rho <= RHO_MOST and tally.q <= Q_MOST, found


def test_every_class_that_has_a_link_has_nodes():
    assert set(WRITERS) == set(MAKERS)


def small(kind="Activation", **config):
    x = np.zeros((1, 3), np.float32)
    nodes = (entry("x", x), Node("last", kind, {"activation": "relu", **config}, ("x",)))
    return Architecture(nodes, ("x",), ("last",))


def test_equal_models_are_equal_files_and_say_what_they_are():
    one, other = (exported(small(), {}, "1.1.0", {"tags": ["a", "b"]}) for _ in range(2))
    assert one.SerializeToString(deterministic=True) == other.SerializeToString(deterministic=True)
    said = {each.key: each.value for each in one.metadata_props}
    assert said == {"keras": "1.1.0", "tags": '["a", "b"]'}
    assert (one.ir_version, one.opset_import[0].version) == (7, 13)
    shape = one.graph.input[0].type.tensor_type.shape.dim
    assert (shape[0].dim_param, shape[1].dim_value) == ("samples", 3)


def test_what_has_no_onnx_form_says_which_layer_and_why():
    with pytest.raises(CannotRun, match="layer last: no ONNX nodes are known for Lambda"):
        exported(small("Lambda"), {}, "1.1.0")
    with pytest.raises(CannotRun, match=r"layer last \(Merge\) has no ONNX form: it merges by"):
        exported(small("Merge", mode="my_function"), {}, "1.1.0")
    with pytest.raises(CannotRun, match=r"layer last \(Dense\): the weights hold no 'W'"):
        exported(small("Dense"), {}, "1.1.0")
    many = {"W": np.zeros((4, 2), np.float32), "b": np.zeros(2, np.float32)}
    with pytest.raises(CannotRun, match="the weights do not fit the model"):
        exported(small("Dense"), {"last": many}, "1.1.0")


def test_weights_are_the_files_bit_for_bit_from_their_other_end():
    one = next(one for one in LAYERS if one.kind == "Convolution2D")
    made, _ = alone(one, "1.1.0")
    held = {each.name: onnx.numpy_helper.to_array(each) for each in made.graph.initializer}
    flipped = np.ascontiguousarray(one.weights["W"][:, :, ::-1, ::-1])
    assert held["it:W"].tobytes() == flipped.tobytes()
    assert held["it:b"].tobytes() == one.weights["b"].tobytes()


def test_a_model_at_every_step_is_what_the_port_computes():
    node = Node("it", "TimeDistributed", {"layer": within_model()}, ("in0",))
    described = Architecture((entry("in0", X), node), ("in0",), ("it",))
    link = MAKERS["TimeDistributed"](node.config, HELD, "1.1.0")
    made = run(exported(described, {"it": HELD}, "1.1.0"), {"in0": X}, fast=False)
    assert np.allclose(made, in_test_phase(link)(X), rtol=0, atol=4 * 2**-24)
    for inner in ({"class_name": "Masking", "config": {"name": "m", "mask_value": 0.0}},
                  {"class_name": "Highway", "config": {"name": "h"}}):  # fmt: skip
        node.config["layer"] = within_model([*INSIDE, inner])
        with pytest.raises(CannotRun, match=f"no ONNX nodes are known for {inner['class_name']}"):
            exported(described, {"it": HELD}, "1.1.0")
