"""What `running_std` holds in a weight file, a deviation or a variance, told from its numbers and
from what arrives.

Keras up to 1.0.6 keeps a deviation under that name, from 1.0.7 on a variance. Every kind of
evidence gives the share of resampled draws in which the deviation explains the file better: 1 for
a deviation, 0 for a variance.
"""

import numpy as np

from parity.studies.microscope.training import RULES
from parity.studies.unstable_cnn import averages

DEVIATION, VARIANCE = MEANINGS = ("deviation", "variance")
POWER = {DEVIATION: 1, VARIANCE: 2}
NORMAL_95 = 1.96  # half the width of a 95 % interval, in standard deviations
SURE = 0.975  # of the draws, as in a 95 % interval
# Times: whether two expectations nearer than that differ is decided by how far the values are from
# normal, not by what is kept.
APART = 1.5
MOST_UPDATES = 20000
INITIAL = 1.0  # Keras's running_std before training


def jitter(remembered):
    """Of the first layer, by itself: how much its stored spread moves from frame to frame, against
    how much its stored mean does.

    The mean of n normal values has the deviation s/sqrt(n), their deviation s/sqrt(2n), their
    variance s^2 sqrt(2/n): over the mean's the spread's should be 1/sqrt(2), or sqrt(2) s = sqrt(2
    spread). Returns {measured, expected: {meaning: value}, interval, share}; share is None where
    nothing moves, or both should move nearly alike. The first and last eighth are left out: clips
    begin and end there.
    """
    within = slice(len(remembered.mean) // 8, -(len(remembered.mean) // 8))
    mean, spread = np.diff(remembered.mean[within]), np.diff(remembered.spread[within])
    expected = {DEVIATION: 0.5**0.5, VARIANCE: float(np.sqrt(2 * remembered.spread[within].mean()))}
    alike = 1 / APART < expected[VARIANCE] / expected[DEVIATION] < APART
    if alike or not mean.any() or not spread.any():
        return {"measured": None, "expected": expected, "interval": None, "share": None}
    rng, ratios = np.random.default_rng(averages.SEED), []
    for _ in range(averages.RESAMPLES):
        drawn = averages.blocks(rng, len(mean))
        ratios.append(spread[drawn].std() / mean[drawn].std())
    return {
        "measured": float(spread.std() / mean.std()),
        "expected": expected,
        "interval": averages.interval(ratios),
        "share": _share(
            {what: np.abs(np.log(np.divide(ratios, value))) for what, value in expected.items()}
        ),
    }


def misfit(jitters, what):
    """log(measured / expected) of a file's jitter, if it keeps `what`."""
    return float(np.log(jitters["measured"] / jitters["expected"][what]))


def calibrated(jitters, misfits):
    """The share for a deviation by the jitter alone, with the error that the method itself makes
    on files known by other evidence.

    jitters: of `jitter`; misfits: of those files, at least one. Resampling only tells how much
    chance there is. Together with the root mean square of so few misfits it gives Student's t of
    as many degrees of freedom (Student 1908), one density for each meaning.
    """
    low, high = np.log(jitters["interval"])
    scale = np.sqrt(((high - low) / (2 * NORMAL_95)) ** 2 + np.mean(np.square(misfits)))
    freedom = len(misfits)
    density = {
        what: (1 + (misfit(jitters, what) / scale) ** 2 / freedom) ** (-(freedom + 1) / 2)
        for what in MEANINGS
    }
    return float(density[DEVIATION] / sum(density.values()))


def slope(arriving, remembered):
    """Of a layer behind: the power of the arriving deviation that the stored spread follows over
    the channels, whatever the scale.

    arriving: {meaning: deviation (n,) of what arrives where the layers before are read so};
    remembered: Averages.
    Returns {measured: {meaning: slope}, interval: {...}, share}: a deviation should follow its
    first power, a variance its second.
    """
    rng, count = np.random.default_rng(averages.SEED), len(remembered.spread)
    draws = [rng.integers(0, count, count) for _ in range(averages.RESAMPLES)]
    slopes = {
        what: [_slope(deviation[drawn], remembered.spread[drawn]) for drawn in draws]
        for what, deviation in arriving.items()
    }
    return {
        "measured": {what: _slope(of, remembered.spread) for what, of in arriving.items()},
        "interval": {what: averages.interval(values) for what, values in slopes.items()},
        "share": _share(
            {what: np.abs(np.subtract(slopes[what], POWER[what])) for what in MEANINGS}
        ),
    }


def _slope(deviation, spread):
    x, y = np.log(deviation), np.log(spread)
    x = x - x.mean()
    return float(x @ y / (x @ x))


def level(distances):
    """How well each meaning lets the stored statistics be met, by the correction of the input that
    suits it best.

    distances: {(meaning, correction): {layer: (clips, n)}}, nats a value. Returns {measured:
    {meaning: (nats, correction)}, share}.
    """
    draws = averages.resampled(distances)
    keys = {what: [key for key in distances if key[0] == what] for what in MEANINGS}
    return {
        "measured": {
            what: min((averages.score(distances[key]), key[1]) for key in of)
            for what, of in keys.items()
        },
        "share": _share(
            {what: np.min([draws[key] for key in of], axis=0) for what, of in keys.items()}
        ),
    }


def _share(misfit):
    """The share of draws in which a deviation misfits less; misfit: {meaning: (draws,)}."""
    return float(np.mean(misfit[DEVIATION] < misfit[VARIANCE]))


def histories(value):
    """How training on frames that are always zero can have left exactly `value`, float32: [(first
    Keras, updates, then Keras, updates)].

    A moving average of a known target is followed in float32, bit for bit, from Keras's 1 or from
    where an older Keras had come to rest; "then" is None where one Keras did it all.
    """
    value, found = np.float32(value), []
    for rule in RULES:
        first, (at, rest) = _text(rule), _follow(rule, INITIAL, value)
        found += [(first, at, None, None)] if at else []
        for later in RULES:
            if later[0] > rule[0] and (then := _follow(later, rest, value)[0]):
                found.append((first, None, _text(later), then))
    return found


def _follow(rule, start, value):
    """(number of updates after which the average is `value`, or None; where it comes to rest)."""
    _, momentum, eps, follows = rule
    kept, added = np.float32(momentum), np.float32(1 - momentum) * np.float32(follows(0.0, eps))
    average, at = np.float32(start), None
    for update in range(1, MOST_UPDATES):
        moved = np.float32(kept * average + added)
        at = update if at is None and moved == value else at
        if moved == average:
            break
        average = moved
    return at, average


def _text(rule):
    return ".".join(map(str, rule[0]))


def judge(shares):
    """(meaning, confidence) from the shares of all evidence: what all that is sure agrees on, and
    the least sure of that.

    shares: values of 0 to 1, None for evidence there is not. (None, None) where nothing is sure,
    or what is sure disagrees.
    """
    known = [share for share in shares if share is not None]
    for meaning, of in ((DEVIATION, known), (VARIANCE, [1 - share for share in known])):
        sure = [share for share in of if share >= SURE]
        if sure and not any(share <= 1 - SURE for share in of):
            return meaning, min(sure)
    return None, None
