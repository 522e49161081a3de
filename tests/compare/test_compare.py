"""A whole comparison on a network of three layers: missing, extra, misshapen and NaN layers are
never skipped and never green.
"""

from dataclasses import replace

import h5py
import numpy as np
import pytest

from parity import proving as job
from parity.document import model_verdict
from parity.kinds import KINDS
from parity.model import Case, Model, Weights
from parity.ports.callables import Callables
from reference.trace_file import Layer, write_trace

U = 2.0**-24
MODEL = Model("TINY", "keras106", "", ("pool1", "flatten_1", "output"), tuple("abcde"))
DENSE = {
    "name": "output",
    "trainable": True,
    "init": "glorot_uniform",
    "activation": "sigmoid",
    "output_dim": 5,
    "input_dim": 12,
    "W_regularizer": None,
    "b_regularizer": None,
    "activity_regularizer": None,
    "W_constraint": None,
    "b_constraint": None,
    "bias": True,
}
POOL = {
    "name": "pool1",
    "trainable": True,
    "pool_size": [2, 2],
    "strides": [2, 2],
    "border_mode": "valid",
    "dim_ordering": "th",
}
LAYERS = (
    (
        "input_1",
        "InputLayer",
        {
            "name": "input_1",
            "batch_input_shape": [None, 1, 8, 6],
            "input_dtype": "float32",
            "sparse": False,
        },
    ),
    ("pool1", "MaxPooling2D", POOL),
    ("flatten_1", "Flatten", {"name": "flatten_1", "trainable": True}),
    ("output", "Dense", DENSE),
)


