"""Does the input match what the weights were trained on, and which correction of it would?

What arrives at every normalisation is held against what that normalisation stored in training, for
the decibels as they are and for each candidate correction. Constants that a candidate needs are
fitted to the other clips, never to the clip that is scored, or are those of another music
collection, which are fitted to nothing here.
"""

import numpy as np

from parity.errors import CannotRun
from parity.recording import stacks
from parity.studies.unstable_cnn import input_findings, runs, stored
from parity.studies.unstable_cnn.calls import COLLECTIONS_MODEL
from parity.studies.unstable_cnn.clips import companions
from parity.studies.unstable_cnn.input_agreement import agreement
from parity.studies.unstable_cnn.input_candidates import ASIS, candidates, collection
from parity.studies.unstable_cnn.input_looking import Tried, distances_of, grouped, look_at

SYNTHESISED, APART = (
    (1, 2),
    (ASIS, "clip", "offset and gain", "half"),
)  # numbers of parity.fixtures.synthesis; corrections tried on them
TRIED, JUDGE = (
    "CNN",
    "CNN0",
)  # the second takes no part in choosing the first one's correction, and has the same tags
BESIDE = (
    "silence",
    "noise",
)  # of companions, each put beside each clip: the judge's answer depends on its batch


def ask(subject):
    """The findings on every model of `subject`, a runs.Subject.

    Silent clips are left out. Raises CannotRun where no other clip is there, or the original
    cannot be run.
    """
    clips = {name: x for name, x in subject.clips.items() if np.ptp(x)}
    if not clips:
        raise CannotRun(
            "there is no clip with any sound to put in; name at least one mel "
            "spectrogram (.npy) or audio file"
        )
    scales = {name: collection(subject, name) for name in subject.cases}
    tried = {
        name: prepare(case, clips, scale=scales[name][0]) for name, case in subject.cases.items()
    }
    more = judging(clips) if {TRIED, JUDGE} <= set(subject.cases) else {}
    live = runs.originals(
        {
            name: subject.asks(name, {**tried[name].batches, **(more if name == JUDGE else {})})
            for name in subject.cases
        }
    )
    found = {
        name: look_at(
            tried[name], {"original": live[name], "port": runs.ported(case, tried[name].batches)}
        )
        for name, case in subject.cases.items()
    }
    apart = {
        name: {
            "synthesised": synthesised(case),
            "scale": scales[name][1],
            "floor": floor_of(found.get(COLLECTIONS_MODEL), tried[name].remembered),
        }
        for name, case in subject.cases.items()
    }
    findings = [
        input_findings.fits(name, {**seen, **apart[name]}, subject.data)
        for name, seen in found.items()
    ]
    corrected = {name: seen for name, seen in found.items() if seen["original"]["selected"] != ASIS}
    findings += [input_findings.constants(corrected, subject.data)] if corrected else []
    judged = (
        {
            label: run.outputs[runs.LOGITS.format(subject.cases[JUDGE].model.layers[-1])]
            for label, run in live[JUDGE].items()
            if label in more
        }
        if more
        else {}
    )
    return findings + (
        [agreement(found[TRIED], judged, subject.data)] if TRIED in corrected and judged else []
    )


def judging(clips):
    """{label: batch} for the judge: all clips together, each alone, and each beside silence and
    noise, itself first.
    """
    beside = {name: companions({})[name] for name in BESIDE}
    return {
        "all": np.concatenate(list(clips.values())),
        **{f"alone|{clip}": x for clip, x in clips.items()},
        **{
            f"{name}|{clip}": np.concatenate([x, mate])
            for name, mate in beside.items()
            for clip, x in clips.items()
        },
    }


def floor_of(seen, layers):
    """The (score, range) on these layers of the model whose input fits, on that very input: what a
    good fit comes to; None without one.
    """
    of = seen and seen["original"]
    if not of or of["differs"] is not False:
        return None
    held = {
        ASIS: {layer: values for layer, values in of["distances"][ASIS].items() if layer in layers}
    }
    return stored.score(held[ASIS]), stored.interval(stored.resampled(held)[ASIS])


def prepare(case, clips, only=None, scale=None):
    """The Tried of a case; only: the corrections to try, None for all; scale: as `candidates`
    takes it.

    Raises CannotRun for weights that cannot be read or were never trained.
    """
    keras, remembered = stacks.STACKS[case.model.stack].keras, stored.stored(case.weights)
    if stored.FREQUENCY not in remembered:
        raise CannotRun(
            f"{case.weights}: its {stored.FREQUENCY} holds what it began with, so nothing "
            "of the training input; "
            "give trained weights"
        )
    given = candidates(clips, remembered, keras, scale)
    given = {name: given[name] for name in only or given if name in given}
    return Tried(clips, given, grouped(given, alone=len(remembered) > 1), remembered, keras)


def synthesised(case):
    """{correction: nats a value} of the port on made-up sounds: kept apart, for they are not the
    music that training heard.
    """
    from parity.fixtures import synthesis

    tried = prepare(
        case,
        {f"synthesised {number}": synthesis.mel_spectrogram(number) for number in SYNTHESISED},
        APART,
    )
    seen = runs.ported(case, tried.batches)
    return {name: stored.score(distances_of(name, tried, seen)) for name in tried.given}
