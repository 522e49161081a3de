"""Shares add up, exact layers have none, and a planted fault has the largest."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from small_net import KERAS, ROWS, Rounding, parameters, recorded, sound, steps

from parity.attribution import shares as attribution
from parity.attribution.explain import Explanation
from parity.attribution.shares import Paths, Plain, closes
from parity.compare.walk import walk
from parity.errors import CannotRun
from parity.kinds import KINDS, value
from parity.kinds.api import through_float64
from parity.ports.callables import Callables

PARAMS = parameters()
ORIGINAL = recorded(sound(), steps(PARAMS))
EXACT = [name for name, kind, _, _ in ROWS if KINDS[kind].move]
ROW = {row[0]: row for row in ROWS}


def followed(port):
    explanation = Explanation(ORIGINAL, PARAMS, KERAS, Callables(port))
    for step in walk(ORIGINAL, Callables(port)):
        explanation.follow(step, explanation.carrier(step).run())
    return explanation


def explain(port):
    return followed(port).findings()


def planted(name, change, config=None):
    """The port with one parameter, or one setting, of one layer changed."""
    row = ROW[name]
    params = (
        {suffix: change(suffix, value) for suffix, value in PARAMS[name].items()}
        if change
        else PARAMS[name]
    )
    return steps(
        PARAMS,
        seed=7,
        **{name: Rounding((row[0], row[1], {**row[2], **(config or {})}, row[3]), params, seed=8)},
    )


def scaled(only, factor):
    return lambda suffix, value: value * np.float32(factor) if suffix == only else value


def one_tap(suffix, value):
    if suffix == "W":
        value = value.copy()
        value.flat[4] *= np.float32(1.001)
    return value


FAULTS = [
    *[
        (name, scaled(suffix, 1 + size), None)
        for name, suffix in (
            ("bn_0", "gamma"),
            ("bn_0", "running_mean"),
            ("bn_0", "beta"),
            ("bn1", "gamma"),
            ("bn1", "beta"),
            ("conv2", "W"),
            ("conv2", "b"),
            ("bn2", "gamma"),
            ("bn2", "running_std"),
            ("gru1", "U_z"),
            ("gru1", "W_h"),
            ("gru1", "b_r"),
            ("output", "W"),
            ("output", "b"),
        )
        for size in (1e-3, 0.5)
    ],
    ("conv1", one_tap, None),
    (
        "conv2",
        one_tap,
        None,
    ),  # a gain of conv1 is undone by bn1, which has the batch's own statistics
    ("conv2", lambda s, v: v[:, :, ::-1, ::-1] if s == "W" else v, None),
    ("gru1", lambda s, v: v.T if s == "U_h" else v, None),
    ("bn1", None, {"epsilon": 1e-3}),
    ("bn2", None, {"mode": 2}),
    ("bn_0", None, {"epsilon": 1e-4}),
    ("elu_1", None, {"alpha": 0.99}),
    ("elu_2", None, {"alpha": 0.9999}),
    ("gru1", None, {"go_backwards": True}),
]


def brute_force(port):
    """{layer: P_k - R_k} from plain float64 suffix runs, to the logits."""
    names = list(ORIGINAL.layers)[1:]
    linear = {name: ORIGINAL.layers[name] for name in names}
    linear["output"] = linear["output"]._replace(
        config={**linear["output"].config, "activation": "linear"}
    )

    def suffix(x, after):
        for name in names[after:]:
            x = value(linear[name], PARAMS[name], x, KERAS)
        return x

    ends = {}
    for side, chain in (("port", port), ("reference", steps(PARAMS))):
        x = ORIGINAL.read("input")
        ends[side] = [suffix(x, 0)]
        for at, name in enumerate(names, 1):
            x = chain[name].logits(x) if at == len(names) else chain[name](x)
            ends[side].append(suffix(x, at))
    return {
        name: np.diff(ends["port"], axis=0)[at] - np.diff(ends["reference"], axis=0)[at]
        for at, name in enumerate(names)
    }


def test_shares_are_those_of_plain_float64_suffix_runs_and_close():
    outputs = {}

    def repeatable(name, step):  # noise is drawn at each call: both ways have to see the same chain
        def call(x):
            return outputs.setdefault((name, x.tobytes()), step(x))

        return call

    port = {name: repeatable(name, step) for name, step in steps(PARAMS, seed=3).items()}
    port["output"].logits = repeatable("logits", steps(PARAMS, seed=3)["output"].logits)
    found = explain(port)
    wanted = brute_force(port)
    drift = found.logits.actual - found.logits.expected
    assert found.attribution.space == "logits" and found.attribution.closure <= 1e-10
    for name, part in wanted.items():
        share = np.vdot(part, drift) / np.vdot(drift, drift)
        assert found.layers[name].share == pytest.approx(share, abs=1e-5), name
    assert sum(layer.share for layer in found.layers.values()) == pytest.approx(1, abs=1e-9)


def test_layers_that_only_move_values_have_exactly_no_share():
    layers = explain(steps(PARAMS, seed=5)).layers
    assert {name: layers[name].share for name in EXACT} == dict.fromkeys(EXACT, 0.0)
    assert {name: layers[name].energy for name in EXACT} == dict.fromkeys(EXACT, 0.0)
    assert all(layers[name].energy > 0 for name in set(layers) - set(EXACT))


def test_a_layer_that_adds_nothing_costs_no_path_through_the_layers_behind_it():
    paths = followed(steps(PARAMS, seed=5)).paths.deviations
    assert not any(path.endswith(f" {name}") for path in paths for name in EXACT)
    assert len(paths) == 1 + 2 * (len(ROWS) - len(EXACT))


def test_layers_that_give_the_originals_bits_have_exactly_no_share():
    port = steps(PARAMS)
    port["bn2"] = Rounding(ROW["bn2"], PARAMS["bn2"], seed=4)
    layers = explain(port).layers
    paths = followed(port).paths.deviations
    assert [path for path in paths if path.startswith("reference")] == [
        "reference bn2",
        "reference elu_2",
        "reference gru1",
        "reference output",
    ], "equal layers cost no path behind them"
    before = [row[0] for row in ROWS[: [row[0] for row in ROWS].index("bn2")]]
    assert {name: (layers[name].share, layers[name].energy) for name in before} == dict.fromkeys(
        before, (0.0, 0.0)
    )
    assert layers["bn2"].energy > 0


@pytest.mark.slow
def test_a_planted_fault_has_the_largest_share():
    blamed = []
    for name, change, config in FAULTS:
        layers = explain(planted(name, change, config)).layers
        blamed.append(max(layers, key=lambda layer: layers[layer].share) == name)
    missed = [FAULTS[at] for at, right in enumerate(blamed) if not right]
    assert np.mean(blamed) >= 0.95, missed


def test_a_pool_of_the_port_that_errs_is_blamed():
    port = steps(PARAMS, seed=5, pool1=lambda x: Rounding(ROW["pool1"], {})(x) * np.float32(1.01))
    layers = explain(port).layers
    assert max(layers, key=lambda layer: layers[layer].share) == "pool1"


def test_a_port_that_gives_the_originals_bits_has_no_drift_to_share():
    found = explain(steps(PARAMS))
    assert found.attribution.drift == 0.0 and found.attribution.closure is None
    assert {layer.share for layer in found.layers.values()} == {None}


def test_parts_that_do_not_add_up_stop_the_run():
    parts = [np.array([1.0, 2.0]), np.array([0.0, 1e-9])]
    assert closes(parts, sum(parts)) == 0.0
    with pytest.raises(CannotRun, match=r"leave .* so it is wrong: a fault of this harness"):
        closes(parts, parts[0])


def test_what_a_later_layer_takes_away_is_told_as_far_as_float32_carries_it():
    plain, paths, ones = Plain([], {}), Paths(), np.ones(3)
    case = SimpleNamespace(but=lambda x: SimpleNamespace(value=lambda: ones))
    carrier = SimpleNamespace(layer=SimpleNamespace(name="next"), case=case)
    plain.path, plain.values = "port", ones
    for left in (1.0, 1e-7):
        paths.deviations = {"port": np.full(3, left, np.float32)}
        plain.follow(carrier, None, paths)
    plain.check(paths, ones - 1e-7 + 1e-8)
    with pytest.raises(CannotRun, match="a fault of this harness"):
        plain.check(paths, ones - 1e-7 + 1e-6)


def test_without_the_ports_logits_the_scores_are_attributed():
    port = {
        name: (lambda x, step=step: step(x))
        for name, step in planted("conv2", scaled("W", 1.001)).items()
    }
    found = explain(port)
    assert (
        found.attribution.space == "scores"
        and "does not give its logits" in found.attribution.message
    )
    layers = found.layers
    assert max(layers, key=lambda layer: layers[layer].share) == "conv2"
    assert (
        found.logits.actual is None
        and found.attribution.ends is None
        and np.all(found.logits.sd > 0)
    )


def raises(x):
    raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (raises, "out of luck"),
        (lambda x: x[:1], "shape"),
        (lambda x: x.astype(np.float64), "dtype"),
        (lambda x: x * np.float32(np.nan), "NaN"),
    ],
)
def test_a_broken_chain_is_told_and_the_noise_still_measured(step, why):
    explanation = followed(steps(PARAMS, seed=5, dropout1=step))
    found = explanation.findings()
    assert list(explanation.paths.deviations) == ["oracle"]
    assert not found.layers and why in found.attribution.message and found.attribution.ends is None
    assert np.all(found.logits.sd > 0)


def test_logits_that_raise_leave_the_scores():
    port = steps(PARAMS, seed=5)
    port["output"].logits = raises
    found = explain(port)
    assert (
        found.attribution.space == "scores"
        and "out of luck" in found.attribution.message
        and found.layers
    )


@pytest.mark.parametrize(("factor", "offset"), [(0.99, 0), (1, 8 * 2.0**-24)])
def test_logits_that_are_not_what_the_scores_come_from_are_not_trusted(factor, offset):
    port = steps(PARAMS, seed=5)
    honest = port["output"]
    port["output"] = lambda x: honest(x) * np.float32(factor) + np.float32(offset)
    port["output"].logits = honest.logits
    found = explain(port)
    assert (
        found.attribution.space == "scores"
        and "away from the sigmoid of what it gives as its logits" in found.attribution.message
    )
    layers = found.layers
    assert max(layers, key=lambda layer: layers[layer].share) == "output"


def test_what_is_carried_is_held_against_a_plain_run(monkeypatch):
    """A wrong formula in one carried layer leaves the parts adding up; the plain run shows it."""
    explanation = followed(steps(PARAMS, seed=5))
    assert explanation.plain.start == "pad" and explanation.plain.values is None, (
        "padding starts no path"
    )
    for start in ("bn_0", "conv2", "gru1"):
        monkeypatch.setattr(
            attribution.Plain,
            "__init__",
            lambda self, *_, start=start: vars(self).update(
                start=start, values=None, path=None, lost=0.0
            ),
        )
        assert followed(steps(PARAMS, seed=5)).findings().attribution.closure <= 1e-10
        with monkeypatch.context() as patch:
            patch.setitem(
                KINDS,
                "Dense",
                replace(
                    KINDS["Dense"],
                    propagate=lambda case, d: (1.01 * through_float64(case, d)).astype(np.float32),
                ),
            )
            with pytest.raises(
                CannotRun,
                match=(
                    f"what was carried from {start} to the end is .* away from a plain float64 run"
                ),
            ):
                explain(steps(PARAMS, seed=5))
