"""Batch normalisation by its batch's own statistics, where the batch was made up otherwise."""

from collections.abc import Iterator

import numpy as np

from parity.kinds.api import LayerCase
from parity.kinds.fitting import SUSPECTS_MOST, Proposal, Seen
from parity.kinds.normalization.formula import (
    SPREADS,
    Affine,
    Normalized,
    batch,
    batch_statistics,
    channel_axis,
    dialect,
    epsilon,
    uses_batch,
    view,
)
from parity.kinds.normalization.variants import own_spread
from parity.numerics.rounding import Array, tail_factor
from parity.numerics.witness import Adjusted

ANOTHER_CLIP = "one more clip in the batch"
OTHER = "another gain and offset in every channel (statistics, gamma or beta)"
LEAST_WEIGHT = -0.01  # a clip cannot weigh less than nothing, but for the fit's own error
VARIANCES = {  # of a batch, from 1/spread and eps
    "1/(sqrt(s + eps) + eps)": lambda r, eps: np.square(1 / r - eps) - eps,
    "1/(sqrt(s) + eps)": lambda r, eps: np.square(1 / r - eps),
    "1/sqrt(s + eps)": lambda r, eps: 1 / np.square(r) - eps,
}


def made_up(seen: Seen) -> Iterator[Proposal]:
    """The clips counted otherwise, which shows in all channels at once; one more clip; or any
    other statistics.
    """
    case, judge = seen.case, seen.judge
    if not uses_batch(case):
        return
    line = seen.line
    if len(seen.touched) <= SUSPECTS_MOST or not (line.gain > -1).all() or not judge.scale.all():
        return
    gain, scale = 1 + line.gain, judge.scale.ravel() * (1 + line.gain)
    means = batch(case)[0] - line.offset / scale
    yield from _weighed(case, means)
    adjusted = Adjusted(judge, None, gain, line.offset - line.gain * seen.centre)
    errors = np.stack((line.gain_error, line.height_error)) / np.abs((gain, scale))
    if _is_of_one_more(case, means, scale / case.parameter("gamma"), *errors):
        yield Proposal(ANOTHER_CLIP, adjusted, explains_any=True)
    yield Proposal(OTHER, adjusted, explains_any=True)


def _is_of_one_more(
    case: LayerCase, means: Array, reciprocals: Array, of_gain: Array, of_mean: Array
) -> bool:
    """Whether these means and 1/spreads (C,) can be a batch's that holds the known clips and one
    unknown one of their size.

    That clip's mean and mean square follow, and its variance may not be below nothing by more than
    the fit's own errors allow. of_gain: relative standard error of a reciprocal; of_mean: standard
    error of a mean.
    """
    eps, clips, (mean, variance, _) = epsilon(case), len(case.x), batch(case)
    shown = VARIANCES[own_spread(case)](reciprocals, eps)
    own_mean = (clips + 1) * means - clips * mean
    own_variance = (
        (clips + 1) * (shown + np.square(means))
        - clips * (variance + np.square(mean))
        - np.square(own_mean)
    )
    of_sizes = (np.abs(shown) + eps) * of_gain + (np.abs(means) + np.abs(own_mean)) * of_mean
    error = 2 * (clips + 1) * of_sizes
    return bool((own_variance >= -tail_factor(len(means)) * error).all())


def _weighed(case: LayerCase, means: Array) -> Iterator[Proposal]:
    """Statistics of the same clips with other weights, by the means (C,) that the output shows."""
    if len(case.x) < 2 or channel_axis(case) != 1:
        return
    of_clips = [batch_statistics(clip[None])[:2] for clip in view(case)]
    mean, variance = (np.stack(rows) for rows in zip(*of_clips, strict=True))  # (B, C) each
    rest, *_ = np.linalg.lstsq((mean[1:] - mean[0]).T, means - mean[0], rcond=None)
    weights = np.array([1 - rest.sum(), *rest])
    if not (weights > LEAST_WEIGHT).all():
        return
    centre = weights @ mean
    of_batch = weights @ (variance + np.square(mean)) - np.square(centre)
    scale = case.parameter("gamma") * SPREADS[dialect(case.keras)[1]](of_batch, epsilon(case))
    words = [f"{abs(weight):.3g}" if round(weight, 3) else "0" for weight in weights]
    made = Normalized(case, Affine(scale, centre, case.parameter("beta"), measured=True))
    yield Proposal(f"clips weigh {', '.join(words)} in the batch", made)
