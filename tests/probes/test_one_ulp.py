"""One weight or bias that is off by one float32 step, anywhere in a convolution or a dense layer."""

import numpy as np
import pytest

from parity.kinds import LayerCase
from parity.model import MODELS, case_for
from parity.probes.networks import asked, layers_of

DRAWS = 500
IMAGE = 8  # rows and columns: every filter's corners, edges and inside
KINDS = ("Convolution2D", "Dense")


def layers() -> list[LayerCase]:
    """Every convolution and dense layer of the models, on a small image, without its activation."""
    found = []
    for model in MODELS:
        case = case_for(model)
        network = layers_of(case)
        for name, layer in network.items():
            if layer.kind in KINDS:
                blank = asked(case, network, name)
                small = (1, blank.x.shape[1], *(min(n, IMAGE) for n in blank.x.shape[2:]))
                x = np.broadcast_to(np.float32(0), small)
                found.append(blank.but(x=x, config={"activation": "linear"}))
    return found


def is_caught(case: LayerCase, other: LayerCase) -> bool:
    """Whether an answer of the other formula, rounded once, is wrong or reads back otherwise."""
    for probe in case.kind.probes(case, np.random.default_rng(1)):
        if probe.expected is not None:  # random values are judged by how they round
            continue
        answer = other.but(x=probe.x).value().astype(np.float32)
        if not ((probe.low <= answer) & (answer <= probe.high)).all():
            return True
        for reading in probe.read(answer) if probe.read else ():
            same = reading.value == reading.expected
            if not (same | ~np.broadcast_to(reading.seen, np.shape(same))).all():
                return True
    return False


@pytest.mark.slow
def test_one_step_of_any_weight_is_caught():
    rng = np.random.default_rng(20160618)
    cases = [case for case in layers() if case.x[0].size * len(case.params["b"]) <= 2**20]
    missed = []
    for _ in range(DRAWS):
        case = cases[rng.integers(len(cases))]
        suffix = "W" if rng.random() < 0.8 else "b"
        array = case.params[suffix].copy()
        at = tuple(int(rng.integers(n)) for n in array.shape)
        array[at] = np.nextafter(array[at], np.float32(rng.choice([-np.inf, np.inf])))
        if not is_caught(case, case.but(params={suffix: array})):
            missed.append((case.layer.name, suffix, at, float(case.params[suffix][at])))
    assert missed == []


def test_an_unchanged_layer_is_not():
    case = min(layers(), key=lambda case: case.params["W"].size)
    assert not is_caught(case, case)
