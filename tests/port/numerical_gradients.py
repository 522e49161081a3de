"""Gradients by central differences. (chainer.gradient_check imports chainer.testing, whose pytest
marks are not ours.)
"""

import chainer
import chainer.functions as F
import numpy as np

STEP = 1e-5


def assert_gradients(function, *inputs, parameters=(), rtol=1e-6):
    """Backward of sum(function(*inputs) * gy), float64, equals the slope along a random direction,
    input by input.
    """
    rng = np.random.default_rng(3)
    variables = [chainer.Variable(x) for x in inputs] + list(parameters)
    y = function(*variables[: len(inputs)])
    gy = rng.normal(0, 1, y.shape)
    for variable, gradient in zip(variables, chainer.grad([F.sum(y * gy)], variables), strict=True):
        direction, middle, sums = rng.normal(0, 1, variable.shape), variable.array, []
        for sign in (1, -1):
            variable.array = middle + sign * STEP * direction
            sums.append(np.sum(function(*variables[: len(inputs)]).array * gy))
        variable.array = middle
        np.testing.assert_allclose(
            np.sum(gradient.array * direction),
            (sums[0] - sums[1]) / (2 * STEP),
            rtol=rtol,
            atol=1e-7,
        )
