"""What arrives at every normalisation under each correction of the input, held against what that
normalisation stored in training.
"""

from typing import NamedTuple

import numpy as np

from parity.numerics.rounding import U
from parity.studies.microscope.training import divisor, momentum
from parity.studies.unstable_cnn import runs, stored
from parity.studies.unstable_cnn.input_candidates import ASIS, COLLECTION, RESCALED

# What training on a correction leaves at 0 in the stored means: the average over all frames, or
# every single one.
CENTRED = {
    "clip": np.mean,
    "band": np.mean,
    "frame": lambda mean: mean[np.argmax(np.abs(mean))],
    **dict.fromkeys(RESCALED, np.mean),
}


class Tried(NamedTuple):
    """What is put into one model. given: {correction: {clip: x}}; clips: {name: (1, 1, 96, 1366)
    float32, decibel}.
    """

    clips: dict
    given: dict
    batches: dict
    remembered: dict
    keras: str


def grouped(given, alone):
    """{label: batch}: each clip in a batch of its own, or, where batch mates matter to the
    network, all clips together.
    """
    if alone:
        return {
            f"{name}|{clip}": x for name, by_clip in given.items() for clip, x in by_clip.items()
        }
    return {name: np.concatenate(list(by_clip.values())) for name, by_clip in given.items()}


def look_at(tried, sides):
    """What each side shows of one model. sides: {"original" or "port": {label of a batch:
    runs.Run}}.

    Returns {side: judge's answer with distances {correction: {layer: (clips, n)}}, standing and
    tags, clips, centres, rounding, ruled_out}.
    """
    found, centred, least = {}, centres(tried.remembered), rounding(tried.remembered, tried.keras)
    ruled_out = {name for name, value in centred.items() if not abs(value) <= least}
    for side, seen in sides.items():
        by_name = {name: distances_of(name, tried, seen) for name in tried.given}
        standing = {name: standing_of(name, tried, seen) for name in tried.given}
        found[side] = {
            **judge(by_name, ruled_out),
            "distances": by_name,
            "standing": standing,
            "tags": tags(tried.given, seen),
        }
    return {
        **found,
        "clips": list(tried.clips),
        "centres": centred,
        "rounding": least,
        "ruled_out": ruled_out,
    }


def distances_of(name, tried, seen):
    """{layer: (clips, n)}: nats a value; NaN for frames that are silent in the decibels, which no
    candidate can be judged by.
    """
    rows = {layer: [] for layer in tried.remembered}
    for clip, by_layer in _arriving(name, tried, seen):
        for layer, arriving in by_layer.items():
            rows[layer].append(stored.nats(arriving, tried.remembered[layer], tried.keras))
        rows[stored.FREQUENCY][-1][np.ptp(tried.clips[clip], axis=2).ravel() == 0] = np.nan
    return {layer: np.stack(row) for layer, row in rows.items()}


def standing_of(name, tried, seen):
    """{layer: (2, n)}: how many stored deviations the mean lies above the stored one, and the
    deviation over the stored; over clips.
    """
    rows = {layer: [] for layer in tried.remembered}
    for _, by_layer in _arriving(name, tried, seen):
        for layer, (mean, variance) in by_layer.items():
            remembered = tried.remembered[layer]
            allowed = divisor(tried.keras, remembered.spread)
            rows[layer].append([(mean - remembered.mean) / allowed, np.sqrt(variance) / allowed])
    return {layer: np.mean(row, axis=0) for layer, row in rows.items()}


def _arriving(name, tried, seen):
    """Yield (clip, {layer: (mean, variance)}), padding left out."""
    for clip, x in tried.given[name].items():
        run = seen.get(f"{name}|{clip}")
        arriving = run.arriving if run else {stored.FREQUENCY: runs.statistics(x, 3)}
        yield (
            clip,
            {
                layer: tuple(
                    values[stored.inside(layer, len(values))] for values in arriving[layer]
                )
                for layer in tried.remembered
            },
        )


def tags(given, seen):
    """{correction: (scores, logits)}, each (clips, tags) float32."""

    def of(name, by_clip, wanted):
        labels = [name] if name in seen else [f"{name}|{clip}" for clip in by_clip]
        return np.concatenate(
            [
                values
                for label in labels
                for key, values in seen[label].outputs.items()
                if wanted(key)
            ]
        )

    last = {
        wanted: (lambda key, wanted=wanted: key.endswith(":logits") == wanted)
        for wanted in (False, True)
    }
    return {
        name: (of(name, by_clip, last[False]), of(name, by_clip, last[True]))
        for name, by_clip in given.items()
    }


def centres(remembered):
    """{correction that centres its input: what its training would leave at exactly 0 in the stored
    means}.
    """
    return {name: float(of(remembered[stored.FREQUENCY].mean)) for name, of in CENTRED.items()}


def rounding(remembered, keras):
    """The most that float32 leaves of an exact 0 there: moving averages of momentum m, each update
    off by u(|M| + 1) twice.
    """
    largest = np.abs(remembered[stored.FREQUENCY].mean).max()
    return float(2 * U * (largest + 1) / (1 - momentum(keras)))


def judge(distances, ruled_out=()):
    """Which correction brings what arrives closest to what is stored, and how sure that is.

    distances: {correction: {layer: (clips, n)}}, nats a value; ruled_out: corrections that the
    file says were not used in training.
    Returns {selected, closest, applied: names, score: {correction: nats}, range: {correction:
    (low, high)} of its resampled scores,
    margin: the same above the selected, tied: names, wins: share of the draws, differs: whether
    decibels as they are fit worse, None where that cannot be told}. closest: whatever the file
    says; applied: the closest that the port offers, None where one layer alone is all the
    evidence.
    """
    from tagger.corrections import CORRECTIONS

    scores = {name: stored.score(by_layer) for name, by_layer in distances.items()}
    order = sorted(scores, key=scores.get)
    allowed = [name for name in order if name not in ruled_out]
    selected, draws = allowed[0], stored.resampled(distances)
    margin = {name: stored.interval(draws[name] - draws[selected]) for name in order}
    nearest = np.argmin([draws[name] for name in allowed], axis=0)
    return {
        "selected": selected,
        "closest": order[0],
        "score": scores,
        "margin": margin,
        "wins": float(np.mean(nearest == 0)),
        "range": {name: stored.interval(draws[name]) for name in order},
        "applied": next((name for name in order if name in CORRECTIONS), None)
        if len(distances[ASIS]) > 1
        else None,
        "tied": [name for name in allowed[1:] if margin[name][0] <= 0],
        "differs": False if selected == ASIS else True if margin[ASIS][0] > 0 else None,
    }


def unfitted(of):
    """The correction that stands for the scale of training: COLLECTION, fitted to nothing, where
    that cannot be told from the best.
    """
    return COLLECTION if COLLECTION in of["tied"] else of["selected"]
