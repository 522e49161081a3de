"""Which Keras do these weights belong to, told from the files and from what arrives, and is the
port each of them?
"""

import numpy as np

from parity.errors import CannotRun
from parity.recording import stacks
from parity.studies.microscope.training import RULES
from parity.studies.unstable_cnn import input as of_input
from parity.studies.unstable_cnn import keras_findings, meaning, runs, stored, versions
from parity.studies.unstable_cnn.input_candidates import candidates

READ_AS = {meaning.DEVIATION: "1.0.6", meaning.VARIANCE: "1.1.0"}  # a release that keeps it
INPUTS = (
    "none",
    "clip",
    "offset and gain",
)  # decibels and standardised: what the weights here were trained on, as input.py finds


def ask(subject):
    """The findings on every model of `subject`, a runs.Subject, and one on the port under all
    releases.

    Silent clips are left out. Raises CannotRun where no other clip is there, or an original cannot
    be run.
    """
    clips = {name: x for name, x in subject.clips.items() if np.ptp(x)}
    if not clips:
        raise CannotRun(
            "there is no clip with any sound to put in; name at least one mel "
            "spectrogram (.npy) or audio file"
        )
    told = calibrate({name: look_at(case, clips) for name, case in subject.cases.items()})
    *_, (clip, x) = clips.items()
    live = {
        name: versions.under_all(case, x, subject.progress) for name, case in subject.cases.items()
    }
    home = {name: case.model.stack for name, case in subject.cases.items()}
    return [
        *(
            keras_findings.belongs(name, told[name], live[name], home[name], subject.data)
            for name in told
        ),
        keras_findings.proved(live, told, clip, subject.data),
    ]


def look_at(case, clips):
    """What tells one file's Keras: {jitter, slope, level, padding, meaning, confidence, versions},
    the evidence None where there is none.

    clips: {name: (1, 1, 96, 1366) float32, decibel}; versions: those of stacks.STACKS that the
    file can be from.
    """
    remembered = stored.stored(case.weights)
    if stored.FREQUENCY not in remembered:
        raise CannotRun(
            f"{case.weights}: its {stored.FREQUENCY} holds what it began with, so nothing "
            "of a Keras; give trained weights"
        )
    behind = [layer for layer in remembered if layer != stored.FREQUENCY]
    found = {
        "jitter": meaning.jitter(remembered[stored.FREQUENCY]),
        "padding": padding(case.weights),
        "slope": _slope(case, clips, remembered, behind[0]) if behind else None,
        "level": _level(case, clips, remembered) if behind else None,
        "layer": behind[0] if behind else None,
    }
    shares = [found[kind] and found[kind]["share"] for kind in ("jitter", "slope", "level")]
    what, confidence = meaning.judge(shares)
    return {
        **found,
        "meaning": what,
        "confidence": confidence,
        "versions": possible(what, found["padding"]),
    }


def calibrate(told):
    """The same, where a file has its jitter only: as sure as that is on the files whose kind is
    known without it.

    `calibration`, where there is any: {files: {name: its jitter over what it should be}, share:
    for a deviation}.
    """
    known = {}
    for name, of in told.items():
        what, _ = meaning.judge([of[kind] and of[kind]["share"] for kind in ("slope", "level")])
        if what and of["jitter"]["measured"]:
            known[name] = meaning.misfit(of["jitter"], what)
    return {
        name: _calibrated(of, known)
        if of["layer"] is None and of["jitter"]["measured"] and known
        else of
        for name, of in told.items()
    }


def _calibrated(of, known):
    share = meaning.calibrated(of["jitter"], list(known.values()))
    what, confidence = meaning.judge([share])
    return {
        **of,
        "meaning": what,
        "confidence": confidence,
        "versions": possible(what, of["padding"]),
        "calibration": {
            "files": {name: float(np.exp(misfit)) for name, misfit in known.items()},
            "share": share,
        },
    }


def _slope(case, clips, remembered, layer):
    """On decibels: whatever the scale of the input, the slope is the same."""
    batch = {"all": np.concatenate(list(clips.values()))}
    arriving = {
        what: runs.ported(case, batch, keras=keras)["all"].arriving[layer][1] ** 0.5
        for what, keras in READ_AS.items()
    }
    return meaning.slope(arriving, remembered[layer])


def _level(case, clips, remembered):
    """On every input that it may have been trained on."""
    found = {}
    for what, keras in READ_AS.items():
        given = {
            name: by_clip
            for name, by_clip in candidates(clips, remembered, keras).items()
            if name in INPUTS
        }
        tried = of_input.Tried(clips, given, of_input.grouped(given, alone=True), remembered, keras)
        seen = runs.ported(case, tried.batches, keras=keras)
        found |= {(what, name): of_input.distances_of(name, tried, seen) for name in given}
    return meaning.level(found)


def padding(weights):
    """{value, histories} of the frames that are always zero, where the first layer has such and
    they all hold the same; else None.
    """
    spread = weights.params[stored.FREQUENCY]["running_std"]
    within = stored.inside(stored.FREQUENCY, len(spread))
    values = np.unique(np.delete(spread, np.arange(within.start, within.stop)))
    return (
        {"value": float(values[0]), "histories": meaning.histories(values[0])}
        if len(values) == 1
        else None
    )


def possible(what, padded):
    """The Keras versions of stacks that keep `what` and, where the padding has a history, can have
    ended it; none for None.
    """
    holds = {
        meaning.DEVIATION: lambda version: version < (1, 0, 7),
        meaning.VARIANCE: lambda version: version >= (1, 0, 7),
    }
    known = {keras: tuple(map(int, keras.split("."))) for keras in stacks.KERAS_VERSIONS}
    ended = {row[2] or row[0] for row in padded["histories"]} if padded else set()
    return [
        keras
        for keras, version in known.items()
        if what and holds[what](version) and (not ended or rule_of(version) in ended)
    ]


def rule_of(version):
    """The first Keras, as text, whose moving averages are those of `version`, a tuple."""
    return ".".join(map(str, [row[0] for row in RULES if row[0] <= version][-1]))
