"""What a whole comparison makes of the hypotheses: a layer that raises, an original that is not
explained, the form of an ELU.
"""

import shutil
from dataclasses import asdict

import h5py
import numpy as np
import pytest

from parity.model import Case, Model, Weights
from parity.ports.callables import Callables
from parity.proving import compare_case
from reference.trace_file import Layer, write_trace

F = np.float32
MODEL = Model("TINY", "keras106", "", ("bn1", "elu_1", "flatten_1", "output"), tuple("abcde"))
_BASE = {"trainable": True}
CONFIGS = {
    "bn1": (
        "BatchNormalization",
        {**_BASE, "name": "bn1", "mode": 0, "axis": 1, "epsilon": 1e-6, "momentum": 0.9},
    ),
    "elu_1": ("ELU", {**_BASE, "name": "elu_1", "alpha": 1.0}),
    "flatten_1": ("Flatten", {**_BASE, "name": "flatten_1"}),
    "output": (
        "Dense",
        {
            **_BASE,
            "name": "output",
            "activation": "sigmoid",
            "output_dim": 5,
            "input_dim": 96,
            "bias": True,
        },
    ),
}


def _normalised(params, eps=0.0, power=1):
    mean, spread, gamma, beta = (
        params[key][:, None, None] for key in ("running_mean", "running_std", "gamma", "beta")
    )
    return lambda x: ((x - mean) * (gamma / (spread**power + F(eps))) + beta).astype(x.dtype)


def _elu(exp):
    return lambda x: np.where(x > 0, x, exp(np.minimum(x, 0))).astype(x.dtype)


def _dense(params):
    return lambda x: (
        1 / (1 + np.exp(-(x @ params["W"].astype(x.dtype) + params["b"].astype(x.dtype))))
    ).astype(x.dtype)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """(folder, parameters, the original's steps, its batch)."""
    rng, folder = np.random.default_rng(3), tmp_path_factory.mktemp("tiny")
    params = {
        "bn1": {
            "gamma": rng.uniform(0.5, 2, 2).astype(F),
            "beta": rng.standard_normal(2).astype(F),
            "running_mean": rng.standard_normal(2).astype(F),
            "running_std": rng.uniform(0.5, 2, 2).astype(F),
        },
        "output": {
            "W": (0.1 * rng.standard_normal((96, 5))).astype(F),
            "b": rng.standard_normal(5).astype(F),
        },
    }
    with h5py.File(folder / "weights.h5", "w") as file:
        file.attrs["layer_names"] = np.array([name.encode() for name in CONFIGS])
        for name in CONFIGS:
            held = params.get(name, {})
            group = file.create_group(name)
            group.attrs["weight_names"] = np.array(
                [f"{name}_{suffix}".encode() for suffix in held], dtype="S32"
            )
            for suffix, array in held.items():
                group[f"{name}_{suffix}"] = array
    steps = {
        "bn1": _normalised(params["bn1"], 1e-6),
        "elu_1": _elu(lambda x: np.exp(x) - x.dtype.type(1)),
        "flatten_1": lambda x: x.reshape(len(x), -1),
        "output": _dense(params["output"]),
    }
    return folder, params, steps, rng.standard_normal((2, 2, 6, 8)).astype(F)


def compared(parts, original=None, **port):
    """{layer: its record}; see `found_of`."""
    return {layer.name: asdict(layer) for layer in found_of(parts, original, **port).layers}


def found_of(parts, original=None, **port):
    """What is found of a port with these steps in place of the original's; original: steps that
    were recorded instead.
    """
    folder, _, steps, batch = parts
    recorded = {**steps, **(original or {})}
    lanes = {lane: folder / f"{lane}.h5" for lane in ("reference", "truth", "noise")}
    for lane, path in lanes.items():
        write_trace(
            str(path),
            recording(batch.astype("f8" if lane == "truth" else "f4"), recorded),
            {"keras": "1.0.6", "model": "TINY", "lane": lane},
        )
    return compare_case(
        Case(MODEL, Weights(folder / "weights.h5"), (), "real"), lanes, Callables({**steps, **port})
    )


