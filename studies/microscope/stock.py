"""The measured worth of every fix in the port: what a stock step costs at its layer, at the end of
the network, and in the tags.

The port's chain is run with that one step replaced, or with all of a kind, from the original's
input of the first replaced layer on: before it the chain has nothing to do with the fix.
"""

from typing import NamedTuple

import numpy as np

from parity.attribution.tags import TOP, jaccard, kendall_tau, ranking
from parity.compare.walk import network_order
from parity.kinds.convolution.flip import distance
from parity.ports.callables import Replaced
from parity.studies.microscope.document import AtLayer, Scores, TopTag, Worth

# Everything a porter gets who uses Chainer's links and the weights as they are.
NAIVE = ("unflipped kernel", "Chainer's BatchNormalization", "Chainer's GRU")
ALL = "stock Chainer throughout"


class Trial(NamedTuple):
    """Steps of one drift in place of the port's: {layer: callable(array) -> array} in network
    order.
    """

    drift: str
    replaced: dict


def trials(replacements):
    """Each replacement alone, all of a drift at once, and all that stock Chainer does; {drift:
    {layer: step}} -> [Trial].
    """
    found = []
    for drift, steps in replacements.items():
        found += [Trial(drift, {name: step}) for name, step in steps.items()]
        found += [Trial(drift, steps)] if len(steps) > 1 else []
    naive = {name: step for drift in NAIVE for name, step in replacements.get(drift, {}).items()}
    return [*found, Trial(ALL, naive)] if naive else found


def worth(reference, port, trial, names):
    """What one Trial costs: a Worth. reference: the open trace; names: the tags."""
    order = network_order(reference)
    layers = sorted(trial.replaced, key=order.index)
    start, chain = layers[0], Replaced(port, trial.replaced)
    *inner, last = order[order.index(start) :]
    with np.errstate(all="ignore"):  # wrong formulas overflow
        at_layer = {name: _at_layer(reference, name, step) for name, step in trial.replaced.items()}
        before = through(chain, inner, reference.read(reference.layers[start].inbound[0]))
        scores, expected = chain.run(last, before), reference.read(last)
        logits = chain.logits(before)
    # scores collide near 0 and 1
    ranked = (expected, scores) if logits is None else (reference.read_pre_activation(last), logits)
    apart = distance(scores, expected)
    return Worth(
        trial.drift,
        layers,
        start,
        at_layer,
        Scores(**vars(apart), finite=bool(np.isfinite(scores).all())),
        [_tags(*clip, names) for clip in zip(*ranked, strict=True)],
    )


def through(port, order, x):
    """x through the layers named in `order`."""
    for name in order:
        x = port.run(name, x)
    return x


def _at_layer(reference, name, step):
    expected = reference.read(name)
    cost = distance(step(reference.read(reference.layers[name].inbound[0])), expected)
    size = float(np.sqrt(np.mean(np.square(expected, dtype=np.float64))))
    return AtLayer(**vars(cost), relative=cost.rms / size)


def _tags(expected, actual, names):
    """One clip's logits or scores (N,), ranked by either side."""
    k = min(TOP, len(names) // 2) or 1  # as tags.tag_tables: of every tag, none could leave the top
    ours, theirs = (names[ranking(values)[0]] for values in (actual, expected))
    alike = jaccard(expected, actual, k), kendall_tau(expected, actual)
    return TopTag(theirs, ours, theirs != ours, k, *alike)
