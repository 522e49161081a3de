"""What arrives at every normalisation under each correction of the input, held against what that
normalisation stored in training.
"""

from typing import NamedTuple

import numpy as np

from parity.numerics.rounding import U
from parity.recording import stacks
from parity.studies.microscope.training import divisor, momentum
from parity.studies.unstable_cnn import averages, runs
from parity.studies.unstable_cnn.input_candidates import ASIS, COLLECTION, RIVALS, candidates

# What training on a correction leaves at 0 in the stored means: the average over all frames, or
# every single one.
CENTRED = {
    "clip": np.mean,
    "band": np.mean,
    "frame": lambda mean: mean[np.argmax(np.abs(mean))],
    **{f"{rival}, per clip": np.mean for rival in RIVALS},
}


class Tried(NamedTuple):
    """What is put into one model. clips: {name: (1, 1, 96, 1366) float32, decibel}; inputs:
    {correction: {clip: x}}; batches: {label: them, joined}.
    """

    clips: dict
    inputs: dict
    batches: dict
    remembered: dict
    keras: str


def prepare(case, clips, only=None, scale=None, keras=None):
    """The Tried of a case; only: the corrections to try, None for all; scale: as `candidates`
    takes it; keras: the release to read the file by, by default the stack's.

    Raises CannotRun for weights that cannot be read or were never trained.
    """
    keras = keras or stacks.STACKS[case.model.stack].keras
    remembered = averages.trained(case.weights)
    inputs = candidates(clips, remembered, keras, scale)
    inputs = {name: inputs[name] for name in only or inputs if name in inputs}
    return Tried(clips, inputs, joined(inputs, len(remembered) > 1), remembered, keras)


def joined(inputs, alone):
    """{label: batch}: each clip alone, or all together where batch mates matter."""
    if alone:
        return {
            f"{name}|{clip}": x for name, by_clip in inputs.items() for clip, x in by_clip.items()
        }
    return {name: np.concatenate(list(by_clip.values())) for name, by_clip in inputs.items()}


def look_at(tried, sides):
    """What each side shows of one model. sides: {"original" or "port": {label of a batch:
    runs.Run}}.

    Returns {side: judge's answer with distances {correction: {layer: (clips, n)}}, standing and
    tags, clips, centres, rounding, ruled_out}.
    """
    centred, least = centres(tried.remembered), rounding(tried.remembered, tried.keras)
    ruled_out = {name for name, value in centred.items() if not abs(value) <= least}
    found = {}
    for side, seen in sides.items():
        distances = {name: distances_of(name, tried, seen) for name in tried.inputs}
        found[side] = {
            **judge(distances, ruled_out),
            "distances": distances,
            "standing": {name: standing_of(name, tried, seen) for name in tried.inputs},
            "tags": tags(tried.inputs, seen),
        }
    return {
        **found,
        "clips": list(tried.clips),
        "centres": centred,
        "rounding": least,
        "ruled_out": ruled_out,
    }


def distances_of(name, tried, seen):
    """{layer: (clips, n)}: nats a value; NaN for frames that are silent in the decibels."""
    rows = {layer: [] for layer in tried.remembered}
    for clip, by_layer in _arriving(name, tried, seen):
        for layer, arriving in by_layer.items():
            rows[layer].append(averages.nats(arriving, tried.remembered[layer], tried.keras))
        rows[averages.FREQUENCY][-1][np.ptp(tried.clips[clip], axis=2).ravel() == 0] = np.nan
    return {layer: np.stack(row) for layer, row in rows.items()}


def standing_of(name, tried, seen):
    """{layer: (2, n)}: (mean - stored) and deviation, in stored deviations; over clips."""
    rows = {layer: [] for layer in tried.remembered}
    for _, by_layer in _arriving(name, tried, seen):
        for layer, (mean, variance) in by_layer.items():
            remembered = tried.remembered[layer]
            allowed = divisor(tried.keras, remembered.spread)
            rows[layer].append([(mean - remembered.mean) / allowed, np.sqrt(variance) / allowed])
    return {layer: np.mean(row, axis=0) for layer, row in rows.items()}


def _arriving(name, tried, seen):
    """Yield (clip, {layer: (mean, variance)}), padding left out."""
    for clip, x in tried.inputs[name].items():
        run = seen.get(f"{name}|{clip}")
        arriving = run.arriving if run else {averages.FREQUENCY: runs.statistics(x, 3)}
        within = {
            layer: tuple(values[averages.inside(layer, len(values))] for values in arriving[layer])
            for layer in tried.remembered
        }
        yield clip, within


def tags(inputs, seen):
    """{correction: (scores, logits)}, each (clips, tags) float32."""
    found = {}
    for name, by_clip in inputs.items():
        labels = [name] if name in seen else [f"{name}|{clip}" for clip in by_clip]
        outputs = [seen[label].outputs for label in labels]
        found[name] = tuple(
            np.concatenate(
                [
                    values
                    for by_layer in outputs
                    for layer, values in by_layer.items()
                    if layer.endswith(":logits") == is_logits
                ]
            )
            for is_logits in (False, True)
        )
    return found


def centres(remembered):
    """{correction that centres its input: what it should leave at 0 in the stored means}."""
    return {name: float(of(remembered[averages.FREQUENCY].mean)) for name, of in CENTRED.items()}


def rounding(remembered, keras):
    """The most that float32 leaves of an exact 0: two roundings of u(M + 1) an update."""
    largest = np.abs(remembered[averages.FREQUENCY].mean).max()
    return float(2 * U * (largest + 1) / (1 - momentum(keras)))


def judge(distances, ruled_out=()):
    """Which correction brings what arrives closest to what is stored, and how sure that is.

    distances: {correction: {layer: (clips, n)}}, nats a value; ruled_out: corrections that the
    file says were not used in training.
    Returns {selected, closest: whatever the file says, applied: the closest that the port offers,
    None where one layer alone is all the evidence, score: {correction: nats}, range: {correction:
    (low, high)} of its resampled scores, margin: the same above the selected, tied: names, wins:
    share of the draws, differs: whether decibels as they are fit worse, None where that cannot be
    told}.
    """
    from tagger.corrections import CORRECTIONS

    scores = {name: averages.score(by_layer) for name, by_layer in distances.items()}
    order = sorted(scores, key=scores.get)
    allowed = [name for name in order if name not in ruled_out]
    selected, draws = allowed[0], averages.resampled(distances)
    margin = {name: averages.interval(draws[name] - draws[selected]) for name in order}
    nearest = np.argmin([draws[name] for name in allowed], axis=0)
    offered = [name for name in order if name in CORRECTIONS and len(distances[ASIS]) > 1]
    return {
        "selected": selected,
        "closest": order[0],
        "applied": next(iter(offered), None),
        "score": scores,
        "range": {name: averages.interval(draws[name]) for name in order},
        "margin": margin,
        "tied": [name for name in allowed[1:] if margin[name][0] <= 0],
        "wins": float(np.mean(nearest == 0)),
        "differs": False if selected == ASIS else True if margin[ASIS][0] > 0 else None,
    }


def unfitted(of):
    """The correction that stands for training's scale: COLLECTION where it ties with the best."""
    return COLLECTION if COLLECTION in of["tied"] else of["selected"]
