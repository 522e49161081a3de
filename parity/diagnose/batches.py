"""Batch normalisation by its batch's own statistics (mode 2), where the batch was made up
otherwise.
"""

import numpy as np

from parity.diagnose.fits import SUSPECTS_MOST, suspects
from parity.diagnose.normalization import Affine
from parity.diagnose.spreads import own_spread
from parity.diagnose.subject import Adjusted
from parity.kinds import oracle
from parity.numerics.rounding import tail_factor

ANOTHER_CLIP = "one more clip in the batch"
# named last: it explains whatever there are
OTHER = "another gain and offset in every channel (statistics, gamma or beta)"
LEAST_WEIGHT = -0.01  # a clip cannot weigh less than nothing, but for the fit's own error
VARIANCES = {  # of a batch, from 1/spread and eps
    "1/(sqrt(s + eps) + eps)": lambda r, eps: np.square(1 / r - eps) - eps,
    "1/(sqrt(s) + eps)": lambda r, eps: np.square(1 / r - eps),
    "1/sqrt(s + eps)": lambda r, eps: 1 / np.square(r) - eps,
}


def made_up(subject, judge, actual):
    """The clips counted otherwise, which shows in all channels at once; one more clip; or any
    other statistics.
    """
    if subject.layer.config["mode"] != 2:
        return
    touched, gain, offset, *errors = suspects(subject, judge, actual)
    if len(touched) <= SUSPECTS_MOST or not (gain > -1).all() or not judge.scale.all():
        return
    centre, scale = judge.limits.centre, judge.scale.ravel() * (1 + gain)
    means = subject.batch[0] - offset / scale
    yield from _weighed(subject, means)
    adjusted = Adjusted(judge, None, 1 + gain, offset - gain * centre)
    if _is_of_one_more(
        subject, means, scale / subject.parameter("gamma"), *errors / np.abs((1 + gain, scale))
    ):
        yield ANOTHER_CLIP, adjusted, None
    yield OTHER, adjusted, None


def _is_of_one_more(subject, means, reciprocals, of_gain, of_mean):
    """Whether these means and 1/spreads (C,) can be a batch's that holds the known clips and one
    unknown one of their size.

    That clip's mean and mean square follow, and its variance may not be below nothing by more than
    the fit's own errors allow.
    of_gain: relative standard error of a reciprocal, of_mean: of a mean.
    """
    spread, eps, clips = (
        own_spread(subject)[0],
        float(subject.layer.config["epsilon"]),
        len(subject.x),
    )
    mean, variance, _ = subject.batch
    shown = VARIANCES[spread](reciprocals, eps)
    own_mean = (clips + 1) * means - clips * mean
    own_variance = (
        (clips + 1) * (shown + np.square(means))
        - clips * (variance + np.square(mean))
        - np.square(own_mean)
    )
    error = (
        2
        * (clips + 1)
        * ((np.abs(shown) + eps) * of_gain + (np.abs(means) + np.abs(own_mean)) * of_mean)
    )
    return bool((own_variance >= -tail_factor(len(means)) * error).all())


def _weighed(subject, means):
    """Statistics of the same clips with other weights, by the means (C,) that the output shows."""
    if len(subject.x) < 2 or oracle.channel_axis(subject.layer, subject.x.shape) != 1:
        return
    of_clips = [
        oracle.batch_statistics(subject.view[clip : clip + 1])[:2] for clip in range(len(subject.x))
    ]
    mean, variance = (np.stack(rows) for rows in zip(*of_clips, strict=True))  # (B, C) each
    rest, *_ = np.linalg.lstsq((mean[1:] - mean[0]).T, means - mean[0], rcond=None)
    weights = np.array([1 - rest.sum(), *rest])
    if not (weights > LEAST_WEIGHT).all():
        return
    centre = weights @ mean
    of_batch = weights @ (variance + np.square(mean)) - np.square(centre)
    spread = oracle.dialect(subject.keras)[1](of_batch, float(subject.layer.config["epsilon"]))
    yield (
        (
            "clips weigh "
            f"{', '.join(f'{abs(weight):.3g}' if round(weight, 3) else '0' for weight in weights)} "
            "in the batch"
        ),
        Affine(
            subject, subject.parameter("gamma") * spread, centre, subject.parameter("beta"), True
        ),
        None,
    )
