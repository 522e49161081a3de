"""The sampled sd is that of plain Monte-Carlo arithmetic, honest about its own error, and
calibrated.
"""

from functools import partial

import numpy as np
import pytest
from small_net import KERAS, ROWS, parameters, recorded, sound, steps

from parity.attribution.explain import Explanation, at_the_end
from parity.attribution.sampled import sampled
from parity.compare import verdict
from parity.compare.walk import walk
from parity.kinds import costs, value, witness
from parity.numerics import montecarlo
from parity.ports.callables import Callables

PARAMS = parameters()
ORIGINAL = recorded(sound(), steps(PARAMS))
LAYERS = [ORIGINAL.layers[row[0]] for row in ROWS]
NUMBER = {layer.name: at for at, layer in enumerate(LAYERS)}
AT_LOGITS = [
    *LAYERS[:-1],
    LAYERS[-1]._replace(config={**LAYERS[-1].config, "activation": "linear"}),
]


@pytest.fixture
def three_parts(monkeypatch):
    """Costs as in a real network: early samples dear and few."""
    counts = {
        layer.name: 4 if NUMBER[layer.name] < 7 else 16 if NUMBER[layer.name] < 12 else 32
        for layer in LAYERS
    }
    monkeypatch.setattr("parity.attribution.sampled.sample_counts", lambda costs: counts)


def logits(port, scale=None, seed=0):
    rounding = partial(sampled, ORIGINAL, PARAMS, KERAS, seed=seed)
    explanation = Explanation(ORIGINAL, PARAMS, KERAS, Callables(port), rounding)
    for step in walk(ORIGINAL, Callables(port)):
        explanation.follow(
            step, explanation.carrier(step).run(), (scale or {}).get(step.layer.name, 1.0)
        )
    return explanation.findings().logits


def sigmas(x):
    """Per layer the sigma of its witness on the oracle's own chain, and the oracle's logits."""
    found = []
    for layer in AT_LOGITS:
        judge = witness(layer, PARAMS[layer.name], x.astype(np.float32), KERAS)
        sigma = np.zeros(judge.view)
        for where in judge.blocks() if not judge.moves else ():
            block = judge.block(where)
            sigma[where] = (
                judge.sigma_share * np.sqrt(block.bound2)
                if block.sigma2 is None
                else np.sqrt(block.sigma2)
            )
        found.append(sigma.reshape(judge.shape))
        x = value(layer, PARAMS[layer.name], x, KERAS)
    return found, x


def plain(runs, seed, scale=None):
    """Plain Monte-Carlo arithmetic: whole float64 runs with Gaussian noise behind every layer; the
    sd around the oracle.
    """
    rng, total = np.random.default_rng(seed), 0.0
    known, exact = sigmas(ORIGINAL.read("input"))
    for _ in range(runs):
        x = ORIGINAL.read("input").astype(np.float64)
        for layer, sigma in zip(AT_LOGITS, known, strict=True):
            x = value(layer, PARAMS[layer.name], x, KERAS)
            x = x + (scale or {}).get(layer.name, 1.0) * sigma * rng.standard_normal(sigma.shape)
        total = total + np.square(x - exact)
    return np.sqrt(total / runs)


def test_the_parts_together_are_plain_monte_carlo_arithmetic(three_parts):
    seeds, runs = 12, 400
    wanted = plain(runs, seed=1)
    estimates = [logits(steps(PARAMS, seed=2), seed=seed) for seed in range(seeds)]
    got = np.sqrt(np.mean([np.square(found.sd) for found in estimates], axis=0))
    own = np.mean([found.sd_error for found in estimates], axis=0) / np.sqrt(seeds)
    z = (got / wanted - 1) / np.hypot(own, 1 / np.sqrt(2 * runs))
    assert np.abs(z).max() < 4.5 and np.sqrt(np.mean(z**2)) < 1.5
    assert abs(np.mean(got / wanted) - 1) < 0.03


