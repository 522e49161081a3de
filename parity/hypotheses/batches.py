"""Batch normalisation by its batch's own statistics (mode 2), where the batch was made up otherwise."""

import numpy as np

from parity import oracle
from parity.hypotheses.fits import SUSPECTS_MOST, suspects
from parity.hypotheses.normalization import Affine
from parity.hypotheses.subject import Adjusted

OTHER = "other clips in the batch"  # named last: it explains whatever gains and offsets there are
LEAST_WEIGHT = -0.01  # a clip cannot weigh less than nothing, but for the fit's own error


def made_up(subject, judge, actual):
    """The clips counted otherwise, which shows in all channels at once; or any other statistics."""
    if subject.layer.config["mode"] != 2:
        return
    touched, gain, offset, *_ = suspects(subject, judge, actual)
    if len(touched) <= SUSPECTS_MOST or not (gain > -1).all() or not judge.scale.all():
        return
    centre, scale = judge.limits.centre, judge.scale.ravel()
    yield from _weighed(subject, subject.batch[0] - offset / ((1 + gain) * scale))
    yield OTHER, Adjusted(judge, None, 1 + gain, offset - gain * centre), None


def _weighed(subject, means):
    """Statistics of the same clips with other weights, by the means (C,) that the output shows."""
    if len(subject.x) < 2 or oracle.channel_axis(subject.layer, subject.x.shape) != 1:
        return
    of_clips = [oracle.batch_statistics(subject.view[clip:clip + 1])[:2] for clip in range(len(subject.x))]
    mean, variance = (np.stack(rows) for rows in zip(*of_clips, strict=True))  # (B, C) each
    rest, *_ = np.linalg.lstsq((mean[1:] - mean[0]).T, means - mean[0], rcond=None)
    weights = np.array([1 - rest.sum(), *rest])
    if not (weights > LEAST_WEIGHT).all():
        return
    centre = weights @ mean
    of_batch = weights @ (variance + np.square(mean)) - np.square(centre)
    spread = oracle.dialect(subject.keras)[1](of_batch, float(subject.layer.config["epsilon"]))
    yield f"clips weigh {', '.join(f'{weight:.3g}' for weight in weights)} in the batch", \
        Affine(subject, subject.parameter("gamma") * spread, centre, subject.parameter("beta"), True), None