def pool(x):
    return x.reshape(len(x), 1, x.shape[2] // 2, 2, x.shape[3] // 2, 2).max(axis=(3, 5))


def flatten(x):
    return x.reshape(len(x), -1)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    """(case, lanes, steps): the three lanes of the tiny original, and a port that computes the
    same.
    """
    folder, random = tmp_path_factory.mktemp("tiny"), np.random.default_rng(7)
    weights, bias = (
        random.normal(size=(12, 5)).astype(np.float32),
        random.normal(size=5).astype(np.float32),
    )

    def dense(x):
        return (1 / (1 + np.exp(-(x @ weights.astype(x.dtype) + bias.astype(x.dtype))))).astype(
            x.dtype
        )

    with h5py.File(folder / "weights.h5", "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name, _, _ in LAYERS])
        for name, _, _ in LAYERS:
            file.create_group(name).attrs["weight_names"] = np.array(
                [b"output_W", b"output_b"] if name == "output" else [], dtype="S8"
            )
        file["output/output_W"], file["output/output_b"] = weights, bias
    steps = {"pool1": pool, "flatten_1": flatten, "output": dense}
    batch = random.normal(size=(2, 1, 8, 6)).astype(np.float32)
    lanes = {lane: folder / f"{lane}.h5" for lane in ("reference", "truth", "noise")}
    for lane, path in lanes.items():
        wide = batch.astype("f8" if lane == "truth" else "f4")
        write_trace(
            str(path), recording(wide, steps), {"keras": "1.0.6", "model": "TINY", "lane": lane}
        )
    return Case(MODEL, Weights(folder / "weights.h5"), (), "real"), lanes, steps


def compare_case(case, lanes, steps, **asked):
    return job.compare_case(case, lanes, Callables(steps), **asked)


def recording(x, steps):
    """What the recorder would have written."""
    layers, before = [Layer("input_1", "InputLayer", LAYERS[0][2], [], x, None)], "input_1"
    for name, kind, config in LAYERS[1:]:
        sums = None
        if kind == "Dense":
            sums = np.log(steps[name](x) / (1 - steps[name](x)))
        x = steps[name](x)
        layers.append(Layer(name, kind, config, [before], x, sums))
        before = name
    return layers


def verdicts(found, mode="isolated"):
    return {layer.name: getattr(layer, mode).verdict for layer in found.layers}


def test_the_same_network_holds(recorded):
    case, lanes, steps = recorded
    found = compare_case(case, lanes, steps)
    assert (
        verdicts(found)
        == {"pool1": "EXACT", "flatten_1": "EXACT", "output": "EXACT"}
        == verdicts(found, "chained")
    )
    assert found.first_divergence is None and model_verdict(found) == "HOLDS"
    assert found.final.port_reference == 0 and found.final.holds


def test_a_record_says_what_the_axes_are(recorded):
    pooled, flat, _ = compare_case(*recorded).layers
    assert pooled.axes[2:] == ["mel band", "time frame"] and flat.axes == ["clip", "unit"]


def test_one_rounding_error_is_rounding(recorded):
    case, lanes, steps = recorded
    found = compare_case(
        case, lanes, {**steps, "output": lambda x: steps["output"](x) * np.float32(1 + 2 * U)}
    )
    assert verdicts(found)["output"] == "ROUNDING" and model_verdict(found) == "HOLDS"


@pytest.mark.parametrize(
    ("layer", "step", "isolated", "chained"),
    [
        ("pool1", lambda x: pool(x).astype(np.float64), "INCOMPARABLE", "INCOMPARABLE"),
        (
            "pool1",
            lambda x: np.where(pool(x) == pool(x).max(), np.nan, pool(x)).astype(np.float32),
            "INCOMPARABLE",
            "INCOMPARABLE",
        ),
        ("pool1", lambda x: pool(-x), "GROSS", "GROSS"),
        (
            "flatten_1",
            lambda x: flatten(x)[:, ::-1].copy(),
            "FORMULA(channels in another order)",
            "FORMULA(channels in another order)",
        ),
    ],
)
def test_a_wrong_layer_is_blamed_alone(recorded, layer, step, isolated, chained):
    case, lanes, steps = recorded
    found = compare_case(case, lanes, {**steps, layer: step})
    assert verdicts(found)[layer] == isolated and verdicts(found, "chained")[layer] == chained
    assert [
        name for name, word in verdicts(found).items() if word not in ("EXACT", "ROUNDING")
    ] == [layer]
    assert found.first_divergence == layer and model_verdict(found) == "DRIFTS"
    assert verdicts(found, "chained")["output"] not in ("EXACT", "ROUNDING")


def test_a_missing_layer_is_not_compared_and_named(recorded):
    case, lanes, steps = recorded
    found = compare_case(case, lanes, {name: steps[name] for name in ("pool1", "output")})
    missing = found.layers[1]
    assert (
        missing.isolated.verdict == "NOT COMPARED"
        and missing.isolated.message == "the port has no layer flatten_1"
    )
    assert (
        verdicts(found)["output"] == "EXACT"
        and verdicts(found, "chained")["output"] == "NOT COMPARED"
    )
    assert model_verdict(found) == "INCOMPLETE" and not found.final.holds


def test_an_extra_layer_of_the_port_is_listed_and_not_green(recorded):
    case, lanes, steps = recorded
    found = compare_case(case, lanes, {**steps, "softmax_1": lambda x: x})
    assert found.layers[-1].name == "softmax_1" and model_verdict(found) == "INCOMPLETE"
    assert (
        found.layers[-1].isolated.message
        == "the original and the declared list have no layer softmax_1"
    )


def test_a_declared_layer_the_original_lost_is_listed_and_not_green(recorded):
    case, lanes, steps = recorded
    grown = case._replace(model=MODEL._replace(layers=(*MODEL.layers, "dropout1")))
    found = compare_case(grown, lanes, steps)
    assert verdicts(found)["dropout1"] == "NOT COMPARED" and model_verdict(found) == "INCOMPLETE"


def test_a_reordered_port_is_not_green(recorded):
    case, lanes, steps = recorded
    found = compare_case(
        case, lanes, {name: steps[name] for name in ("flatten_1", "pool1", "output")}
    )
    assert (
        "another order" in found.layers[0].chained.message and model_verdict(found) == "INCOMPLETE"
    )


def test_a_selection_judges_only_what_was_asked(recorded):
    case, lanes, steps = recorded
    assert list(verdicts(compare_case(case, lanes, steps, layers=("output",)))) == ["output"]


def test_what_a_verdict_does_not_say_of_a_layer_is_a_remark(recorded, monkeypatch):
    case, lanes, steps = recorded
    told = replace(KINDS["Flatten"], caveat=lambda config: "keeps something")
    monkeypatch.setitem(KINDS, "Flatten", told)
    assert compare_case(case, lanes, steps).remarks == ("flatten_1 (Flatten) keeps something",)


def test_an_oracle_that_disagrees_with_the_truth_fails_the_model(recorded, tmp_path):
    case, lanes, steps = recorded
    wrong = tmp_path / "truth.h5"
    batch = np.random.default_rng(1).normal(size=(2, 1, 8, 6))
    write_trace(
        str(wrong),
        recording(batch, {**steps, "flatten_1": lambda x: flatten(x) * (1 + 1e-11)}),
        {"keras": "1.0.6"},
    )
    found = compare_case(case, {**lanes, "truth": wrong}, steps)
    assert found.oracle_truth.layer == "flatten_1" and found.oracle_truth.ratio > 1
    assert model_verdict(found) == "DRIFTS"
