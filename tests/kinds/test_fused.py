"""Layers that a port computes in one: the composed oracle and bound, and what they still catch."""

from types import SimpleNamespace

import numpy as np
import pytest

from parity.compare.measure import measure
from parity.diagnose.search import cause
from parity.errors import CannotRun
from parity.kinds import fused, layer_case
from parity.kinds.fused import of_group

F = np.float32
CONV = ("conv", "Convolution2D", {"border_mode": "same", "subsample": [1, 1], "dim_ordering": "th"})
NORM = ("bn", "BatchNormalization", {"mode": 0, "axis": 1, "epsilon": 1e-3})
POOL = {"pool_size": [2, 2], "strides": [2, 2], "border_mode": "valid", "dim_ordering": "th"}


def activation(name):
    return (name, "Activation", {"activation": name})


def group(*members, seed=0, mean=0.0, x=None, params=None):
    """The case of some layers in one, on an image (2, 3, 8, 8), with drawn weights."""
    rng = np.random.default_rng(seed)
    rows = [dict(zip(("name", "kind", "config"), each, strict=True)) for each in members]
    own = params or {
        "conv": {"W": rng.normal(0, 0.2, (6, 3, 3, 3)), "b": rng.normal(0, 0.2, 6)},
        "dense": {"W": rng.normal(0, 0.2, (192, 6)), "b": rng.normal(0, 0.2, 6)},
        "bn": {
            **{key: rng.normal(1, 0.3, 6) for key in ("gamma", "beta")},
            "running_mean": rng.normal(mean, 0.3, 6),
            "running_std": 0.5 + rng.random(6),
        },
        "prelu": {"alphas": rng.normal(0, 0.3, (6, 8, 8))},
    }
    own = {name: {key: F(a) for key, a in held.items()} for name, held in own.items()}
    name = "+".join(row["name"] for row in rows)
    layer = SimpleNamespace(name=name, kind="fused", config={"layers": rows}, shape=(2, 6, 8, 8))
    x = F(rng.normal(0, 1, (2, 3, 8, 8))) if x is None else x
    return layer_case(layer, of_group(own, [row["name"] for row in rows]), x, "1.1.0")


def member(case, number, x):
    """One layer of a group, on an input of its own."""
    row, params = case.config["layers"][number], case.params
    own = {key.split("/")[1]: a for key, a in params.items() if key.startswith(f"{row['name']}/")}
    return layer_case(SimpleNamespace(**row), own, x, case.keras)


def in_a_row(case):
    """Each layer by itself, its output rounded to float32."""
    x = case.x
    for number in range(len(case.config["layers"])):
        x = F(member(case, number, x).value())
    return x