def test_the_stated_error_is_the_scatter_over_seeds(three_parts):
    estimates = [logits(steps(PARAMS, seed=2), seed=seed) for seed in range(24)]
    sds = np.array([found.sd for found in estimates])
    scatter = np.sqrt(np.mean(np.square(sds.std(axis=0) / sds.mean(axis=0))))
    stated = np.sqrt(np.mean(np.square([found.sd_error for found in estimates])))
    assert 0.8 < scatter / stated < 1.25


def test_a_layer_that_rounds_more_widens_the_sd(three_parts):
    more = {"conv2": 20.0, "output": 3.0}
    got, wanted = logits(steps(PARAMS, seed=2), scale=more).sd, plain(200, seed=3, scale=more)
    assert np.sqrt(np.mean(np.square(got / wanted))) == pytest.approx(1, abs=0.12)


def test_clean_rounding_is_covered_and_not_drowned():
    ratios = [at_the_end(logits(steps(PARAMS, seed=seed))) for seed in range(10, 40, 10)]
    assert all(ends.holds for ends in ratios)
    assert 0.1 < np.mean([ends.z_port for ends in ratios]) < 1.5


def test_a_fault_is_more_than_rounding():
    broken = {name: dict(suffixes) for name, suffixes in PARAMS.items()}
    broken["conv2"]["W"] = broken["conv2"]["W"] * np.float32(1.001)
    ends = at_the_end(logits(steps(broken, seed=2)))
    assert not ends.holds and ends.ratio > 10 and ends.closeness.closer == "reference"


def test_dear_parts_get_few_samples_and_cheap_ones_many():
    counts = list(montecarlo.sample_counts(costs(LAYERS, PARAMS)).values())
    assert counts == sorted(counts) and set(counts) == {montecarlo.MOST}, (
        "a small network can afford them everywhere"
    )
    large = [layer._replace(shape=(layer.shape[0] * 40000, *layer.shape[1:])) for layer in LAYERS]
    counts = list(montecarlo.sample_counts(costs(large, PARAMS)).values())
    assert (
        counts == sorted(counts)
        and counts[0] == montecarlo.FEWEST
        and counts[-1] == montecarlo.MOST
    )


def test_the_same_run_gives_the_same_sd():
    first, second = (logits(steps(PARAMS, seed=2)).sd for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_the_chains_allowance_is_that_of_plain_runs_layer_by_layer(three_parts):
    known, _ = sigmas(ORIGINAL.read("input"))
    rng, runs, total = np.random.default_rng(3), 300, {}
    for run in range(-1, runs):
        x = ORIGINAL.read("input").astype(np.float64)
        for layer, sigma in zip(LAYERS, known, strict=True):
            x = value(layer, PARAMS[layer.name], x, KERAS)
            if run < 0:
                total[layer.name] = [x, 0.0]
            elif layer is not LAYERS[-1]:
                x = x + sigma * rng.standard_normal(sigma.shape)
                total[layer.name][1] += np.mean(np.square(x - total[layer.name][0])) / runs
    explanation = Explanation(ORIGINAL, PARAMS, KERAS, Callables(steps(PARAMS)))
    drift = {}
    for step in walk(ORIGINAL, explanation.port):
        explanation.follow(step, explanation.carrier(step).run())
        drift[step.layer.name] = np.sqrt(np.mean(np.square(step.chained.actual - step.expected)))
    found = explanation.findings().rounding
    assert [*found] == [layer.name for layer in LAYERS]
    for name, (_, variance) in [*total.items()][:-1]:
        assert found[name] == pytest.approx(2 * verdict.Q_MOST * np.sqrt(variance), rel=0.3), name
    assert all(drift[name] <= found[name] for name in found)
    assert 0 < found["output"] < 0.3 * found["gru1"], "the sigmoid's slope is at most 1/4"
