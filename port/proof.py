"""The port as the harness wants it: ordered mapping layer name -> callable(array) -> array."""

import chainer

from parity.port.describe import describe
from parity.port.models import load

__all__ = ["describe", "steps", "steps_of"]


def steps(model, weights, keras=None):
    """`steps_of` the tagger `model` with the parameters of `weights`, by the formulas of the Keras
    release `keras`.

    Raises ValueError for an unknown model or release, parity.port.weights.WeightsError for weights
    that do not fit.
    """
    return steps_of(load(model, weights, keras))


def steps_of(tagger):
    """Ordered dict layer name -> callable(ndarray) -> ndarray, in the test phase and without
    gradients.

    What a callable is given it does not modify; what it returns may share memory with that
    (reshape, dropout). The last one has an attribute `logits`, a callable of the same kind that
    stops before the sigmoid.
    """
    found = {name: in_test_phase(step) for name, step in tagger.steps().items()}
    *_, last = found
    found[last].logits = in_test_phase(tagger[last].logits)
    return found


def in_test_phase(step):
    """`step`, a callable on Variables, as a callable on arrays."""

    def call(x):
        with chainer.using_config("train", False), chainer.no_backprop_mode():
            return chainer.as_array(step(x))

    return call