def folded(case, **changed):
    """Normalisation multiplied into the weights, in float32, and whatever comes after it."""
    get = {**case.params, **changed}
    scale = get["bn/gamma"] / np.sqrt(get["bn/running_std"] + F(1e-3))
    weights = get["conv/W"] * scale[:, None, None, None]
    bias = (get["conv/b"] - get["bn/running_mean"]) * scale + get["bn/beta"]
    padded = np.pad(case.x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    out = np.zeros((2, 6, 8, 8), F) + bias[:, None, None]
    for c, i, j in np.ndindex(3, 3, 3):  # Theano flips its kernels
        seen = padded[:, c, i : i + 8, j : j + 8]
        out += weights[:, c, 2 - i, 2 - j][:, None, None] * seen[:, None]
    return out


GROUPED = {
    "convolution, normalisation, activation": (CONV, NORM, activation("relu")),
    "convolution, normalisation": (CONV, NORM),
    "a smooth activation": (CONV, activation("tanh"), activation("sigmoid")),
    "ELU": (CONV, ("elu", "ELU", {"alpha": 1.0})),
    "PReLU": (CONV, ("prelu", "PReLU", {})),
    "a jump": (CONV, ("cut", "ThresholdedReLU", {"theta": 0.3})),
    "largest": (CONV, activation("tanh"), ("pool", "MaxPooling2D", POOL)),
    "mean": (CONV, activation("tanh"), ("pool", "AveragePooling2D", POOL)),
    "softmax": (
        ("flat", "Flatten", {}),
        ("dense", "Dense", {"activation": "linear"}),
        activation("softmax"),
    ),
}


@pytest.mark.parametrize("name", GROUPED)
def test_layers_in_a_row_are_within_the_composed_bound(name):
    worst = 0.0
    for seed in range(8):
        case = group(*GROUPED[name], seed=seed)
        found = measure(in_a_row(case), in_a_row(case), case.witness)
        assert found.rho_port <= 1 and found.q_port <= 1.5 and found.rho_det <= 1
        worst = max(worst, found.q_port)
    assert worst > 0.02  # the bound is one of rounding, not of anything larger


def test_its_value_is_the_composition():
    case = group(*GROUPED["convolution, normalisation, activation"])
    x = case.x.astype(np.float64)
    for number in range(3):
        x = member(case, number, x).value()
    assert np.array_equal(case.value(), x)


def test_in_float64_nothing_is_rounded_on_the_way():
    case = group(*GROUPED["softmax"])
    wide = case.but(x=case.x.astype(np.float64) + 1e-9)
    x = wide.x
    for number in range(3):
        x = member(wide, number, x).value()
    assert np.abs(wide.value() - x).max() < 1e-15 < np.abs(wide.value() - case.value()).max()


@pytest.mark.parametrize("mean", [0, 30, 300])
def test_normalisation_that_is_folded_into_the_weights_is_rounding(mean):
    for seed in range(8):
        case = group(CONV, NORM, seed=seed, mean=mean)
        found = measure(folded(case), in_a_row(case), case.witness)
        assert found.rho_port <= 1 and found.q_port <= 1.5


def test_folding_needs_more_room_than_layers_in_a_row(monkeypatch):
    monkeypatch.setattr(fused, "_folded", lambda before, own: None)
    seen = [
        measure(folded(c), in_a_row(c), c.witness)
        for c in (group(CONV, NORM, mean=m) for m in (0, 300))
    ]
    assert seen[0].rho_port <= 1 < seen[1].q_port / 1.5


@pytest.mark.parametrize(
    "changed, name",
    [
        ({"bn/beta": np.zeros(6, F)}, "bn: beta left out"),
        ({"conv/b": np.zeros(6, F)}, "conv: bias left out"),
        ({"bn/gamma": np.ones(6, F)}, "bn: gamma left out"),
    ],
)
def test_a_fault_inside_is_seen_and_named(changed, name):
    case = group(CONV, NORM)
    actual = folded(case, **changed)
    assert measure(actual, in_a_row(case), case.witness).rho_port > 1
    assert cause(case, in_a_row(case), actual).hypothesis == name


def test_a_layer_that_is_left_out_is_named():
    case = group(CONV, NORM, activation("relu"))
    actual = np.maximum(F(member(case, 0, case.x).value()), 0)
    assert cause(case, in_a_row(case), actual).hypothesis == "bn left out"


def test_a_weight_that_is_off_by_a_few_roundings_of_the_output_is_seen():
    case = group(CONV, NORM)
    weights = case.params["conv/W"].copy()
    weights.flat[np.abs(weights).argmax()] *= F(1 + 2e-5)
    assert measure(folded(case, **{"conv/W": weights}), in_a_row(case), case.witness).rho_port > 1


@pytest.mark.parametrize(
    "members, words",
    [
        ((CONV, ("two", "Convolution2D", CONV[2])), r"two \(Convolution2D\) mixes many values"),
        ((CONV, ("bn", "BatchNormalization", {"mode": 2, "axis": 1})), "bn .* mixes"),
        ((("x", "Lambda", {}), NORM), "no formula for Lambda"),
    ],
)
def test_what_cannot_be_carried_is_refused(members, words):
    with pytest.raises(CannotRun, match=words):
        _ = group(*members).witness


def test_several_inputs_are_not_probed_and_that_is_said():
    case = group(CONV, NORM).but(more=(np.zeros(2, F),))
    with pytest.raises(CannotRun, match="clips alone"):
        next(case.kind.probes(case, np.random.default_rng(0)))
