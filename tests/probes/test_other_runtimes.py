"""Layers as other libraries compute them are never blamed: SciPy and onnxruntime."""

import numpy as np
import onnx
import onnxruntime
import pytest
import scipy.linalg.blas
import scipy.signal
import scipy.special

from parity.probes.asking import RIGHT
from tests.probes.formula_ports import case_of, probed, without

CONVOLUTION = case_of("Convolution2D", nb_row=3, border_mode="same")
DENSE = case_of("Dense", activation="linear")
ELU = case_of("ELU")
W, B = (np.asarray(CONVOLUTION.params[key], np.float32) for key in "Wb")
MATRIX, BIAS = (np.asarray(DENSE.params[key], np.float32) for key in "Wb")


def convolved(x):
    y = np.empty((len(x), len(W), *x.shape[2:]), np.float32)
    for clip, kernel in np.ndindex(y.shape[:2]):
        pairs = zip(x[clip], W[kernel], strict=True)
        y[clip, kernel] = sum(scipy.signal.convolve2d(*each, mode="same") for each in pairs)
    return y + B[:, None, None]


def multiplied(x):
    return np.ascontiguousarray(scipy.linalg.blas.sgemm(1, x, MATRIX)) + BIAS


def bent(x):
    alpha = np.float32(ELU.config["alpha"])
    return np.where(x > 0, x, alpha * scipy.special.expm1(np.minimum(x, 0)))


def by_onnx(operator, *weights, **attributes):
    """One node's answer from onnxruntime."""
    names = [f"w{at}" for at in range(len(weights))]
    node = onnx.helper.make_node(operator, ["x", *names], ["y"], **attributes)
    of = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        [node],
        "one",
        [onnx.helper.make_tensor_value_info("x", of, None)],
        [onnx.helper.make_tensor_value_info("y", of, None)],
        [onnx.numpy_helper.from_array(w, name) for w, name in zip(weights, names, strict=True)],
    )
    opset = [onnx.helper.make_opsetid("", 13)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return lambda x: session.run(None, {"x": x})[0]


TURNED = np.ascontiguousarray(W[..., ::-1, ::-1])
RUNTIMES = {
    "scipy.signal": (CONVOLUTION, convolved),
    "SciPy's BLAS": (DENSE, multiplied),
    "scipy.special": (ELU, bent),
    "onnxruntime Conv": (CONVOLUTION, by_onnx("Conv", TURNED, B, pads=[1, 1, 1, 1])),
    "onnxruntime Gemm": (DENSE, by_onnx("Gemm", MATRIX, BIAS)),
    "onnxruntime Elu": (ELU, by_onnx("Elu", alpha=float(ELU.config["alpha"]))),
}


@pytest.mark.parametrize("name", RUNTIMES)
def test_another_runtime_is_not_blamed(name):
    case, run = RUNTIMES[name]
    found = probed(case, run)
    assert found.record.verdict in RIGHT, found.record.message
    assert all(each.equal == each.count for each in found.record.read if not each.to_u)


def test_with_another_weight_it_is():
    up = without(CONVOLUTION, "W", lambda W: np.nextafter(W, np.float32(np.inf))).params["W"]
    found = probed(
        CONVOLUTION, by_onnx("Conv", np.ascontiguousarray(up[..., ::-1, ::-1]), B, pads=[1] * 4)
    )
    assert found.record.verdict not in RIGHT
