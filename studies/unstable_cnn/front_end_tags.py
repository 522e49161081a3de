"""What each difference of the front end does to the tags: the original and the port on the same
clips, made in other ways.
"""

import numpy as np

from parity.attribution.tags import TOP, jaccard, ranking
from parity.studies.unstable_cnn import runs
from parity.studies.unstable_cnn.front_end_fit import WORDS, named
from parity.studies.unstable_cnn.front_end_variants import (
    HOP_SAMPLES,
    SAMPLE_RATE_HZ,
    FrontEnd,
    spectrogram,
)
from parity.studies.unstable_cnn.tags import names_of

STORED, HERE = "the originals' own", "as computed here"
# No cause here: librosa's padding since 0.9; other or no top_db.
ELSEWHERE = (("padding", "zeros"), ("span", "100 dB"), ("span", "none"))


def batches(pairs):
    """{label: (B, 1, 96, 1366) float32} of the stored mel spectrograms and of those made in other
    ways, clips in one order.

    pairs: front_end.Pairs. A wav stands among them where every clip has one.
    """

    def made(**changed):
        return [spectrogram(pair.track, pair.fit.front_end._replace(**changed)) for pair in pairs]

    ways = {
        STORED: [pair.stored for pair in pairs],
        HERE: [spectrogram(pair.track, FrontEnd()) for pair in pairs],
    }
    if all(pair.wav for pair in pairs):
        ways["the wav, as computed here"] = [spectrogram(pair.wav, FrontEnd()) for pair in pairs]
    ways["all causes put right"] = made()
    undone = {
        field: here
        for field, here in FrontEnd()._asdict().items()
        if any(getattr(pair.fit.front_end, field) != here for pair in pairs)
    }
    for field, here in undone.items():
        ways[f"all put right but the {WORDS[field]} ({named(field, here)})"] = made(**{field: here})
    for field, value in ELSEWHERE:
        if field not in undone:
            way = f"{WORDS[field]} changed to {value}, which is no cause"
            ways[way] = made(**{field: value})
    for quarters in (1, 2, 3):
        ways[f"all put right, cut {quarters}/4 of a frame later still"] = [
            _later(pair, quarters * HOP_SAMPLES / 4) for pair in pairs
        ]
    if "late" in undone:
        ways["all put right but the shift, with the stored floor"] = [
            _floor_kept(pair) for pair in pairs
        ]
    return {label: np.stack(clips)[:, None].astype(np.float32) for label, clips in ways.items()}


def _later(pair, samples_at_12_khz):
    front_end = pair.fit.front_end
    more = round(samples_at_12_khz * pair.track.rate_hz / SAMPLE_RATE_HZ)
    return spectrogram(pair.track, front_end._replace(late=front_end.late + more))


def _floor_kept(pair):
    """The shift undone, but cut at the stored floor, which another loudest cell would move."""
    unlimited = spectrogram(pair.track, pair.fit.front_end._replace(late=0, span="none"))
    return np.maximum(unlimited, pair.stored.min())


def scores(subject, inputs):
    """The scores of the last layer on every batch: {model: {"original", "port": {label: (B,
    N)}}}.
    """
    found = subject.both({name: {"batches": inputs} for name in subject.cases})
    last = {name: case.model.layers[-1] for name, case in subject.cases.items()}
    return {
        name: {
            side: {label: run.outputs[last[name]] for label, run in by_label.items()}
            for side, by_label in sides.items()
        }
        for name, sides in found.items()
    }


def rows(names, found):
    """[[model, clip, way, top tag of the stored, top tag, largest change, its tag, Jaccard, the
    port's largest change]].

    names: of the clips; found: of `scores`. Changes are in points: hundredths of the row's sum.
    """
    return [
        [model, clip, way, *_changes(*(_percent(sides[side], way, at) for side in runs.SIDES))]
        for model, sides in found.items()
        for at, clip in enumerate(names)
        for way in sides["original"]
        if way != STORED
    ]


def _percent(by_label, way, at):
    """(of the stored, of a way)."""
    chosen = (by_label[label][at].astype(np.float64) for label in (STORED, way))
    return [100 * scores / scores.sum() for scores in chosen]


def _changes(original, port):
    (stored, other), tags = original, names_of(len(original[0]))
    change = other - stored
    largest = int(np.abs(change).argmax())
    return [
        tags[ranking(stored)[0]],
        tags[ranking(other)[0]],
        round(float(change[largest]), 4) + 0.0,
        tags[largest],
        round(jaccard(stored, other, min(TOP, len(tags) // 2)), 4),
        round(float(np.abs(port[1] - port[0]).max()), 4),
    ]
