"""Does the input match what the weights were trained on, and which correction of it would?

What arrives at every normalisation is held against what that normalisation stored in training, for the decibels as they are and for
each candidate correction. Constants that a candidate needs are fitted to the other clips, never to the clip that is scored.
"""

from typing import NamedTuple

import numpy as np

from parity import stacks
from parity.errors import CannotRun
from parity.investigate import input_findings, runs, stored
from parity.investigate.input_candidates import ASIS, FITTED, candidates
from parity.investigate.input_tags import agreement
from parity.microscope.training import momentum
from parity.rounding import U

SYNTHESISED, APART = (1, 2), (ASIS, "clip", "offset and gain", "half")  # numbers of fixtures.synthesis; corrections tried on them
# What training on a correction leaves at 0 in the stored means: the average over all frames, or every single one.
CENTRED = {"clip": np.mean, "band": np.mean, "frame": lambda mean: mean[np.argmax(np.abs(mean))]}


def ask(subject):
    """The findings on every model of `subject`, a runs.Subject.

    Silent clips are left out. Raises CannotRun where no other clip is there, or the original cannot be run.
    """
    clips = {name: x for name, x in subject.clips.items() if np.ptp(x)}
    if not clips:
        raise CannotRun("there is no clip with any sound to put in; name at least one mel spectrogram (.npy) or audio file")
    tried = {name: prepare(case, clips) for name, case in subject.cases.items()}
    live = runs.originals({name: subject.asks(name, tried[name].batches) for name in subject.cases})
    found = {name: look_at(tried[name], {"original": live[name], "port": runs.ported(case, tried[name].batches)})
             for name, case in subject.cases.items()}
    findings = [input_findings.fits(name, {**seen, "synthesised": synthesised(subject.cases[name])}, subject.data)
                for name, seen in found.items()]
    corrected = {name: seen for name, seen in found.items() if seen["original"]["selected"] != ASIS}
    findings += [input_findings.constants(corrected, subject.data)] if corrected else []
    return findings + ([agreement(found, subject.data)] if "CNN" in corrected and "CNN0" in found else [])


class Tried(NamedTuple):
    """What is put into one model. given: {correction: {clip: x}}; clips: {name: (1, 1, 96, 1366) float32, decibel}."""

    clips: dict
    given: dict
    batches: dict
    remembered: dict
    keras: str


def prepare(case, clips, only=None):
    """The Tried of a case; only: the corrections to try, None for all.

    Raises CannotRun for weights that cannot be read or were never trained.
    """
    keras, remembered = stacks.STACKS[case.model.stack].keras, stored.stored(case.weights)
    if stored.FREQUENCY not in remembered:
        raise CannotRun(f"{case.weights}: its {stored.FREQUENCY} holds what it began with, so nothing of the training input; "
                        "give trained weights")
    given = candidates(clips, remembered, keras)
    given = {name: given[name] for name in only or given}
    return Tried(clips, given, grouped(given, alone=len(remembered) > 1), remembered, keras)


def synthesised(case):
    """{correction: nats a value} of the port on made-up sounds: kept apart, for they are not the music that training heard."""
    from fixtures import synthesis

    tried = prepare(case, {f"synthesised {number}": synthesis.mel_spectrogram(number) for number in SYNTHESISED}, APART)
    seen = runs.ported(case, tried.batches)
    return {name: stored.score(distances_of(name, tried, seen)) for name in tried.given}


def look_at(tried, sides):
    """What each side shows of one model. sides: {"original" or "port": {label of a batch: runs.Run}}.

    Returns {side: judge's answer with distances {correction: {layer: (clips, n)}} and tags, clips, centres, rounding, ruled_out}.
    """
    found, centred, least = {}, centres(tried.remembered), rounding(tried.remembered, tried.keras)
    ruled_out = {name for name, value in centred.items() if not abs(value) <= least}
    for side, seen in sides.items():
        by_name = {name: distances_of(name, tried, seen) for name in tried.given}
        found[side] = {**judge(by_name, ruled_out), "distances": by_name, "tags": tags(tried.given, seen)}
    return {**found, "clips": list(tried.clips), "centres": centred, "rounding": least, "ruled_out": ruled_out}


