"""What a flip changes, and that symmetric kernels are said to hide it."""

import numpy as np
import pytest
from scipy.signal import convolve2d, correlate2d

from parity.kinds import layer_case
from parity.kinds.convolution import flip
from parity.ports.callables import Callables
from parity.results import Asymmetry
from tests.kinds.recorded_layers import F, layer

CONFIG = {"border_mode": "same", "subsample": [1, 1]}


def run(x, params, turn=convolve2d):
    """'same' convolution of x (B, C, H, W) in float64, rounded to float32 once."""
    sums = [
        [
            sum(
                turn(image, kernel, mode="same")
                for image, kernel in zip(clip.astype(float), kernels.astype(float), strict=True)
            )
            for kernels in params["W"]
        ]
        for clip in x
    ]
    return (np.array(sums) + params["b"][:, None, None]).astype(F)


class Rewritten(Callables):
    """A port that gives one answer with its own weights, and another with any others."""

    def __init__(self, other):
        super().__init__({"it": None})
        self.other = other

    def with_weights(self, layer, changes):
        return Callables({"it": lambda x: self.other})


def look(kernels, x=None, port=None):
    rng = np.random.default_rng(5)
    noise = rng.standard_normal((2, 3, 12, 14)).astype(F)
    params = {"W": kernels, "b": rng.standard_normal(len(kernels)).astype(F)}
    x = noise if x is None else x
    expected, unflipped = run(x, params), run(x, params, correlate2d)
    case = layer_case(layer("Convolution2D", **CONFIG), params, x, "1.0.6")
    found = flip.examine(case, expected, expected, port or Callables({}))
    return found, unflipped, expected


def test_symmetric_kernels_hide_the_flip():
    kernels = np.random.default_rng(7).standard_normal((4, 3, 3, 3)).astype(F)
    found, _, _ = look((kernels + kernels[:, :, ::-1, ::-1]) / 2)
    assert found.asymmetry == Asymmetry(0, 0, 0)
    assert not found.visible and found.decidability < 1
    assert "a flip could not be seen here, as its kernels are symmetric" in found.message


@pytest.mark.parametrize(
    ("level", "why"),
    [(0, "as its input is silent"), (1e-30, "as its input, of at most 1e-30, hardly changes")],
)
def test_an_input_that_hides_the_flip_is_blamed_and_not_the_kernels(level, why):
    kernels = np.random.default_rng(7).standard_normal((4, 3, 3, 3)).astype(F)
    found, _, _ = look(kernels, np.full((2, 3, 12, 14), level, F))
    assert not found.visible and why in found.message and "symmetric" not in found.message
    assert "its kernels differ from their flips by 1." in found.message


def test_other_kernels_show_it_by_what_it_costs():
    kernels = np.random.default_rng(7).standard_normal((4, 3, 3, 3)).astype(F)
    found, unflipped, expected = look(kernels)
    assert found.visible and found.decidability > 1e4 and found.message is None
    assert found.flipped.max_abs == 0
    assert found.unflipped.max_abs == pytest.approx(np.abs(unflipped - expected).max(), rel=1e-5)


def test_the_ports_own_unflipped_output_is_taken_where_it_is_given():
    kernels = np.random.default_rng(7).standard_normal((4, 3, 3, 3)).astype(F)
    _, _, expected = look(kernels)
    found, _, _ = look(kernels, port=Rewritten(expected + F(2)))
    assert found.unflipped.max_abs == pytest.approx(2, rel=1e-6)


def test_asymmetry_is_two_where_the_flip_changes_every_sign():
    odd = np.zeros((2, 1, 3, 3), F)
    odd[:, :, 0, 0], odd[:, :, 2, 2] = 1, -1
    odd[1, 0] = 1
    assert flip.asymmetry(odd[:1]).whole == pytest.approx(2)
    assert flip.asymmetry(odd).least == 0 and flip.asymmetry(odd).least_kernel == 1
    assert flip.asymmetry(np.zeros((1, 1, 3, 3), F)).whole == 0
