"""The port as the harness wants it: ordered mapping layer name -> callable(array) -> array."""

import chainer

from port.describe import describe
from port.models import load

__all__ = ["describe", "steps"]


def steps(model, weights, keras=None):
    """Ordered dict layer name -> callable(ndarray) -> ndarray, in the test phase and without gradients.

    What a callable is given it does not modify; what it returns may share memory with that (reshape, dropout).
    Raises ValueError for an unknown model or release, port.weights.WeightsError for weights that do not fit.
    """
    return {name: _in_test_phase(step) for name, step in load(model, weights, keras).steps().items()}


def _in_test_phase(step):
    def call(x):
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return chainer.as_array(step(x))

    return call