def grouped(given, alone):
    """{label: batch}: each clip in a batch of its own, or, where batch mates matter to the network, all clips together."""
    if alone:
        return {f"{name}|{clip}": x for name, by_clip in given.items() for clip, x in by_clip.items()}
    return {name: np.concatenate(list(by_clip.values())) for name, by_clip in given.items()}


def distances_of(name, tried, seen):
    """{layer: (clips, n)}: nats a value; NaN for frames that are silent in the decibels, which no candidate can be judged by."""
    rows = {layer: [] for layer in tried.remembered}
    for clip, x in tried.given[name].items():
        run = seen.get(f"{name}|{clip}")
        arriving = run.arriving if run else {stored.FREQUENCY: runs.statistics(x, 3)}
        for layer, row in rows.items():
            mean, variance = (values[stored.inside(layer, len(values))] for values in arriving[layer])
            row.append(stored.nats((mean, variance), tried.remembered[layer], tried.keras))
        rows[stored.FREQUENCY][-1][np.ptp(tried.clips[clip], axis=2).ravel() == 0] = np.nan
    return {layer: np.stack(row) for layer, row in rows.items()}


def tags(given, seen):
    """{correction: (scores, logits)}, each (clips, tags) float32."""
    def of(name, by_clip, wanted):
        labels = [name] if name in seen else [f"{name}|{clip}" for clip in by_clip]
        return np.concatenate([values for label in labels for key, values in seen[label].outputs.items() if wanted(key)])

    last = {wanted: (lambda key, wanted=wanted: key.endswith(":logits") == wanted) for wanted in (False, True)}
    return {name: (of(name, by_clip, last[False]), of(name, by_clip, last[True])) for name, by_clip in given.items()}


def centres(remembered):
    """{correction that centres its input: what its training would leave at exactly 0 in the stored means}."""
    return {name: float(of(remembered[stored.FREQUENCY].mean)) for name, of in CENTRED.items()}


def rounding(remembered, keras):
    """The most that float32 leaves of an exact 0 there: moving averages of momentum m, each update off by u(|M| + 1) twice."""
    largest = np.abs(remembered[stored.FREQUENCY].mean).max()
    return float(2 * U * (largest + 1) / (1 - momentum(keras)))


def judge(distances, ruled_out=()):
    """Which correction brings what arrives closest to what is stored, and how sure that is.

    distances: {correction: {layer: (clips, n)}}, nats a value; ruled_out: corrections that the file says were not used in training.
    Returns {selected, closest, applied: names, score: {correction: nats}, margin: {correction: (low, high)} above the selected, tied:
    names, wins: share of the draws, differs: whether decibels as they are fit worse, None where that cannot be told}. closest: whatever
    the file says; applied: the closest that needs no constants, None where one layer alone is all the evidence.
    """
    scores = {name: stored.score(by_layer) for name, by_layer in distances.items()}
    order = sorted(scores, key=scores.get)
    allowed = [name for name in order if name not in ruled_out]
    selected, draws = allowed[0], stored.resampled(distances)
    margin = {name: stored.interval(draws[name] - draws[selected]) for name in order}
    nearest = np.argmin([draws[name] for name in allowed], axis=0)
    return {"selected": selected, "closest": order[0], "score": scores, "margin": margin, "wins": float(np.mean(nearest == 0)),
            "applied": next(name for name in order if name not in FITTED) if len(distances[ASIS]) > 1 else None,
            "tied": [name for name in allowed[1:] if margin[name][0] <= 0],
            "differs": False if selected == ASIS else True if margin[ASIS][0] > 0 else None}
