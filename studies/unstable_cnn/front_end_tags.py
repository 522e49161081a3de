"""What each difference of the front end does to the tags: the original and the port on the same
clips, made in other ways.
"""

import numpy as np

from parity.attribution.tags import jaccard, ranking
from parity.studies.unstable_cnn import runs
from parity.studies.unstable_cnn.front_end_fit import WORDS, named
from parity.studies.unstable_cnn.front_end_variants import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    FrontEnd,
    spectrogram,
)

STORED, HERE, RIGHT = "the originals' own", "as computed here", "all causes put right"
FLOOR_KEPT = "all put right but the shift, with the stored floor"
ELSEWHERE = (
    ("padding", "zeros"),
    ("span", "100 dB"),
    ("span", "none"),
)  # librosa's padding since 0.9; other or no top_db
WITHIN_A_FRAME = "all put right, cut {}/4 of a frame later still"
TOP = 10


def batches(pairs):
    """{label: (B, 1, 96, 1366) float32} of the stored mel spectrograms and of those made in other
    ways, clips in one order.

    pairs : front_end.Pairs, each with its fit. A wav stands among them where every clip has one.
    """
    ways = {
        STORED: [pair.stored for pair in pairs],
        HERE: [spectrogram(pair.track, FrontEnd()) for pair in pairs],
    }
    if all(pair.wav for pair in pairs):
        ways["the wav, as computed here"] = [spectrogram(pair.wav, FrontEnd()) for pair in pairs]
    ways[RIGHT] = [spectrogram(pair.track, pair.fit.front_end) for pair in pairs]
    undone = _undone(pairs)
    labels = {
        (field, value): f"all put right but the {WORDS[field]} ({named(field, value)})"
        for field, value in undone
    }
    labels |= {
        (field, value): f"{WORDS[field]} changed to {value}, which is no cause"
        for field, value in _elsewhere(pairs)
    }
    for (field, value), label in labels.items():
        ways[label] = [
            spectrogram(pair.track, pair.fit.front_end._replace(**{field: value})) for pair in pairs
        ]
    for quarters in (1, 2, 3):
        ways[WITHIN_A_FRAME.format(quarters)] = [
            _later(pair, quarters * HOP_SAMPLES / 4) for pair in pairs
        ]
    if "late" in dict(undone):
        ways[FLOOR_KEPT] = [_floor_kept(pair) for pair in pairs]
    return {label: np.stack(clips)[:, None].astype(np.float32) for label, clips in ways.items()}


def rows(names, found):
    """[[model, clip, way, top tag of the stored, top tag, largest change, its tag, Jaccard, the
    port's largest change]].

    names : clips; found : (the original's, the port's) {model: {label: (B, N) scores}}.
    Changes are in points: hundredths of the row's sum.
    """
    original, ported = found
    return [
        _row(
            model,
            name,
            way,
            *(
                [_percent(side[model][label][clip]) for label in (STORED, way)]
                for side in (original, ported)
            ),
            _tags(model),
        )
        for model in original
        for clip, name in enumerate(names)
        for way in original[model]
        if way != STORED
    ]


def scores(subject, given):
    """The scores of the last layer on every batch: ({model: {label: (B, N)}} of the originals, the
    same of the port).
    """
    wanted = {name: subject.asks(name, given) for name in subject.cases}
    return (
        {name: _last(subject, name, found) for name, found in runs.originals(wanted).items()},
        {
            name: _last(subject, name, runs.ported(case, given))
            for name, case in subject.cases.items()
        },
    )


def _last(subject, name, found):
    return {
        label: run.outputs[subject.cases[name].model.layers[-1]] for label, run in found.items()
    }


def _undone(pairs):
    """[(field, the value here)] for every field in which any clip's fit differs from the front end
    here.
    """
    return [
        (field, here)
        for field, here in FrontEnd()._asdict().items()
        if any(getattr(pair.fit.front_end, field) != here for pair in pairs)
    ]


def _elsewhere(pairs):
    """Of ELSEWHERE what no clip's fit has."""
    undone = dict(_undone(pairs))
    return [(field, value) for field, value in ELSEWHERE if field not in undone]


def _later(pair, samples_at_12_khz):
    front_end = pair.fit.front_end
    return spectrogram(
        pair.track,
        front_end._replace(
            late=front_end.late + round(samples_at_12_khz * pair.track.rate_hz / SAMPLE_RATE_HZ)
        ),
    )


def _floor_kept(pair):
    """The shift undone, but nothing below the stored floor: the loudest cell, which sets the
    floor, is another one when shifted.
    """
    unlimited = spectrogram(pair.track, pair.fit.front_end._replace(late=0, span="none"))
    return np.maximum(unlimited, pair.stored.min())


def _row(model, clip, way, original, ported, tags):
    stored, other = original
    change = other - stored
    largest = int(np.abs(change).argmax())
    return [
        model,
        clip,
        way,
        tags[ranking(stored)[0]],
        tags[ranking(other)[0]],
        round(float(change[largest]), 4) + 0.0,
        tags[largest],
        round(jaccard(stored, other, min(TOP, len(tags) // 2)), 4),
        round(float(np.abs(ported[1] - ported[0]).max()), 4),
    ]


def _percent(scores):
    return 100 * scores.astype(np.float64) / scores.sum(dtype=np.float64)


def _tags(model):
    from parity.model import MODELS

    return MODELS[model].tags
