"""What the port's layers compute on the way and do not return."""

import chainer
import chainer.functions as F
import numpy as np

from parity.port.links import gru
from parity.port.links.batch_normalization import moments


def inside(
    link: chainer.Link, x: np.ndarray, before: np.ndarray | None = None
) -> dict[str, np.ndarray] | None:
    """What a link computes of x by its own steps, by name; None where it has nothing to show.

    Of a GRU "z", "r", "candidate" and "state" (B,T,units), each step taking the state that the last
    one gave, or that of `before` (B,T,units). Of a batch normalisation of mode 2 its batch's "mean"
    and "variance" (features,).
    """
    if isinstance(link, gru.GRU):
        return _unrolled(link, x, before)
    if getattr(link, "mode", 0) != 2:
        return None
    mean, variance = moments(x, link.axis)
    return {"mean": mean.array, "variance": variance.array}


def _unrolled(link: gru.GRU, x: np.ndarray, before: np.ndarray | None) -> dict[str, np.ndarray]:
    projections = F.linear(x, link.W, link.b, n_batch_axes=2)
    recurrent = F.split_axis(link.U, [2 * link.out_size], axis=0)
    h, found = np.zeros((len(x), link.out_size), x.dtype), []
    for t, projection in enumerate(F.separate(projections, axis=1)):
        h = h if before is None else before[:, t]
        gates = gru.gates(projection, h, *recurrent)
        h = gru.step(projection, h, *recurrent).array
        found.append([*(gate.array for gate in gates), h])
    by_name = zip(("z", "r", "candidate", "state"), zip(*found, strict=True), strict=True)
    return {name: np.stack(steps, axis=1) for name, steps in by_name}
