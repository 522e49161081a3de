"""What the port's layers compute on the way and do not return: gates and states of a GRU,
statistics of a batch.
"""

import chainer
import chainer.functions as F
import numpy as np

from parity.port.links import gru
from parity.port.links.batch_normalization import BatchNormalization, moments
from parity.port.weights import load


def insides(model, weights, keras=None):
    """{layer: callable on arrays} for the tagger of parity.port.weights.load.

    A GRU's is unrolled(x, before=None), mode 2 batch normalisation's is batch_statistics(x); other
    layers have none.
    """
    links = load(model, weights, keras).steps()
    grus = {name: _unrolled(link) for name, link in links.items() if isinstance(link, gru.GRU)}
    return grus | {
        name: _batch_statistics(link)
        for name, link in links.items()
        if getattr(link, "mode", 0) == 2
    }


def _unrolled(link):
    def unrolled(x, before=None):
        """x (B,T,inputs) -> {"z", "r", "candidate", "state"}: (B,T,units), by the link's own steps.

        before : states (B,T,units) to take before each step, or None: each step takes what the
        last one gave.
        """
        with chainer.no_backprop_mode():
            projections = F.linear(x, link.W, link.b, n_batch_axes=2)
            recurrent = F.split_axis(link.U, [2 * link.out_size], axis=0)
            h, found = np.zeros((len(x), link.out_size), x.dtype), []
            for t, projection in enumerate(F.separate(projections, axis=1)):
                h = h if before is None else before[:, t]
                gates = gru.gates(projection, h, *recurrent)
                h = gru.step(projection, h, *recurrent).array
                found.append([*(gate.array for gate in gates), h])
        by_name = zip(*found, strict=True)
        return {
            name: np.stack(steps, axis=1)
            for name, steps in zip(("z", "r", "candidate", "state"), by_name, strict=True)
        }

    return unrolled


def _batch_statistics(link):
    def batch_statistics(x):
        """x -> {"mean", "variance"}: (features,), as the link computes them."""
        mean, variance = moments(x, link.axis)
        return {"mean": mean.array, "variance": variance.array}

    return batch_statistics


def moving_averages(keras, batches):
    """What the port's batch normalisation of release `keras` holds after each batch of
    (updates,B,C,F,T) in the train phase.

    Returns {"running_mean", "running_std", "divisor": (updates,C)}; divisor is what the test phase
    then divides by.
    """
    link, found = BatchNormalization(batches.shape[2], keras=keras), []
    with chainer.using_config("train", True), chainer.no_backprop_mode():
        for batch in batches:
            link(batch)
            running = link.running_std
            found.append(
                (
                    link.running_mean,
                    running,
                    link.dialect.test_divisor(chainer.Variable(running), link.eps).array,
                )
            )
    return dict(
        zip(
            ("running_mean", "running_std", "divisor"),
            map(np.stack, zip(*found, strict=True)),
            strict=True,
        )
    )