def recording(x, steps):
    """What the recorder would have written."""
    layers, before = (
        [Layer("input_1", "InputLayer", {"name": "input_1", "sparse": False}, [], x, None)],
        "input_1",
    )
    for name, (kind, config) in CONFIGS.items():
        x = steps[name](x)
        layers.append(
            Layer(name, kind, config, [before], x, np.log(x / (1 - x)) if kind == "Dense" else None)
        )
        before = name
    return layers


def test_statistics_that_no_training_moved_are_remarked_on(parts, tmp_path):
    folder, params, steps, batch = parts
    assert found_of(parts).remarks == ()
    still = params["bn1"] | {"running_mean": np.zeros(2, F), "running_std": np.ones(2, F)}
    shutil.copy(folder / "weights.h5", tmp_path)
    with h5py.File(tmp_path / "weights.h5", "a") as file:
        for suffix in ("running_mean", "running_std"):
            file[f"bn1/bn1_{suffix}"][...] = still[suffix]
    (said,) = found_of((tmp_path, params, steps | {"bn1": _normalised(still, 1e-6)}, batch)).remarks
    assert "the statistics of bn1 are still the 0 and 1 they began with" in said


def test_a_layer_that_raises_is_named_by_what_it_says(parts):
    _, params, _, _ = parts
    record = compared(parts, output=lambda x: x @ params["output"]["W"].T)["output"]
    assert (
        record["isolated"]["verdict"] == "NOT COMPARED"
        and "raised ValueError" in record["isolated"]["message"]
    )
    assert record["cause"]["hypothesis"] == "matrix transposed"


def test_a_layer_that_raises_something_else_has_no_cause(parts):
    def broken(x):
        raise RuntimeError("no memory for 96 by 5")

    assert compared(parts, output=broken)["output"]["cause"] is None


def test_an_original_that_is_not_explained_says_what_it_would_be(parts):
    _, params, _, _ = parts
    otherwise = _normalised(params["bn1"], 1e-6, power=0.5)
    record = compared(parts, {"bn1": otherwise}, bn1=otherwise)["bn1"]
    record_of_other = compared(parts, {"bn1": otherwise})["bn1"]
    assert (
        record_of_other["isolated"]["verdict"] == "ORACLE-SUSPECT"
        and record_of_other["cause"] is None
    )
    named = record_of_other["original_cause"]["hypothesis"]
    assert named.startswith("standard deviation taken for a variance (Keras 1.0.7)")
    assert (
        record_of_other["isolated"]["message"]
        == f"the original's own output is explained by: {named}"
    )
    assert record["isolated"]["verdict"] == "EXACT" and record["original_cause"] is None


def test_the_form_of_an_elu_is_kept_for_both_sides(parts):
    same = compared(parts)["elu_1"]["form"]
    other = compared(parts, elu_1=_elu(np.expm1))["elu_1"]["form"]
    assert (
        same["port"]["formula"]
        == same["original"]["formula"]
        == other["original"]["formula"]
        == "exp(x) - 1"
    )
    assert other["port"]["formula"] == "expm1(x)" and other["port"]["lattice_share"] < 0.7
    assert compared(parts, elu_1=lambda x: np.maximum(x, 0))["elu_1"]["form"]["port"] is None
    assert compared(parts)["bn1"]["form"] is None


def test_layers_that_one_before_them_does_already_are_named(parts):
    """A port that fuses layers, and keeps the later ones as identities."""
    _, _, steps, _ = parts
    found = compared(parts, bn1=lambda x: steps["elu_1"](steps["bn1"](x)), elu_1=lambda x: x)
    assert found["bn1"]["cause"]["hypothesis"] == "elu_1 done here already"
    assert found["elu_1"]["cause"]["hypothesis"] == "layer skipped (its input passed on)"
    assert found["elu_1"]["chained"]["verdict"] == "EXACT"
    half = compared(parts, bn1=lambda x: steps["elu_1"](steps["bn1"](x) / 2), elu_1=lambda x: x)
    assert half["bn1"]["cause"]["hypothesis"] != "elu_1 done here already"
