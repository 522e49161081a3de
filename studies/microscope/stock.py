"""The measured worth of every fix in the port: what a stock step costs at its layer, at the end of
the network, and in the tags.

The port's chain is run with that one step replaced, or with all of a kind, from the original's
recorded input of the first
replaced layer on: before it the chain has nothing to do with the fix.
"""

from typing import NamedTuple

import numpy as np

from parity.attribution.tags import TOP, jaccard, kendall_tau, ranking
from parity.compare.walk import network_order
from parity.ports.callables import Replaced
from parity.studies.microscope.convolution import distance

# Everything a porter gets who uses Chainer's links and the weights as they are.
NAIVE = ("unflipped kernel", "Chainer's BatchNormalization", "Chainer's GRU")
ALL = "stock Chainer throughout"


class Trial(NamedTuple):
    """Steps of one drift put in place of the port's: layer name -> callable(array) -> array, in
    network order.
    """

    drift: str
    replaced: dict

    @property
    def label(self):
        """As progress shows it."""
        return (
            f"{self.drift}, {len(self.replaced)} layers"
            if len(self.replaced) > 1
            else f"{self.drift} at {min(self.replaced)}"
        )


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
    """What one Trial costs, as plain numbers.

    reference: the open trace; names: the tags. Returns {drift, layers, start,
    at_layer, final, tags}:
    at_layer: {layer: {max_abs, rms, relative} of step - original, on the original's input}, final:
    {max_abs, rms, finite} of the
    scores, tags: [{expected, actual: top-1 tags, changed, k, jaccard, tau}], one for each clip.
    """
    order = network_order(reference)
    start = min(trial.replaced, key=order.index)
    given = reference.read(reference.layers[start].inbound[0])
    at_layer = {name: _at_layer(reference, name, step) for name, step in trial.replaced.items()}
    chain = Replaced(port, trial.replaced)
    *inner, last = order[order.index(start) :]
    before = through(chain, inner, given)
    scores, expected = through(chain, [last], before), reference.read(last)
    ranked = _logits(reference, chain, before) or (expected, scores)
    return {
        "drift": trial.drift,
        "layers": sorted(trial.replaced, key=order.index),
        "start": start,
        "at_layer": at_layer,
        "final": {**distance(scores, expected), "finite": bool(np.isfinite(scores).all())},
        "tags": [_tags(*clip, names) for clip in zip(*ranked, strict=True)],
    }


def _logits(reference, port, before):
    """(the original's logits, the port's), by which tags are ranked: scores collide near 0 and 1.
    None where the port has none.
    """
    *_, last = network_order(reference)
    with np.errstate(all="ignore"):
        logits = port.logits(before)
        return None if logits is None else (reference.read_pre_activation(last), logits)


def through(port, order, values):
    """`values` through the layers named in `order`, the overflows of wrong formulas allowed."""
    with np.errstate(all="ignore"):
        for name in order:
            values = port.run(name, values)
    return values


def _at_layer(reference, name, step):
    expected = reference.read(name)
    with np.errstate(all="ignore"):
        cost = distance(step(reference.read(reference.layers[name].inbound[0])), expected)
    return {
        **cost,
        "relative": cost["rms"] / float(np.sqrt(np.mean(np.square(expected, dtype=np.float64)))),
    }


def _tags(expected, actual, names):
    """One clip's logits or scores (N,), ranked by either side."""
    k = (
        min(TOP, len(names) // 2) or 1
    )  # as tags.tag_tables: with every tag in the top, none could leave it
    first = [names[ranking(scores)[0]] for scores in (expected, actual)]
    return {
        "expected": first[0],
        "actual": first[1],
        "changed": first[0] != first[1],
        "k": k,
        "jaccard": jaccard(expected, actual, k),
        "tau": kendall_tau(expected, actual),
    }
